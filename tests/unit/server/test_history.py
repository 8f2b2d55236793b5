"""Cursors of the history, and what nodes did out of a crew's log and out of checkpoints."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import orjson
import pytest
from rich.console import Console

from server.cli.history import print_whole, run_table
from server.db.history import cursor_of, seq_of
from server.db.history_shapes import Execution
from server.histories import Whole
from server.streaming.agent_nodes import turns_of
from server.streaming.checkpoint_nodes import steps_of
from server.streaming.frames import Frame
from server.streaming.lab_nodes import NodeVisit
from state.errors import BadRequest


@pytest.mark.parametrize("seq", [1, 77, 2**31, 2**63 - 1])
def test_a_cursor_comes_back_as_it_was_given(seq: int) -> None:
    assert seq_of(cursor_of(seq)) == seq


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("", id="empty"),
        pytest.param("7", id="a number"),
        pytest.param("x" * 200, id="long"),
        pytest.param("ñ\ud800\0", id="no ASCII"),
        pytest.param(cursor_of(5)[:-1], id="cut"),
        pytest.param(cursor_of(5) + "=", id="with more"),
        pytest.param("AAAA" + cursor_of(5), id="of another version"),
        pytest.param(cursor_of(2**63), id="beyond a bigint"),
    ],
)
def test_another_text_is_no_cursor(cursor: str) -> None:
    with pytest.raises(BadRequest, match="is none; send the next_cursor"):
        seq_of(cursor)


def execution(**fields: Any) -> Execution:
    """One that is in the queue."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    same = {"seq": 1, "execution_id": UUID(int=1), "run_id": UUID(int=2), "thread_id": UUID(int=3), "graph_id": "flow"}
    texts: dict[str, Any] = {
        "request": None,
        "answer": None,
        "error": None,
        "figures": {},
        "settings": {},
        "metadata": {},
    }
    stands = {"run_status": "pending", "waits": False, "attempt": 0, "assistant_id": None}
    times = {"created_at": at, "started_at": None, "finished_at": None}
    return Execution(**{**same, **texts, **stands, **times, **fields})


def test_the_terminal_shows_a_line_an_execution() -> None:
    done = {"run_status": "success", "figures": {"score": 0.5, "attempts": 2}}
    table = run_table([execution(**done, request="[bold]a\x1b[2J" + "x" * 99, answer="42"), execution(error="no")])
    console = Console(width=200, file=StringIO(), color_system=None)
    console.print(table)
    first, second = console.file.getvalue().splitlines()[-2:]  # type: ignore[attr-defined]
    assert "completed" in first and "0.50" in first and "[bold]a␛[2Jxx" in first and "…" in first and "42" in first
    assert str(UUID(int=1)) in second and "pending" in second and "(resumed)" in second and second.split()[-1] == "no"


def test_the_terminal_shows_one_whole_with_the_time_of_each_node() -> None:
    metrics = {"model_name": "demo", "strategy": "standard", "cache_hit": False, "load_time_sec": 1.5}
    result = {"output": "42", "score": 0.5, "attempts": 2, "metrics": metrics, "summary": ["it was a sum", 7]}
    at = datetime(2026, 1, 1, tzinfo=UTC)
    done = execution(
        request="1+1",
        run_status="success",
        output={"result": result},
        started_at=at,
        finished_at=at + timedelta(seconds=2),
    )
    console = Console(width=200, file=StringIO(), color_system=None)
    print_whole(console, Whole(done, [NodeVisit("e", "execute", "completed", 1.25), NodeVisit("v", "validate")]))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    lines = [line.split() for line in shown.splitlines()]
    assert ["execute", "completed", "1.25", "s"] in lines and ["validate", "running"] in lines
    assert "it was a sum" in shown and "\n42\n" in shown
    assert "completed · score 0.50 · 2 attempts · demo/standard · cache miss (loaded in 1.50 s) · 2.00 s" in shown


def agent(step: str, status: str, **more: Any) -> tuple[str, Any]:
    return "custom", {"event": "agent", "step": step, "status": status, **more}


@pytest.mark.parametrize(
    ("said", "turns"),
    [
        pytest.param(
            [agent("a", "started"), agent("b", "started"), agent("b", "completed", seconds=2.0)],
            [NodeVisit("a", "a"), NodeVisit("b", "b", "completed", 2.0)],
            id="in the order in which they began",
        ),
        pytest.param(
            [
                agent("a", "started"),
                agent("a", "retrying", error="x"),
                agent("a", "started"),
                agent("a", "fallback", seconds=1),
            ],
            [NodeVisit("a", "a", "completed", 1)],
            id="tried again, one turn",
        ),
        pytest.param(
            [agent("a", "completed", seconds=1), agent("a", "started"), agent("a", "failed", seconds=2, error="no")],
            [NodeVisit("a", "a", "completed", 1), NodeVisit("a", "a", "failed", 2, "no")],
            id="two turns of one step",
        ),
        pytest.param([agent("a", "skipped", error=None)], [NodeVisit("a", "a", "skipped")], id="skipped"),
        pytest.param(
            [agent("a", "completed"), agent("b", "started"), ("metadata", {}), agent("b", "started")],
            [NodeVisit("a", "a", "completed"), NodeVisit("b", "b")],
            id="begun again by another worker",
        ),
        pytest.param(
            [
                ("custom", 7),
                ("custom", {"event": "agent"}),
                ("messages", []),
                ("custom|x", {"event": "agent", "step": "a"}),
            ],
            [],
            id="what else is said",
        ),
    ],
)
def test_turns_of_a_crew(said: list[tuple[str, Any]], turns: list[NodeVisit]) -> None:
    frames = [Frame(seq, name, orjson.dumps(data)) for seq, (name, data) in enumerate(said, 1)]
    assert turns_of(frames) == turns


def state(second: float, *tasks: dict[str, Any], run: str = "r") -> dict[str, Any]:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    return {"created_at": at.isoformat(), "tasks": tasks, "metadata": {"run_id": run}}


def task(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name.upper(), "name": name, **more}


def test_steps_are_as_long_as_the_time_between_their_checkpoints() -> None:
    states = [state(0, task("__start__")), state(0.5, task("a"), task("b")), state(2, task("c", error="broken"))]
    assert steps_of(states) == [
        NodeVisit("A", "a", "completed", 1.5),
        NodeVisit("B", "b", "completed", 1.5),
        NodeVisit("C", "c", "failed", None, "broken"),
    ]


def test_a_step_that_waited_for_an_answer_has_no_time() -> None:
    asking = state(1, task("ask", interrupts=[{"id": "1"}]))
    assert steps_of([asking]) == [NodeVisit("ASK", "ask", "interrupted")]
    assert steps_of([asking, state(60, run="next")]) == [NodeVisit("ASK", "ask", "completed")]


def test_what_is_yet_to_be_done_runs() -> None:
    assert steps_of([state(1, task("a"))]) == [NodeVisit("A", "a")]
    assert steps_of([]) == []
