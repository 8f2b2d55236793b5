"""What the crash tests would see, were it there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from server.streaming.frames import Frame
from tests.acceptance.crashes import evidence
from tests.acceptance.crashes.field import Line
from tests.acceptance.crashes.two_and_two import overlapping
from tests.acceptance.protocol.talking import Said

A1, A2, B1 = "a~1~7~x", "a~2~8~y", "b~1~7~z"


def line(at: float, what: str, mark: str, run: str = "r") -> Line:
    node, attempt, pid, _ = mark.split("~")
    return Line(at, what, node, run, int(attempt), int(pid), mark)


def state(step: int, checkpoint: str, parent: str | None) -> dict[str, Any]:
    above = None if parent is None else {"checkpoint_id": parent}
    return {"metadata": {"step": step}, "checkpoint": {"checkpoint_id": checkpoint}, "parent_checkpoint": above}


def tokens(*numbers: int, attempt: int = 1) -> list[Said]:
    return [Said("custom", {"token": number, "attempt": attempt}) for number in numbers]


def began(attempt: int) -> Said:
    return Said("metadata", {"run_id": "r", "attempt": attempt})


def told(mark: str) -> Said:
    return Said("updates", {mark.partition("~")[0]: {"trail": [mark]}})


def test_a_node_that_is_missing_from_the_state_is_seen() -> None:
    assert evidence.missing([A1], ["a", "b"]) == ["b"]
    assert evidence.missing([A1, B1], ["a", "b"]) == []


def test_a_node_that_is_twice_in_the_state_is_seen() -> None:
    assert evidence.recorded_twice([A1, B1, A2]) == ["a 2 times"]
    assert evidence.recorded_twice([A1, B1]) == []


@pytest.mark.parametrize(
    ("lines", "trail", "finished", "faults"),
    [
        ([line(1, "begin", A1), line(2, "end", A1)], [A1], [A1], 0),
        # Cut in the middle, done again: nothing was finished.
        ([line(1, "begin", A1), line(2, "begin", A2), line(3, "end", A2)], [A2], [], 0),
        # Ended without a trace, done again.
        ([line(1, "begin", A1), line(2, "end", A1), line(3, "begin", A2), line(4, "end", A2)], [A2], [], 0),
        # The same, but it was on record.
        ([line(1, "begin", A1), line(2, "end", A1), line(3, "begin", A2), line(4, "end", A2)], [A2], [A1], 1),
        # Begun again although the first is what counts.
        ([line(1, "begin", A1), line(2, "end", A1), line(3, "begin", A2)], [A1], [], 1),
        # A process that sleeps begins it late, and another has done it.
        ([line(1, "begin", A2), line(2, "end", A2), line(3, "begin", A1)], [A2], [], 1),
    ],
)
def test_a_finished_node_that_is_begun_again_is_seen(
    lines: Sequence[Line], trail: Sequence[str], finished: Sequence[str], faults: int
) -> None:
    assert len(evidence.repeated(lines, trail, finished)) == faults


def test_a_fork_of_the_history_is_seen() -> None:
    straight = [state(1, "c", "b"), state(0, "b", "a"), state(-1, "a", None)]
    assert evidence.forks(straight) == []
    assert evidence.forks([state(1, "d", "b"), *straight]) == ["checkpoint b has 2 children", "step 1 after 1"]


@pytest.mark.parametrize(
    ("names", "faults"), [(["metadata", "end"], 0), (["metadata"], 1), (["end", "metadata"], 1), (["end", "end"], 1)]
)
def test_a_log_without_one_end_at_its_end_is_seen(names: Sequence[str], faults: int) -> None:
    assert len(evidence.wrong_ends([Frame(0, name, b"null") for name in names])) == faults


def test_holes_and_repeats_of_numbers_are_seen() -> None:
    assert evidence.holes([1, 2, 5], 1) == ["3 is missing", "4 is missing"]
    assert evidence.holes([], 1) == []
    assert evidence.repeats([1, 2, 2]) == ["2 2 times"]


@pytest.mark.parametrize(
    ("said", "gaps", "duplicates"),
    [
        ([began(1), *tokens(0, 1, 2), began(2), *tokens(0, 1, attempt=2)], 0, 0),
        ([began(1), *tokens(0, 2)], 1, 0),
        ([began(1), *tokens(0, 1, 1)], 0, 1),
        # Anew, and nobody said so.
        ([began(1), *tokens(0, 1), *tokens(0, attempt=2)], 0, 2),
    ],
)
def test_tokens_that_are_lost_or_come_again_unannounced_are_seen(
    said: Sequence[Said], gaps: int, duplicates: int
) -> None:
    missing, again = evidence.token_faults(said)
    assert (len(missing), len(again)) == (gaps, duplicates)


def test_steps_that_are_not_told_or_told_twice_are_seen() -> None:
    assert evidence.update_faults([began(1), told(A1), began(2), told(B1)], [A1, B1]) == ([], [])
    assert evidence.update_faults([began(1), told(A1)], [A1, B1]) == ([f"{B1} is not told"], [])
    assert evidence.update_faults([began(1), told(A1), told(A1)], [A1]) == ([], [f"{A1} told 2 times"])
    # A step whose checkpoint was not there yet is told to the next process again.
    assert evidence.update_faults([began(1), told(A1), began(2), told(A1)], [A1]) == ([], [])


def test_what_a_listener_heard_otherwise_than_the_replay_is_seen() -> None:
    replay = [Said("custom", {"n": n}, str(n)) for n in (1, 2, 3)]
    assert evidence.differences(replay, replay) == ([], [])
    gaps, odd = evidence.differences([replay[0], replay[2]], replay)
    assert (len(gaps), len(odd)) == (1, 0)
    gaps, odd = evidence.differences([*replay, replay[2]], replay)
    assert (len(gaps), len(odd)) == (0, 1)
    gaps, odd = evidence.differences([*replay[:2], Said("custom", {"n": 4}, "3")], replay)
    assert (len(gaps), len(odd)) == (0, 1)


def test_two_runs_of_a_thread_at_once_are_seen() -> None:
    first, second = "only~1~7~x", "only~1~8~y"
    apart = [
        line(1, "begin", first, "r"),
        line(2, "end", first, "r"),
        line(3, "begin", second, "s"),
        line(4, "end", second, "s"),
    ]
    assert not any(overlapping(apart, {"r": "t", "s": "t"}).values())
    within = [apart[0], line(1.5, "begin", second, "s"), *apart[1:2], apart[3]]
    assert sum(len(found) for found in overlapping(within, {"r": "t", "s": "t"}).values()) == 1
    assert not any(overlapping(within, {"r": "t", "s": "u"}).values())
