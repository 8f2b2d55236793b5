"""What is wrong with a run, told from its ledger, its log, its history and what its listeners heard. Values alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from server.streaming.frames import Frame
from tests.acceptance.crashes.field import Line
from tests.acceptance.protocol.talking import Said


@dataclass
class Figures:
    """Of one case. All but `runs`, `continued` and `takeovers` should be nothing."""

    case: str
    runs: int = 0
    continued: int = 0
    """Taken over, or handed on, and gone on with by another process."""
    lost: int = 0
    """Accepted, and never come to the end that they should have."""
    repeated: int = 0
    """Executions of nodes that had finished before: their writes were committed, or the final state has them."""
    twice: int = 0
    """Nodes that are twice in the final state, and checkpoints with two children or out of order."""
    ends: int = 0
    """Runs whose log does not hold one end as its last event, or whose status changed after it."""
    gaps: int = 0
    """Events that a listener or a replay lacks."""
    duplicates: int = 0
    """Events that come again without a `metadata` event of another attempt before."""
    untold: int = 0
    """Nodes in the final state of whose update no event tells."""
    takeovers: list[float] = field(default_factory=list)
    """Seconds from the signal to the first node of another attempt, a run each."""
    notes: list[str] = field(default_factory=list)
    """Which run, and what is wrong with it."""

    @property
    def wrong(self) -> int:
        return self.lost + self.repeated + self.twice + self.ends + self.gaps + self.duplicates + self.untold

    def add(self, other: Figures) -> None:
        for name in ("runs", "continued", "lost", "repeated", "twice", "ends", "gaps", "duplicates", "untold"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.takeovers += other.takeovers
        self.notes += other.notes

    def count(self, kind: str, run_id: str, found: Sequence[str]) -> None:
        setattr(self, kind, getattr(self, kind) + len(found))
        self.notes += [f"{self.case}: {kind}: run {run_id}: {text}" for text in found]


def node_of(mark: str) -> str:
    return mark.partition("~")[0]


def missing(trail: Sequence[str], expected: Iterable[str]) -> list[str]:
    """Nodes that the final state should have and lacks."""
    return sorted(set(expected) - {node_of(mark) for mark in trail})


def recorded_twice(trail: Sequence[str]) -> list[str]:
    return [f"{node} {times} times" for node, times in Counter(map(node_of, trail)).items() if times > 1]


def repeated(lines: Sequence[Line], trail: Sequence[str], finished: Iterable[str]) -> list[str]:
    """Executions begun after the same node had finished. `lines`: of one run; `finished`: on record at the signal."""
    ended = {line.mark: line.at for line in lines if line.what == "end"}
    begun = [line for line in lines if line.what == "begin"]
    kept = {node_of(mark): mark for mark in trail if mark in ended}
    known = {mark for mark in finished if mark in {line.mark for line in lines}}
    again = [
        f"{line.mark} after {kept[line.node]}"
        for line in begun
        if line.node in kept and line.mark != kept[line.node] and line.at > ended[kept[line.node]]
    ]
    return again + [f"{mark} was committed and is not in the state" for mark in known - set(trail)]


def forks(history: Sequence[Mapping[str, Any]]) -> list[str]:
    """Checkpoints with two children, or steps that do not grow. `history`: as the server gives it, newest first."""
    parents = Counter(
        state["parent_checkpoint"]["checkpoint_id"] for state in history if state.get("parent_checkpoint")
    )
    steps = [state["metadata"]["step"] for state in reversed(history)]
    found = [f"checkpoint {parent} has {times} children" for parent, times in parents.items() if times > 1]
    return found + [f"step {after} after {before}" for before, after in pairwise(steps) if after <= before]


def wrong_ends(frames: Sequence[Frame]) -> list[str]:
    names = [frame.name for frame in frames]
    return (
        [] if names.count("end") == 1 and names[-1] == "end" else [f"{names.count('end')} ends, last is {names[-1:]}"]
    )


def holes(numbers: Sequence[int], first: int) -> list[str]:
    """What is missing where numbers should count up from `first`."""
    return [
        f"{want} is missing" for want in sorted(set(range(first, max(numbers, default=first - 1) + 1)) - set(numbers))
    ]


def repeats(numbers: Sequence[int]) -> list[str]:
    return [f"{number} {times} times" for number, times in Counter(numbers).items() if times > 1]


def attempts(said: Sequence[Said]) -> list[tuple[int, list[Said]]]:
    """The events of each attempt, which begins with its `metadata`."""
    found: list[tuple[int, list[Said]]] = []
    for event in said:
        if event.event == "metadata":
            found.append((event.data["attempt"], []))
        elif found:
            found[-1][1].append(event)
    return found


def token_faults(said: Sequence[Said]) -> tuple[list[str], list[str]]:
    """Gaps and duplicates among the numbered tokens of each attempt, and tokens that are told in another's."""
    gaps, duplicates = [], []
    for attempt, events in attempts(said):
        tokens = [event.data for event in events if event.event == "custom"]
        gaps += holes([token["token"] for token in tokens], 0)
        duplicates += repeats([token["token"] for token in tokens])
        duplicates += [f"{token} in attempt {attempt}" for token in tokens if token["attempt"] != attempt]
    return gaps, duplicates


def update_faults(said: Sequence[Said], trail: Sequence[str]) -> tuple[list[str], list[str]]:
    """Marks of the final state that no `updates` event tells, and those told twice in one attempt."""
    told: list[str] = []
    again: list[str] = []
    for _, events in attempts(said):
        marks = [
            mark
            for event in events
            if event.event == "updates"
            for update in event.data.values()
            if isinstance(update, dict)
            for mark in update.get("trail", ())
        ]
        again += [f"{mark} told {times} times" for mark, times in Counter(marks).items() if times > 1]
        told += marks
    return [f"{mark} is not told" for mark in trail if mark not in told], again


def differences(heard: Sequence[Said], replayed: Sequence[Said]) -> tuple[list[str], list[str]]:
    """What a listener lacks of the replay, and what it heard that the replay has not, has otherwise, or once only."""
    ids = [event.id for event in heard]
    gaps = [f"event {event.id} {event.event} was not heard" for event in replayed if event.id not in ids]
    known = {event.id: event for event in replayed}
    odd = [f"heard {event}, replayed {known.get(event.id)}" for event in heard if known.get(event.id) != event]
    return gaps, odd + repeats([int(number) for number in ids])


def takeovers(lines: Sequence[Line], at: float) -> list[float]:
    """Seconds from `at` to the first node that a later attempt began, of each run."""
    first: dict[str, float] = {}
    for line in lines:
        if line.what == "begin" and line.attempt > 1 and line.at >= at:
            first.setdefault(line.run_id, line.at - at)
    return list(first.values())
