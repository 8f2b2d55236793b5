"""Which runs of a thread give way to which."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from server.db.claims import Lost
from server.run_queue.admission import Admission, Before, admit
from server.run_queue.reaper import ending_of_lost
from server.run_queue.shapes import MultitaskStrategy

A, B, C = uuid4(), uuid4(), uuid4()
RUNNING: list[Before] = [(A, "running")]
QUEUE: list[Before] = [(A, "running"), (B, "pending"), (C, "pending")]
WAITING: list[Before] = [(B, "pending"), (C, "pending")]


@pytest.mark.parametrize("strategy", ["reject", "enqueue", "interrupt", "rollback"])
def test_a_run_on_a_quiet_thread_can_start(strategy: MultitaskStrategy) -> None:
    assert admit(strategy, []) == Admission(ready=True)


@pytest.mark.parametrize(
    ("strategy", "before", "decided"),
    [
        ("reject", RUNNING, Admission(accepted=False)),
        ("reject", WAITING, Admission(accepted=False)),
        ("enqueue", RUNNING, Admission()),
        ("enqueue", WAITING, Admission()),
        ("interrupt", RUNNING, Admission(stop=(A,))),
        ("interrupt", QUEUE, Admission(stop=(A,), drop=(B, C))),
        ("interrupt", WAITING, Admission(ready=True, drop=(B, C))),
        ("rollback", RUNNING, Admission(stop=(A,), action="rollback")),
        ("rollback", QUEUE, Admission(stop=(A,), drop=(B, C), action="rollback")),
        ("rollback", WAITING, Admission(ready=True, drop=(B, C), action="rollback")),
    ],
)
def test_a_run_on_a_busy_thread(strategy: MultitaskStrategy, before: list[Before], decided: Admission) -> None:
    assert admit(strategy, before) == decided


def lost(**changed: Any) -> Lost:
    known: dict[str, Any] = {"attempt": 1, "max_attempts": 3, "cancel": None}
    return Lost("default", UUID(int=1), UUID(int=2), 7, **(known | changed))


def test_a_run_whose_worker_died_goes_on() -> None:
    assert ending_of_lost(lost()) is None
    assert ending_of_lost(lost(attempt=2)) is None


def test_a_run_that_killed_three_workers_ends_and_says_so() -> None:
    ending = ending_of_lost(lost(attempt=3))
    assert ending is not None
    assert (ending.status, ending.thread_status) == ("error", "error")
    assert ending.error is not None
    assert "3 workers" in ending.error["message"]


def test_a_run_of_a_terminal_is_not_taken_over() -> None:
    ending = ending_of_lost(lost(max_attempts=1))
    assert ending is not None
    assert ending.status == "error"


@pytest.mark.parametrize("action", ["interrupt", "rollback"])
def test_a_run_that_was_asked_to_stop_is_stopped_by_the_next_worker(action: str) -> None:
    assert ending_of_lost(lost(cancel=action, attempt=3)) is None


def test_a_run_of_a_terminal_that_was_asked_to_stop_is_interrupted() -> None:
    ending = ending_of_lost(lost(cancel="interrupt", max_attempts=1))
    assert ending is not None
    assert ending.status == "interrupted"
