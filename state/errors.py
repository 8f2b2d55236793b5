"""Every error Agent Lab raises. The branches are what the caller can do about it.

LabError
├── BadRequest            the caller's fault; never retried                → 422, exit code 2
│   ├── NotFound          no model, thread or checkpoint of that name     → 404
│   ├── Conflict          what is named is not in a state for this        → 409
│   │   └── LostLease     another worker has taken the run over
│   ├── Malformed         cannot be read: a number that is none, too deep  → 400
│   └── ContextOverflow   prompt and answer do not fit the model's window → 413
├── Unavailable           right request, wrong moment; may be retried     → 503, exit code 2
│   ├── NoMemory          does not fit beside the models in use
│   ├── InUse             a model answers calls; says whose
│   ├── NoDatabase        Postgres cannot be reached or started
│   ├── DataDirBusy       another program holds the data directory
│   ├── AgentFailed       an agent did not answer, or not as agents answer
│   ├── CircuitOpen       an agent rests after failures; others may answer in its place
│   ├── QueueFull         an agent has more messages waiting than its queue holds → 429
│   └── TimedOut          took longer than its bound                      → 504
└── Broken                ours; never retried, logged with its traceback  → 500, exit code 1

A message is one line: what was wrong, the number or name that explains it, and the way out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from state.resources import Held


class LabError(Exception):
    """Root of the tree. `status` is the HTTP status, `exit_code` what `lab` returns."""

    status = 500
    exit_code = 1


class BadRequest(LabError):
    """The request cannot be served as it stands; sending it again changes nothing."""

    status = 422
    exit_code = 2


class NotFound(BadRequest):
    """Something was named that does not exist; the message lists or hints at what does."""

    status = 404


class Conflict(BadRequest):
    """What is named exists, a thread or a model, but is not in a state that allows this."""

    status = 409


class LostLease(Conflict):
    """A write came from a worker whose run another has taken over; nothing of it was written."""


class Malformed(BadRequest):
    """The request cannot be read: a number that is none, a body nested too deep, a URL that is broken."""

    status = 400


class ContextOverflow(BadRequest):
    """Prompt and answer do not fit into the model's context window; the message gives tokens."""

    status = 413


class Unavailable(LabError):
    """Nothing is wrong with the request: a resource is missing now. Retry policies read this class."""

    status = 503
    exit_code = 2


class NoMemory(Unavailable):
    """A model does not fit beside the models in use; the message gives bytes."""


class InUse(Unavailable):
    """A model answers calls and cannot leave; `held` are their leases."""

    def __init__(self, message: str, held: Sequence[Held] = ()) -> None:
        super().__init__(message)
        self.held = tuple(held)


class NoDatabase(Unavailable):
    """Postgres cannot be reached or started."""


class DataDirBusy(Unavailable):
    """Another program holds the data directory or its Postgres."""


class AgentFailed(Unavailable):
    """An agent could not be reached, refused, or answered in another form than agents do."""


class CircuitOpen(Unavailable):
    """An agent is not called for a while, since it failed several times in a row; the message says until when."""


class QueueFull(Unavailable):
    """An agent's queue holds no more messages; nothing of this one was kept. The message gives the bound."""

    status = 429


class TimedOut(Unavailable):
    """Work was stopped at its time bound."""

    status = 504


class Broken(LabError):
    """A promise of ours did not hold. Never told as an answer."""


def errors_by_name() -> Mapping[str, type[LabError]]:
    """The classes of the tree by name, such as one that was written down; one made elsewhere by its branch here."""
    return {kind.__name__: next(own for own in kind.__mro__ if own.__module__ == __name__) for kind in _tree(LabError)}


def _tree(kind: type[LabError]) -> Iterator[type[LabError]]:
    yield kind
    for branch in kind.__subclasses__():
        yield from _tree(branch)
