"""Remote models: what can be known at once is checked at once, and a provider is opened when it is first called."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from langchain_core.caches import BaseCache
from pydantic import SecretStr

from llm.providers.base import Access, Backend, OpenBackend
from llm.providers.cards import stays_here
from llm.providers.custom import open_custom
from llm.providers.failures import describe, key_setting, words_of
from llm.providers.remote import RemoteChatModel
from llm.providers.settings import taken_settings
from llm.responses.identity import Identity
from llm.responses.remembering import Remembering
from state.errors import BadRequest, LabError, Unavailable
from state.models import ModelCard, Provider, Sampling

PACKAGES: dict[Provider, tuple[str, str]] = {
    "openai": ("langchain_openai", "openai"),
    "openai_compatible": ("langchain_openai", "openai"),
    "anthropic": ("langchain_anthropic", "anthropic"),
}
"""The package that asks a provider, and the extra of ours that installs it."""

NO_KEY = SecretStr("")


class RememberingRemoteChatModel(Remembering, RemoteChatModel):
    """RemoteChatModel with a response cache before it."""

    def _repeats(self, given: Mapping[str, Any]) -> bool:
        # A seed or temperature that the model does not take repeats nothing.
        taken = taken_settings(self.card)
        seed = given.get("seed", self.seed) if "seed" in taken else None
        temperature = given.get("temperature", self.temperature) if "temperature" in taken else None
        return seed is not None or temperature == 0


class RemoteChats:
    """Fills `Backends`: a backend for each card, shared by all its chat models."""

    def __init__(self, access: Access, responses: BaseCache | None = None) -> None:
        self._access = access
        self._responses = responses
        self._opening = threading.Lock()
        self._backends: dict[ModelCard, Backend] = {}

    def chat(self, card: ModelCard, sampling: Sampling) -> RemoteChatModel:
        """A chat model; nobody is contacted. Raises BadRequest (key, package) and Unavailable (offline)."""
        self.check(card)
        fields = {"model": card.name, "card": card, "backends": self, **sampling.model_dump()}
        if self._responses is None:
            return RemoteChatModel(**fields)
        return RememberingRemoteChatModel(**fields, responses=self._responses, identity=Identity(card, None))

    def may_ask(self, card: ModelCard) -> bool:
        """Whether calls may leave for this model: offline only when they stay on this machine."""
        return self._access.online or stays_here(card)

    def check(self, card: ModelCard) -> None:
        """Raises BadRequest and Unavailable for what stands in the way of every call."""
        if not self.may_ask(card):
            raise Unavailable(
                f"{describe(card)} is not on this machine and LAB_OFFLINE is set; unset it, or choose a local model"
            )
        package, extra = PACKAGES.get(card.provider, ("", ""))
        if package and find_spec(package) is None:
            raise BadRequest(f"{describe(card)} needs a package: pip install 'agent-lab[{extra}]'")
        needed = card.key is not None or card.provider in ("openai", "anthropic")
        if needed and not self.key_of(card).get_secret_value():
            raise BadRequest(f"{describe(card)} needs a key: set {key_setting(card)}")

    def key_of(self, card: ModelCard) -> SecretStr:
        """See `Backends`. A compatible server gets a key only where its card names one."""
        name = card.key or (card.provider if card.provider in ("openai", "anthropic") else "")
        return self._access.keys.get(name, NO_KEY)

    def opened(self, card: ModelCard) -> Backend | None:
        """See `Backends`."""
        return self._backends.get(card)

    def open(self, card: ModelCard) -> Backend:
        """See `Backends`."""
        with self._opening:
            if card not in self._backends:
                self._backends[card] = self._made(card)
            return self._backends[card]

    def _made(self, card: ModelCard) -> Backend:
        try:
            return _opener(card.provider)(card, self.key_of(card), self._access)
        except LabError:
            raise
        except Exception as error:
            # A custom factory is the operator's code, and may raise anything.
            said = words_of(error, self.key_of(card))
            raise BadRequest(f"{describe(card)} cannot be opened: {type(error).__name__}: {said}") from error


def _opener(provider: Provider) -> OpenBackend:
    # Each imports its provider's package, an extra that need not be installed and takes a second to import.
    match provider:
        case "openai":
            from llm.providers.openai_compatible import open_openai  # noqa: PLC0415

            return open_openai
        case "openai_compatible":
            from llm.providers.openai_compatible import open_openai_compatible  # noqa: PLC0415

            return open_openai_compatible
        case "anthropic":
            from llm.providers.anthropic import open_anthropic  # noqa: PLC0415

            return open_anthropic
    return open_custom
