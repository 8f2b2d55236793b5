"""Checkpoints come back as the types they were, survive a restart, and a planted row runs nothing."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, TypedDict
from uuid import uuid4

import ormsgpack
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel

from server.application.graph_types import types_of
from server.db.checkpoints import SCHEMAS, StrictSerializer, reachable_models
from server.db.pool import Database, open_database
from server.settings import Settings
from state.context import Context
from state.errors import Broken
from state.models import CallMetrics, Sampling
from state.resources import Reading, Resident
from state.run import RunInput, RunOutput, RunState
from state.tasks import Analysis, Attempt, Decision, LoadDecision, Plan, Reason, Result, Task, ToolUse, Turn, Verdict

METRICS = CallMetrics(model_name="demo", strategy="standard", cache_hit=True)
RESIDENT = Resident(name="demo", strategy="standard", size_bytes=1, leases=0, last_used=1.5)
READING = Reading(device="cpu", ram_total_bytes=2, ram_free_bytes=1, budget_bytes=1, resident=(RESIDENT,))
STATE: dict[str, Any] = {
    "messages": [HumanMessage("2+2?", id="1"), AIMessage("4", id="2")],
    "task": Task(prompt="2+2?", history=(Turn(request="hi", answer="hello"),)),
    "analysis": Analysis(kind="math", confidence=0.9, language="en", needs=("tools",)),
    "plan": Plan(attempt=1, model="demo", strategy="standard", sampling=Sampling(), reading=READING),
    "loads": [LoadDecision(decision="edit", model="demo")],
    "attempts": [
        Attempt(
            number=1,
            model="demo",
            strategy="standard",
            answer="4",
            metrics=METRICS,
            tools=(ToolUse(name="calculator", arguments={"expression": "2+2"}, output="4"),),
        )
    ],
    "verdicts": [Verdict(score=0.5, passed=False, reasons=(Reason(name="short"),))],
    "decision": Decision(decision="accept"),
    "result": Result(output="4", score=0.5, passed=True, attempts=1, kind="math", language="en", metrics=METRICS),
}


class Stranger(BaseModel):
    """A type that no graph of ours has in its state."""

    n: int = 1


async def fill(state: RunState) -> dict[str, Any]:
    return {**STATE, "messages": STATE["messages"][1:]}


def graph(database: Database) -> Any:
    builder = StateGraph(RunState, input_schema=RunInput, output_schema=RunOutput, context_schema=Context)
    builder.add_node("fill", fill)
    builder.add_edge(START, "fill")
    builder.add_edge("fill", END)
    return builder.compile(checkpointer=database.checkpointer)


def config() -> RunnableConfig:
    return {"configurable": {"thread_id": str(uuid4())}}


async def test_every_type_of_the_state_comes_back_as_itself(database: Database) -> None:
    where = config()
    await graph(database).ainvoke({"messages": STATE["messages"][:1]}, where)
    found = (await database.checkpointer.aget_tuple(where)).checkpoint["channel_values"]  # type: ignore[union-attr]
    assert {name: found[name] for name in STATE} == STATE
    assert type(found["plan"].reading.resident[0]) is Resident


async def test_checkpoints_survive_a_restart_of_postgres(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    where = config()
    async with open_database(settings) as database:
        await graph(database).ainvoke({"messages": STATE["messages"][:1]}, where)
    async with open_database(settings) as database:
        assert (await graph(database).aget_state(where)).values["result"] == STATE["result"]


def test_all_models_of_the_state_are_found() -> None:
    assert {type(value) for value in STATE.values()} - {list} <= reachable_models(*SCHEMAS)
    assert {Turn, Sampling, Reading, Resident, Attempt, ToolUse, CallMetrics, Verdict, Reason} <= reachable_models(
        RunState
    )
    assert Stranger not in reachable_models(*SCHEMAS)


def extension(code: int, *payload: object) -> ormsgpack.Ext:
    return ormsgpack.Ext(code, ormsgpack.packb(payload))


def hostile(marker: Path) -> dict[str, tuple[str, bytes]]:
    """Rows that would create `marker` where anything in them were run."""

    class Exploit:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (marker,))

    touch = f"touch {marker}"
    call = extension(0, "os", "system", touch)
    bad_json = f'{{"lc": 2, "type": "constructor", "id": ["os", "system"], "args": ["{touch}"]}}'
    return {
        "pickle": ("pickle", pickle.dumps(Exploit())),
        "json": ("json", bad_json.encode()),
        "one argument": ("msgpack", ormsgpack.packb(call)),
        "arguments": ("msgpack", ormsgpack.packb(extension(1, "os", "system", [touch]))),
        "keywords": ("msgpack", ormsgpack.packb(extension(2, "os", "system", {"command": touch}))),
        "method": ("msgpack", ormsgpack.packb(extension(3, "pathlib", "Path", str(marker), "touch"))),
        "pydantic 1": ("msgpack", ormsgpack.packb(extension(4, "os", "system", {"command": touch}))),
        "pydantic 2": (
            "msgpack",
            ormsgpack.packb(extension(5, "os", "system", {"command": touch}, "model_validate_json")),
        ),
        "inside an allowed type": (
            "msgpack",
            ormsgpack.packb(ormsgpack.Ext(0, ormsgpack.packb(["builtins", "set", [call]]))),
        ),
        "inside a list": ("msgpack", ormsgpack.packb({"a": [call]})),
        "no list": ("msgpack", ormsgpack.packb(extension(0))),
        "cut short": ("msgpack", ormsgpack.packb({"a": "b" * 100})[:20]),
    }


@pytest.mark.parametrize("kind", hostile(Path("x")))
async def test_a_planted_row_is_refused_and_nothing_runs(kind: str, database: Database, tmp_path: Path) -> None:
    where = config()
    await graph(database).ainvoke({"messages": STATE["messages"][:1]}, where)
    marker = tmp_path / "it-ran"
    type_, blob = hostile(marker)[kind]
    async with database.pool.connection() as connection:
        await connection.execute(
            "UPDATE checkpoint_blobs SET type = %s, blob = %s WHERE thread_id = %s AND channel = 'task'",
            (type_, blob, where["configurable"]["thread_id"]),
        )
    with pytest.raises(Broken, match="a checkpoint") as told:
        await graph(database).aget_state(where)
    assert "\n" not in str(told.value)
    assert not marker.exists()


async def test_a_planted_pending_write_is_refused(database: Database, tmp_path: Path) -> None:
    where = config()
    await graph(database).ainvoke({"messages": STATE["messages"][:1]}, where)
    async with database.pool.connection() as connection:
        await connection.execute(
            "INSERT INTO checkpoint_writes (thread_id, checkpoint_id, task_id, idx, channel, type, blob)"
            " SELECT thread_id, checkpoint_id, 'x', 0, 'task', %s, %s FROM checkpoints WHERE thread_id = %s",
            (*hostile(tmp_path / "it-ran")["one argument"], where["configurable"]["thread_id"]),
        )
    with pytest.raises(Broken, match=r"os\.system"):
        await graph(database).aget_state(where)
    assert not (tmp_path / "it-ran").exists()


def test_a_type_outside_the_state_is_refused_by_name_in_both_directions() -> None:
    strict = StrictSerializer(SCHEMAS)
    wider = strict.with_msgpack_allowlist([Stranger])
    with pytest.raises(Broken, match=r"the state holds a .*\.Stranger, which no schema"):
        strict.dumps_typed({"x": [Stranger()]})
    written = wider.dumps_typed({"x": [Stranger()]})
    with pytest.raises(Broken, match=r"Stranger, which is not part of any state"):
        strict.loads_typed(written)
    assert wider.loads_typed(written) == {"x": [Stranger()]}


class Colour(Enum):
    RED = "red"


class Point(NamedTuple):
    x: int


@dataclass
class Shape:
    colour: Colour
    corners: list[Point]


class Drawing(BaseModel):
    shapes: dict[str, Shape]


class Inner(TypedDict):
    drawing: Drawing | None
    when: datetime
    unknown: Any


class Outer(TypedDict, total=False):
    messages: list[Any]


DRAWN = Drawing(shapes={"a": Shape(Colour.RED, [Point(1)])})


def application(value: object) -> Any:
    """A graph as an application has it: the types are those of a state that only its subgraph names."""

    async def draw(state: Inner) -> dict[str, Any]:
        return {"drawing": DRAWN, "when": datetime(2026, 1, 1, tzinfo=UTC), "unknown": value}

    inner = StateGraph(Inner)
    inner.add_node("draw", draw)
    inner.add_edge(START, "draw")
    outer = StateGraph(Outer)
    outer.add_node("inner", inner.compile(checkpointer=True))
    outer.add_edge(START, "inner")
    return outer.compile()


async def saved_by_an_application(settings: Settings, value: object) -> Any:
    """What a server that was started anew reads of the subgraph's state."""
    built, where = application(value), config()
    async with open_database(settings, types=types_of(built)) as database:
        await built.copy({"checkpointer": database.checkpointer}).ainvoke({}, where)
    async with open_database(settings, types=types_of(built)) as database:
        where["configurable"]["checkpoint_ns"] = "inner"
        found = await database.checkpointer.aget_tuple(where)
        assert found is not None
        return found.checkpoint["channel_values"]


async def test_types_that_an_applications_graphs_are_annotated_with_come_back(settings: Settings) -> None:
    found = await saved_by_an_application(settings, None)
    assert found["drawing"] == DRAWN
    assert type(found["drawing"].shapes["a"]) is Shape
    assert found["when"] == datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_type_that_no_annotation_names_fails_the_run_and_not_the_thread(settings: Settings) -> None:
    with pytest.raises(Broken, match="Stranger"):
        await saved_by_an_application(settings, Stranger())


def test_what_cannot_be_written_as_msgpack_is_not_pickled() -> None:
    with pytest.raises(TypeError):
        StrictSerializer(SCHEMAS).dumps_typed({"x": object()})


async def test_the_store_keeps_values_across_namespaces(database: Database) -> None:
    await database.store.aput(("default", "notes"), "one", {"text": "hello"})
    found = await database.store.aget(("default", "notes"), "one")
    assert found is not None
    assert found.value == {"text": "hello"}
    assert await database.store.aget(("other", "notes"), "one") is None
