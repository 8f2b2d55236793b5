"""What is kept of a run to list it and to find it by."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from server.run_queue.digest import MOST, answer_of, figures_of, goes_on, request_of
from server.wire.values import encode
from state.crew_run import AgentExecution, CrewResult
from state.models import CallMetrics
from state.tasks import Result

METRICS = CallMetrics(model_name="demo", strategy="standard", cache_hit=True, tokens_generated=3)
RESULT = Result(output="42", score=0.9, passed=True, attempts=2, kind="math", language="en", metrics=METRICS)


def turn(name: str, **fields: Any) -> AgentExecution:
    whole = {"agent_name": name, "agent_class": "Echo", "status": "completed", "attempts": 1, "error": None}
    spent = {"execution_time": 0.5, "input_tokens": 2, "output_tokens": 3, "model": None}
    return AgentExecution(**{"step": name, "agent_id": name, **whole, **spent, **fields})


CREW = CrewResult(
    output="all",
    results=("all",),
    agent_ids=("b",),
    agents=(turn("a", status="failed"), turn("b", model="demo"), turn("b", model="other")),
    execution_log=(),
    node_results={},
    metadata={},
)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        pytest.param({"prompt": "hi"}, "hi", id="a prompt"),
        pytest.param({"query": "hi", "input_data": {"n": 1}}, "hi", id="a crew's query"),
        pytest.param({"query": "", "input_data": {"topic": "cats"}}, '{"topic":"cats"}', id="a flow's fields"),
        pytest.param({"messages": [{"role": "user", "content": "hi"}]}, "hi", id="a message by role"),
        pytest.param({"messages": [{"type": "human", "content": "hi"}]}, "hi", id="a message by type"),
        pytest.param({"messages": [["human", "hi"]]}, "hi", id="a pair"),
        pytest.param({"messages": "hi"}, "hi", id="a bare text"),
        pytest.param({"messages": {"role": "user", "content": "hi"}}, "hi", id="one message"),
        pytest.param(
            {"messages": [{"role": "user", "content": "old"}, {"role": "user", "content": "new"}, ["ai", "x"]]},
            "new",
            id="the newest of the human's",
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image"}, "b"]}]},
            "a\nb",
            id="blocks",
        ),
        pytest.param({"messages": [{"role": "user", "content": None}], "n": 1}, None, id="a message without a text"),
        pytest.param({"topic": "cats", "n": 3}, '{"topic":"cats","n":3}', id="any other input, as JSON"),
        pytest.param("hi", "hi", id="a text"),
        pytest.param([1, 2], "[1,2]", id="a list"),
        pytest.param(None, None, id="nothing"),
        pytest.param({}, None, id="an empty object"),
        pytest.param({"prompt": "a\0b\ud800"}, "a\ufffdb\ufffd", id="what Postgres cannot hold"),
        pytest.param({"prompt": "é" * (MOST + 1)}, "é" * MOST, id="a long one is cut"),
        pytest.param({"x": "é" * MOST}, f'{{"x":"{"é" * (MOST - 6)}', id="long JSON is cut"),
        pytest.param({"messages": [1, None, [], {}, [2, 3]], "prompt": 5}, None, id="odd types"),
    ],
)
def test_what_a_run_was_asked(given: Any, text: str | None) -> None:
    found = request_of(given)
    if text is None and isinstance(given, dict) and given:
        assert found == encode(given).decode()  # nothing in it is a text, so that all of it is told
    else:
        assert found == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        pytest.param({"result": RESULT, "messages": [AIMessage("no")]}, "42", id="a result"),
        pytest.param({"result": {"output": "42"}}, "42", id="a result as JSON"),
        pytest.param({"result": "42"}, "42", id="a result that is a text"),
        pytest.param(
            {"messages": [HumanMessage("hi"), AIMessage("42"), ToolMessage("x", tool_call_id="1")]}, "42", id="ai"
        ),
        pytest.param({"messages": [AIMessage(["a", {"type": "text", "text": "b"}])]}, "a\nb", id="blocks"),
        pytest.param({"messages": [{"role": "assistant", "content": "42"}]}, "42", id="as JSON"),
        pytest.param({"messages": [AIMessage("old"), HumanMessage("new")]}, None, id="an older answer is none"),
        pytest.param({"total": 3}, '{"total":3}', id="another state, as JSON"),
        pytest.param({"result": {"output": 3}}, '{"result":{"output":3}}', id="another result"),
        pytest.param([1], "[1]", id="a state that is no object"),
        pytest.param({}, None, id="an empty state"),
        pytest.param(None, None, id="no state"),
        pytest.param({"result": {"output": "a\0\ud800"}}, "a\ufffd\ufffd", id="what Postgres cannot hold"),
        pytest.param({"result": {"output": "x" * (MOST + 1)}}, "x" * MOST, id="a long one is cut"),
    ],
)
def test_what_a_run_answered(values: Any, text: str | None) -> None:
    assert answer_of(values, encode(values)) == text


def test_the_figures_of_a_lab_run_are_those_of_its_result() -> None:
    for result in (RESULT, RESULT.model_dump()):
        figures = orjson.loads(figures_of({"result": result}) or b"")
        assert figures.pop("metrics") == METRICS.model_dump()
        assert figures == {"score": 0.9, "attempts": 2, "kind": "math", "language": "en"}


def test_the_figures_of_a_crew_are_its_agents_together() -> None:
    figures = orjson.loads(figures_of({"result": CREW}) or b"")
    assert figures["agents"] == ["a", "b"]
    assert figures["metrics"]["model_name"] == "demo, other"
    assert (figures["metrics"]["total_time_sec"], figures["metrics"]["tokens_generated"]) == (1.5, 9)


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(None, id="none"),
        pytest.param("text", id="a text"),
        pytest.param([1], id="a list"),
        pytest.param({"score": "high", "attempts": True, "kind": 3, "agents": 7, "metrics": "m"}, id="odd types"),
        pytest.param({"score": 10**400, "attempts": float("nan")}, id="no figures"),
        pytest.param({"agents": [None, 1, {"agent_id": 2}]}, id="odd agents"),
        pytest.param({"metrics": {"x": "y" * 5_000}}, id="metrics that are none of ours"),
        pytest.param(datetime(2026, 1, 1, tzinfo=UTC), id="a stranger"),
    ],
)
def test_what_is_no_result_of_ours_has_no_figures(result: Any) -> None:
    figures = orjson.loads(figures_of({"result": result}) or b"{}")
    assert figures.get("metrics", {}).get("tokens_generated", 0) == 0
    assert set(figures) <= {"metrics"}


@pytest.mark.parametrize(
    ("kwargs", "so"),
    [
        ({"input": None}, True),
        ({"input": {"query": "q"}, "command": {"resume": "yes"}}, True),
        ({"input": {}, "command": {"resume": None}}, False),
        ({"input": {"prompt": "hi"}}, False),
        ({"input": None, "checkpoint": {"checkpoint_id": "1"}}, False),
    ],
)
def test_a_run_that_brings_nothing_new_goes_on(kwargs: Any, so: bool) -> None:
    assert goes_on(kwargs) is so
