"""Which fields of a card go with which provider, and where its calls go. Pure."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from state.errors import BadRequest
from state.models import ModelCard, Provider

REMOTE_FIELDS = ("model_id", "base_url", "key", "factory", "settings")
"""Fields that mean nothing for a local model."""

REQUIRED: dict[Provider, tuple[str, ...]] = {
    "openai": ("model_id",),
    "anthropic": ("model_id",),
    "openai_compatible": ("model_id", "base_url"),
    "custom": ("factory",),
}
REFUSED: dict[Provider, tuple[str, ...]] = {
    "openai": ("repo", "path", "revision", "factory"),
    "anthropic": ("repo", "path", "revision", "factory"),
    "openai_compatible": ("repo", "path", "revision", "factory"),
    "custom": ("repo", "path", "revision"),
    "local": REMOTE_FIELDS,
}


def check_card(where: str, card: ModelCard) -> None:
    """Raises BadRequest, beginning with `where`, for fields that its provider needs or does not know."""
    for field in REQUIRED.get(card.provider, ()):
        if getattr(card, field) is None:
            raise BadRequest(f"{where}: field {field!r} is required with provider {card.provider!r}")
    for field in REFUSED[card.provider]:
        if getattr(card, field) is not None:
            raise BadRequest(f"{where}: field {field!r} does not go with provider {card.provider!r}")
    if card.base_url is not None:
        _check_url(where, card.base_url)


def _check_url(where: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.query or parts.fragment:
        raise BadRequest(f"{where}: field 'base_url': expected http(s)://host[:port][/path]")
    # The URL is shown with the card; a secret in it would be, too.
    if parts.username or parts.password:
        raise BadRequest(f"{where}: field 'base_url' holds a user or password; use 'key' and LAB_PROVIDER_KEYS")


def stays_here(card: ModelCard) -> bool:
    """Whether a remote model's calls go to this very machine, as far as its card says."""
    host = urlsplit(card.base_url).hostname if card.base_url else None
    if host is None:
        return False
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
