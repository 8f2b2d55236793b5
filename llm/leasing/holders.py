"""What is in memory and who holds it, as others are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llm.cache import Phase
from state.models import Strategy
from state.resources import Held, Holder, Resident

NAMED = 3
"""Holders that a sentence names; the others are counted."""


SOMEBODY = Holder()


@dataclass(frozen=True)
class Cached:
    """A model in memory and who uses it. `hits`: leases given at once; `unused_sec`: since one began or ended last."""

    resident: Resident
    strategy: Strategy
    phase: Phase
    hits: int
    unused_sec: float
    held: tuple[Held, ...]

    @property
    def stays(self) -> str | None:
        """Why it cannot be cleared away now; None where it can, or goes already."""
        if self.held:
            return f"in use by {name_holders(self.held)}"
        if self.phase is Phase.LOADING:
            return "it is being loaded"
        return "pinned" if self.resident.pinned else None


@dataclass(frozen=True)
class Cleared:
    """What left the memory and what stayed, with the reason in `Cached.stays`."""

    gone: tuple[Cached, ...]
    kept: tuple[Cached, ...]


def holder_of(metadata: Mapping[str, Any] | None) -> Holder:
    """The holder of a model call, from the metadata that LangGraph puts into its configuration."""
    if not metadata:
        return SOMEBODY
    run_id, thread_id, graph, node = map(metadata.get, ("run_id", "thread_id", "graph_id", "langgraph_node"))
    return Holder(run_id=_text(run_id), thread_id=_text(thread_id), graph=_text(graph), node=_text(node))


def name_holders(held: Sequence[Held]) -> str:
    """For a sentence: the first few, who have held longest, and how many more there are."""
    first = sorted(held, key=lambda one: -one.seconds)[:NAMED]
    named = ", ".join(f"{one.holder} for {one.seconds:.1f} s" for one in first)
    more = len(held) - len(first)
    return f"{named} and {more} more" if more else named


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)
