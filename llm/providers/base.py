"""What a provider's file hands out, and what the operator allows."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

from state.models import ModelCard


@dataclass(frozen=True)
class Access:
    """What the operator allows remote models. `keys`: by the name that a card's `key` says."""

    keys: Mapping[str, SecretStr] = field(default_factory=dict)
    online: bool = True
    """False: only models on this machine's loopback may be asked."""
    timeout_sec: float = 300.0
    """Without a byte from the provider."""
    retries: int = 2
    """Of a call that brought no answer yet. The provider's client does them, with backoff and `Retry-After`."""


Failures = tuple[type[Exception], ...]


@dataclass(frozen=True)
class Backend:
    """A provider's own chat model, and what is to be known about it."""

    model: BaseChatModel
    passes: frozenset[str] | None = None
    """Call settings beyond Sampling and tools that go to it as they are; None: all."""
    in_body: frozenset[str] = frozenset()
    """Settings of Sampling that its client has no name for, and that go into the request's body."""
    structured_method: str | None = None
    """How `with_structured_output` works when nobody says; None: as the provider's class does."""
    always_ends: bool = True
    """Whether a whole answer always has a finish reason, so that one without was cut off."""
    timeouts: Failures = ()
    interrupted: Failures = ()
    """What its client raises when a connection or a stream breaks."""
    too_short: Failures = ()
    """What its client raises when `max_tokens` cut structured output."""


class OpenBackend(Protocol):
    """Makes a provider's chat model. Contacts nobody; may import for seconds. `key` is "" where none is needed."""

    def __call__(self, card: ModelCard, key: SecretStr, access: Access) -> Backend: ...


def transport_failures(client: type) -> tuple[Failures, Failures]:
    """(timeouts, all) that the HTTP library under a provider's client raises; `client`: its default HTTP client.

    Providers moved from one HTTP library to another; errors in the midst of a stream come through as that one's own.
    """
    library = next(base for base in client.__mro__ if base.__module__.startswith("httpx"))
    module = importlib.import_module(library.__module__.partition(".")[0])
    return (module.TimeoutException,), (module.TransportError,)
