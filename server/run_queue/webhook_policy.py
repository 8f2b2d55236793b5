"""Which addresses a webhook may go to: pure rules, asked when a run is admitted and again when it is called.

What is checked is the address that is connected to, so that no spelling of it (decimal, octal, short, mapped into IPv6)
and no later answer of DNS leads elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from server.addresses import METADATA_HOSTS, Network, refused
from server.application.shapes import WebhooksConfig
from state.errors import BadRequest, Malformed

MAX_URL_LENGTH = 4_096
_DEFAULT_PORTS = {"http": 80, "https": 443}
_RELATIVE = (
    "Loopback webhooks (relative URLs and localhost) are disabled by default. They bypass authentication via the "
    "in-process ASGI transport and can be abused to invoke internal routes as an unauthenticated caller. Set "
    "webhooks.url.disable_loopback to false (in langgraph.json or via LANGGRAPH_WEBHOOKS) to opt back in — only do so "
    "when you control the mounted routes."
)
"""The reference's words."""


@dataclass(frozen=True)
class WebhookPolicy:
    """What the operator allows."""

    allow_loopback: bool = False
    """This machine, and relative URLs, which are paths of this server."""
    require_https: bool = False
    allowed_domains: tuple[str, ...] = ()
    """Hosts, or `*.example.com` for those below one; none named: any."""
    allowed_ports: tuple[int, ...] = ()
    """None named: any."""
    max_url_length: int = MAX_URL_LENGTH
    allowed_networks: tuple[Network, ...] = ()
    """Reached although they are not public."""


@dataclass(frozen=True)
class Target:
    """Where a webhook's URL leads. No host: to this server."""

    host: str | None
    port: int


def policy_of(config: WebhooksConfig, networks: Iterable[Network]) -> WebhookPolicy:
    """The policy that langgraph.json and the settings describe.

    As on the reference server, loopback is allowed in so many words only, and whoever writes a policy at all has to say
    that http is enough.
    """
    url = config.url
    said = url.model_fields_set
    return WebhookPolicy(
        allow_loopback="disable_loopback" in said and not url.disable_loopback,
        require_https=url.require_https if "require_https" in said else bool(said),
        allowed_domains=tuple(domain.lower().rstrip(".") for domain in url.allowed_domains),
        allowed_ports=url.allowed_ports,
        max_url_length=url.max_url_length or MAX_URL_LENGTH,
        allowed_networks=tuple(networks),
    )


def headers_of(config: WebhooksConfig, environment: Mapping[str, str]) -> dict[str, str]:
    """The headers of each call, templates such as `${{ env.LG_WEBHOOK_TOKEN }}` filled in.

    Raises BadRequest: a variable without the prefix or without a value, a header that HTTP cannot carry.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if not name.startswith(config.env_prefix):
            raise BadRequest(f"webhooks.headers: {name} does not begin with {config.env_prefix}; rename the variable")
        if name not in environment:
            raise BadRequest(f"webhooks.headers: {name} is not set; set it, or take the header out")
        return environment[name]

    filled = {
        name: re.sub(r"\$\{\{\s*env\.([A-Za-z0-9_]+)\s*\}\}", value, text) for name, text in config.headers.items()
    }
    for name, text in filled.items():
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or not re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", text):
            raise BadRequest(f"webhooks.headers: {name[:50]!r} or its value is not one that HTTP can carry")
    return filled


def target_of(url: str, policy: WebhookPolicy) -> Target:
    """Where `url` leads, its addresses still unknown. Raises BadRequest and Malformed in the reference's words."""
    if len(url) > policy.max_url_length:
        raise BadRequest("Webhook URL too long")
    if url.startswith("/") and not url.startswith(("//", "/\\")):
        if not policy.allow_loopback:
            raise BadRequest(_RELATIVE)
        return Target(None, 0)
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError as error:
        raise Malformed(str(error)) from None
    if policy.require_https and scheme != "https":
        raise BadRequest("Webhook must use https")
    if not host:
        raise BadRequest(f"Invalid webhook hostname '{host[:100]}'")
    if scheme not in _DEFAULT_PORTS:
        raise BadRequest(f"Webhook host blocked: scheme '{scheme}' not allowed")
    port = _DEFAULT_PORTS[scheme] if port is None else port
    _check_name(host.lower().rstrip("."), port, policy)
    return Target(host, port)


def is_readable(url: str) -> bool:
    """Whether the client that will call it can, and nobody could read another host into it."""
    if re.search(r"[\\\x00-\x20\x7f]", url):
        return False
    try:
        return httpx.URL(url).host != ""
    except (httpx.InvalidURL, UnicodeError):  # the latter for an `xn--` that is none
        return False


def _check_name(host: str, port: int, policy: WebhookPolicy) -> None:
    if policy.allowed_domains and not any(_within(host, domain) for domain in policy.allowed_domains):
        raise BadRequest("Webhook domain not allowed")
    if policy.allowed_ports and port not in policy.allowed_ports:
        raise BadRequest(f"Webhook port {port} not allowed")
    if host in METADATA_HOSTS:
        raise BadRequest("Webhook host blocked: cloud metadata endpoint")
    if (host == "localhost" or host.endswith(".localhost")) and not policy.allow_loopback:
        raise BadRequest("Webhook host blocked: localhost address")


def _within(host: str, domain: str) -> bool:
    return host.endswith(domain[1:]) if domain.startswith("*.") else host == domain


def refusal(addresses: Iterable[str], policy: WebhookPolicy) -> str | None:
    """Why a host with these addresses is not called, or None. One wrong address is enough."""
    for address in addresses:
        reason = refused(address, policy.allowed_networks, allow_loopback=policy.allow_loopback)
        if reason is not None:
            return f"Webhook host blocked: {reason}"
    return None
