"""What every engine promises: a request goes in, events come out, the last one is always terminal."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from state.models import Sampling

FinishReason = Literal["stop", "length", "cancelled"]


class Constraint(Protocol):
    """Which tokens may come next in one answer, such as those that keep it JSON of a schema.

    One object serves one request and is used by the engine's thread alone. What it raises fails its request alone.
    """

    def mask(self, logits: Any) -> Any:
        """`logits`, a float tensor of shape (vocabulary,), with minus infinity at what may not come next."""
        ...

    def accept(self, token: int) -> bool:
        """Tell it of the token that was chosen; True when the answer is complete with it."""
        ...


@dataclass(frozen=True)
class Request:
    """One answer to make. `max_tokens` is final: the prompt and it fit the model's window."""

    prompt: tuple[int, ...]
    sampling: Sampling
    max_tokens: int
    stop: tuple[str, ...] = ()
    constraint: Constraint | None = None
    caller: str = ""
    """Who asks, such as a thread's id. Callers take turns, whatever the number of requests each has waiting."""


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
    prompt_tokens_reused: int = 0
    """Of the prompt's tokens, how many an earlier request had computed."""


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


class Room(Protocol):
    """Bytes of keys and values (KV) that one engine may hold, under the budget that all models share.

    The engine asks before it allocates and says when it has freed; it is never blocked by asking.
    """

    @property
    def granted_bytes(self) -> int:
        """What it may hold now: never less than at the start, which is 0 for models whose tokens take none."""
        ...

    @property
    def most_bytes(self) -> int:
        """What it could ever be granted, were its model alone in memory."""
        ...

    def resize(self, wanted_bytes: int, *, evict: bool = True) -> bool:
        """Grant this much in all, more or less than now. False: not now.

        With `evict` a refusal makes idle models leave if that would do, so ask again; without, only free bytes count.
        """
        ...


@dataclass
class FixedRoom:
    """A room for a model that shares its memory with no other."""

    granted_bytes: int

    @property
    def most_bytes(self) -> int:
        return self.granted_bytes

    def resize(self, wanted_bytes: int, *, evict: bool = True) -> bool:
        return wanted_bytes <= self.granted_bytes
