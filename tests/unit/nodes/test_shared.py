"""The shared context: live within a run, kept step by step, and across runs in a store."""

from __future__ import annotations

import asyncio
import gc
from typing import Any
from uuid import uuid4

import pytest
from langgraph.store.memory import InMemoryStore

from nodes.agents.base import AgentContext
from nodes.teams.shared import MAX_CHANGES, MAX_KEYS, MAX_STEP_BYTES, WATCHED, Blackboard, Blackboards, SharedView
from nodes.teams.stored import HISTORY, StoredContext
from state.errors import BadRequest
from state.shared import SharedChange, values_of
from tests.unit.nodes.agents.values import call_of, needs_of


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_what_one_step_writes_another_that_runs_beside_it_sees_at_once() -> None:
    boards, run = Blackboards(), uuid4()
    one, other = (SharedView(boards.of(run, []), agent, agent) for agent in ("a", "b"))
    one.set("plan", {"steps": [1, 2]})
    one.set("mine", 1, private=True)
    assert other.get("plan") == {"steps": [1, 2]}
    assert other.get("mine", private=True) is None
    assert one.values(private=True) == {"mine": 1}
    other.delete("plan")
    other.delete("never was")
    assert one.values() == {}
    assert [(change.by, change.deleted) for change in one.history("plan")] == [("a", False), ("b", True)]
    # Each step's own writes go into its checkpoint.
    assert [(change.key, change.namespace) for change in one.changes()] == [("plan", ""), ("mine", "a")]
    assert [change.deleted for change in other.changes()] == [True]


def test_other_runs_have_another_blackboard() -> None:
    boards = Blackboards()
    SharedView(boards.of(uuid4(), []), "a", "a").set("x", 1)
    assert SharedView(boards.of(uuid4(), []), "a", "a").values() == {}
    SharedView(boards.of(None, []), "a", "a").set("x", 1)
    assert SharedView(boards.of(None, []), "a", "a").values() == {}


def test_the_next_step_begins_with_what_was_kept() -> None:
    boards, run = Blackboards(), uuid4()
    done, given_up = (SharedView(boards.of(run, []), agent, agent) for agent in ("a", "b"))
    done.set("x", 1)
    given_up.set("y", 2)
    state = done.changes()
    assert SharedView(boards.of(run, state), "c", "c").values() == {"x": 1}
    # The same in another process, which has the state alone.
    assert SharedView(Blackboards().of(run, state), "c", "c").values() == {"x": 1}


def test_a_step_that_is_tried_again_begins_without_what_it_wrote_before() -> None:
    boards, run = Blackboards(), uuid4()
    for _ in range(3):
        view = SharedView(boards.of(run, []), "a", "a")
        view.set("count", view.get("count", 0) + 1)
    assert view.get("count") == 1
    assert len(view.changes()) == 1


def test_nobody_changes_a_value_by_holding_it() -> None:
    view, value = SharedView(Blackboard([]), "a", "a"), {"list": [1]}
    view.set("x", value)
    value["list"].append(2)
    view.get("x")["list"].append(3)
    assert view.get("x") == {"list": [1]}


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("", 1, "key"),
        ("x" * 201, 1, "key"),
        ("a\0", 1, "key"),
        ("a\ud800", 1, "key"),
        ("x", float("nan"), "JSON"),
        ("x", object(), "JSON"),
        ("x", "\ud800", "JSON"),
        ("x", ["a\\\0"], "NUL"),
        ("x", nested(60), "deeper than 50"),
        ("x", nested(100_000), "JSON"),
        ("x", "y" * 1_000_000, "1,000,0"),
    ],
    ids=["empty", "long", "nul", "surrogate", "nan", "object", "half", "null", "deep", "abyss", "big"],
)
def test_what_cannot_be_kept_is_refused(key: str, value: Any, named: str) -> None:
    view = SharedView(Blackboard([]), "a", "a")
    with pytest.raises(BadRequest, match=named):
        view.set(key, value)
    assert view.changes() == []
    view.set("x", nested(40))
    view.set("wide", [[]] * 100)
    view.set("no nul", "\\u0000")


def test_keys_changes_and_bytes_are_bounded() -> None:
    view = SharedView(Blackboard([]), "a", "a")
    for number in range(MAX_KEYS):
        view.set(str(number), number)
    with pytest.raises(BadRequest, match="1,000 keys"):
        view.set("one more", 1)
    view.set("0", 1)
    view.delete("1")
    view.set("one more", 1)

    kept = view.changes()[:1] * MAX_CHANGES
    with pytest.raises(BadRequest, match="10,000 changes"):
        SharedView(Blackboard(kept), "a", "a").set("x", 1)

    full = SharedView(Blackboard([]), "a", "a")
    with pytest.raises(BadRequest, match="bytes"):
        for _ in range(MAX_STEP_BYTES // 900_000 + 1):
            full.set("x", "y" * 900_000)


async def test_a_watcher_hears_global_changes_as_they_come_from_any_thread() -> None:
    board = Blackboard([])
    one, other = SharedView(board, "a", "a"), SharedView(board, "b", "b")
    one.set("x", 0)  # before
    everything, plans = other.watch(), other.watch("plan")
    one.set("x", 1)
    one.set("secret", 2, private=True)
    await asyncio.to_thread(one.set, "plan", 3)
    async with asyncio.timeout(5):
        assert [(await anext(everything)).value for _ in range(2)] == [1, 3]
        assert (await anext(plans)).value == 3
        waiting = asyncio.create_task(_next(plans))
        await asyncio.sleep(0)
        other.delete("plan")
        assert (await waiting).deleted


async def _next(changes: Any) -> SharedChange:
    found: SharedChange = await anext(changes)
    return found


async def test_a_slow_watcher_misses_the_oldest_and_one_that_is_gone_costs_nothing() -> None:
    board = Blackboard([])
    view = SharedView(board, "a", "a")
    slow = view.watch()
    for number in range(WATCHED + 3):
        view.set("x", number)
    await asyncio.sleep(0)  # the event loop tells it
    assert (await anext(slow)).value == 3
    del slow
    gc.collect()
    assert len(board._watchers) == 0


async def test_a_stored_context_outlives_runs_and_keeps_every_change() -> None:
    store = InMemoryStore()
    crew = ("crew", "my.crew/1")
    first, second = (StoredContext(store, crew, agent) for agent in ("a", "b.c"))
    await first.set("style", {"tone": "dry"})
    await second.set("style", None)
    await second.set("note", "mine", private=True)
    assert await first.values() == {"style": None}
    assert await first.get("style", "gone") is None
    assert await first.get("note", private=True) is None
    assert await second.get("note", private=True) == "mine"
    await first.delete("style")
    history = await second.history("style")
    assert [(change.by, change.value, change.deleted) for change in history] == [
        ("a", {"tone": "dry"}, False), ("b.c", None, False), ("a", None, True),
    ]  # fmt: skip
    assert values_of(history) == await first.values() == {}
    assert await StoredContext(store, ("flow", "my.crew/1"), "a").history("style") == []
    with pytest.raises(BadRequest):
        await first.set("x", float("nan"))


async def test_an_agent_reaches_what_its_crew_stores_and_nothing_outside_of_one() -> None:
    store, crew = InMemoryStore(), ("crew", "writers")
    inside = AgentContext(call_of(memory=store, definition=crew), needs_of(), {})
    await inside.shared_store.set("style", "dry")
    assert (await StoredContext(store, crew, "client").history("style"))[0].by == "ana"
    for given in ({"memory": store}, {"definition": crew}):
        with pytest.raises(BadRequest, match="ana"):
            _ = AgentContext(call_of(**given), needs_of(), {}).shared_store


async def test_a_stored_history_is_bounded() -> None:
    context = StoredContext(InMemoryStore(), ("crew", "c"), "a")
    for number in range(HISTORY + 3):
        await context.set("x", number)
    assert [change.value for change in await context.history("x")] == list(range(3, HISTORY + 3))


async def test_a_watch_of_a_stored_context_yields_what_others_write() -> None:
    store = InMemoryStore()
    ours, theirs = (StoredContext(store, ("crew", "c"), agent) for agent in ("a", "b"))
    await theirs.set("x", 0)
    changes = ours.watch("x", every_sec=0.01)
    waiting = asyncio.create_task(_next(changes))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await theirs.set("y", 1)
        while not waiting.done():
            await theirs.set("x", 1)
            await asyncio.sleep(0.01)
        assert (await waiting).value == 1
    await changes.aclose()  # type: ignore[attr-defined]


async def test_what_one_agent_does_to_what_it_heard_is_its_own_affair() -> None:
    board = Blackboard([])
    view = SharedView(board, "a", "a")
    ours, theirs = view.watch(), view.watch()
    view.set("plan", {"steps": [1]})
    for change in (await anext(ours), *view.history("plan")):
        change.value["steps"].append(2)
    assert view.get("plan") == {"steps": [1]}
    assert (await anext(theirs)).value == {"steps": [1]}
    nothing = object()
    assert view.get("other", nothing) is nothing


async def test_a_stored_context_holds_no_more_keys_than_it_tells() -> None:
    store = InMemoryStore()
    context = StoredContext(store, ("crew", "c"), "a")
    for number in range(MAX_KEYS):
        store.put(("crews", "c", "shared", "values"), f"k{number}", {"value": number})
    with pytest.raises(BadRequest, match="1,000 keys"):
        await context.set("one more", 1)
    await context.set("k0", "again")
    await context.delete("never was")
    assert await context.history("never was") == []
    await context.delete("k0")
    await context.set("one more", 1)
    assert len(await context.values()) == MAX_KEYS
