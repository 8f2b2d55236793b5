"""What every engine promises: a request goes in, events come out, the last one is always terminal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from state.models import Sampling

FinishReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True)
class Request:
    """One answer to make. `max_tokens` is final: the prompt and it fit the model's window."""

    prompt: tuple[int, ...]
    sampling: Sampling
    max_tokens: int
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Timings:
    """Seconds; `first_token` counts from the submission, `inference` from the start of the work."""

    queue_wait: float = 0.0
    first_token: float | None = None
    inference: float = 0.0


@dataclass(frozen=True)
class Token:
    """One step. `text` may be empty while a character or a stop string is open; `id` is None for what was held back."""

    text: str
    id: int | None


@dataclass(frozen=True)
class Done:
    """The end. `tokens_generated` counts the token that ends the answer, too."""

    reason: FinishReason
    prompt_tokens: int
    tokens_generated: int
    timings: Timings = field(default_factory=Timings)


@dataclass(frozen=True)
class Failed:
    """The end of this request alone. `error` is a LabError or, for a bug, what was raised."""

    error: BaseException


Event = Token | Done | Failed


class Handle(Protocol):
    """One submitted request: iterate it once, from a thread or from an event loop."""

    def __iter__(self) -> Iterator[Event]: ...

    def __aiter__(self) -> AsyncIterator[Event]: ...

    def cancel(self) -> None:
        """Stop within two steps. May be called from anywhere, more than once, also after the end."""
        ...


class Engine(Protocol):
    """Runs one loaded model."""

    def submit(self, request: Request) -> Handle:
        """Queue a request. Raises Unavailable when the queue is full or the engine closed."""
        ...

    def close(self) -> None:
        """End everything that runs or waits, as cancelled, and the engine's thread. Returns when it is gone."""
        ...
