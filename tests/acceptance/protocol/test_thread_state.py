"""The state of a thread: read now and at a checkpoint, with subgraphs, and changed by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient
from langgraph_sdk.errors import BadRequestError

from tests.acceptance.protocol.test_threads import NOBODY, Json, busy, finish, get, go_on, make

STATE = [
    *("values", "next", "tasks", "metadata", "created_at", "checkpoint", "parent_checkpoint", "interrupts"),
    *("checkpoint_id", "parent_checkpoint_id"),
]
TASK = ["id", "name", "path", "error", "interrupts", "checkpoint", "state", "result"]
EMPTY: Json = {
    "values": {},
    "next": [],
    "tasks": [],
    "metadata": None,
    "created_at": None,
    "checkpoint": None,
    "parent_checkpoint": None,
    "interrupts": [],
    "checkpoint_id": None,
    "parent_checkpoint_id": None,
}
TROUBLE = "\nFor troubleshooting, visit: https://docs.langchain.com/oss/python/langgraph/errors/INVALID_GRAPH_NODE_RETURN_VALUE"


async def state_of(http: httpx.AsyncClient, thread_id: str, **params: str) -> Json:
    response = await http.get(f"/threads/{thread_id}/state", params=params)
    assert response.status_code == 200, response.text
    state: Json = response.json()
    return state


async def history_of(http: httpx.AsyncClient, thread_id: str) -> list[Json]:
    response = await http.get(f"/threads/{thread_id}/history", params={"limit": "50"})
    assert response.status_code == 200, response.text
    states: list[Json] = response.json()
    return states


async def update(http: httpx.AsyncClient, thread_id: str, **body: Any) -> Json:
    response = await http.post(f"/threads/{thread_id}/state", json=body)
    assert response.status_code == 200, response.text
    changed: Json = response.json()
    return changed


async def refused(http: httpx.AsyncClient, thread_id: str, **body: Any) -> tuple[int, str]:
    """Status and detail of an update that is not taken."""
    response = await http.post(f"/threads/{thread_id}/state", json=body)
    return response.status_code, response.json()["detail"]


@pytest.fixture
async def walked(http: httpx.AsyncClient) -> str:
    """A thread on which `steps` has run once from x: x, a, b, c."""
    return await finish(http, "steps", {"own": 1}, trail=["x"])


# --- reading ----------------------------------------------------------------------------------------------------


async def test_the_state_of_an_unused_thread_is_empty(http: httpx.AsyncClient) -> None:
    thread_id = (await make(http))["thread_id"]
    state = await state_of(http, thread_id)
    assert list(state) == STATE
    assert state == EMPTY


@pytest.mark.parametrize("path", ["/state/abc", f"/state/{NOBODY}"])
async def test_every_checkpoint_of_an_unused_thread_is_empty(http: httpx.AsyncClient, path: str) -> None:
    response = await http.get(f"/threads/{(await make(http))['thread_id']}{path}")
    assert (response.status_code, response.json()) == (200, EMPTY)


async def test_a_thread_that_only_names_its_graph_is_empty(client: LangGraphClient) -> None:
    thread = await client.threads.create(graph_id="steps")
    assert await client.threads.get_state(thread["thread_id"]) == EMPTY


async def test_a_state_has_its_fields_in_order(http: httpx.AsyncClient, walked: str) -> None:
    state = await state_of(http, walked)
    assert list(state) == STATE
    assert (state["values"], state["next"], state["tasks"]) == ({"trail": ["x", "a", "b", "c"]}, [], [])
    assert state["interrupts"] == []


async def test_a_state_names_its_checkpoint_and_the_one_before(http: httpx.AsyncClient, walked: str) -> None:
    state = await state_of(http, walked)
    for name in ("checkpoint", "parent_checkpoint"):
        assert state[name] == {"thread_id": walked, "checkpoint_ns": "", "checkpoint_id": state[f"{name}_id"]}
        UUID(state[f"{name}_id"])
    assert state["parent_checkpoint_id"] < state["checkpoint_id"]


async def test_a_state_says_when_it_was_made(http: httpx.AsyncClient, walked: str) -> None:
    created_at = (await state_of(http, walked))["created_at"]
    assert created_at.endswith("+00:00")
    assert abs(datetime.fromisoformat(created_at) - datetime.now(UTC)) < timedelta(minutes=1)


async def test_a_state_says_which_run_made_it(client: LangGraphClient, http: httpx.AsyncClient, walked: str) -> None:
    metadata = (await state_of(http, walked))["metadata"]
    (run,) = await client.runs.list(walked)
    expected = {
        "graph_id": "steps",
        "assistant_id": run["assistant_id"],
        "run_id": run["run_id"],
        "thread_id": walked,
        "source": "loop",
        "step": 3,
        "parents": {},
        "run_attempt": 1,
        "created_by": "system",
        "own": 1,
    }
    assert metadata == metadata | expected


async def test_a_state_has_the_metadata_of_assistant_thread_and_run(http: httpx.AsyncClient) -> None:
    made = {"graph_id": "steps", "metadata": {"of_assistant": {"deep": [1]}}}
    assistant = (await http.post("/assistants", json=made)).json()["assistant_id"]
    thread_id = (await http.post("/threads", json={"metadata": {"of_thread": [1, {"a": None}], "none": None}})).json()[
        "thread_id"
    ]
    body = {"assistant_id": assistant, "input": {}, "metadata": {"of_run": {"deep": {"er": 1}}}}
    assert (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).status_code == 200
    metadata = (await state_of(http, thread_id))["metadata"]
    expected = {
        "of_assistant": {"deep": [1]},
        "of_thread": [1, {"a": None}],
        "of_run": {"deep": {"er": 1}},
        "none": None,
    }
    assert metadata == metadata | expected
    assert "created_by" not in metadata
    found = (await http.post(f"/threads/{thread_id}/history", json={"metadata": body["metadata"], "limit": 1})).json()
    assert [state["metadata"] for state in found] == [metadata]


async def test_a_state_names_the_version_of_the_api(http: httpx.AsyncClient, walked: str) -> None:
    metadata = (await state_of(http, walked))["metadata"]
    assert metadata["langgraph_api_version"] == (await http.get("/info")).json()["version"]


async def test_a_subgraphs_state_says_where_it_stands(http: httpx.AsyncClient) -> None:
    thread_id = await finish(http, "threads_outer")
    state = await state_of(http, thread_id, subgraphs="true")
    inner = state["tasks"][0]["state"]
    namespace = inner["checkpoint"]["checkpoint_ns"]
    expected = {
        "checkpoint_ns": namespace,
        "checkpoint_map": {"": state["checkpoint_id"]},
        "langgraph_checkpoint_ns": namespace,
        "langgraph_node": "inner",
        "langgraph_path": ["__pregel_pull", "inner"],
        "langgraph_step": 2,
        "langgraph_triggers": ["branch:to:inner"],
    }
    assert inner["metadata"] == inner["metadata"] | expected
    assert not expected.keys() & state["metadata"].keys()


@pytest.mark.parametrize("subgraphs", ["true", "false", "True", "1", "nonsense"])
async def test_subgraphs_changes_nothing_where_there_are_none(
    http: httpx.AsyncClient, walked: str, subgraphs: str
) -> None:
    assert await state_of(http, walked, subgraphs=subgraphs) == await state_of(http, walked)


async def test_a_waiting_task_says_what_it_asks(http: httpx.AsyncClient) -> None:
    thread_id = await finish(http, "threads_asking", notes=["i"])
    state = await state_of(http, thread_id)
    (task,) = state["tasks"]
    assert list(task) == TASK
    (asked,) = state["interrupts"]
    assert list(asked) == ["id", "value"]
    assert asked["value"] == {"question": "which?"}
    expected = {"name": "ask", "path": ["__pregel_pull", "ask"], "error": None, "interrupts": [asked]}
    assert task == task | expected | {"checkpoint": None, "state": None, "result": None}
    assert (state["next"], state["values"]) == (["ask"], {"notes": ["i"]})
    assert (await get(http, thread_id))["interrupts"] == {task["id"]: [asked]}


async def test_a_failed_task_says_its_error(http: httpx.AsyncClient) -> None:
    state = await state_of(http, await finish(http, "threads_failing", notes=["i"]))
    (task,) = state["tasks"]
    assert (task["name"], task["error"]) == ("fail", "ValueError('this node always fails')")
    assert (state["next"], task["interrupts"], task["result"]) == (["fail"], [], None)


async def test_messages_are_read_as_objects(client: LangGraphClient) -> None:
    thread = await client.threads.create()
    await go_on(client, thread["thread_id"], "tokens", {"messages": [{"role": "user", "content": "hi", "id": "u1"}]})
    values = (await client.threads.get_state(thread["thread_id"]))["values"]
    assert isinstance(values, dict)
    human, ai = values["messages"]
    expected: Json = {
        "content": "hi",
        "additional_kwargs": {},
        "response_metadata": {},
        "type": "human",
        "name": None,
        "id": "u1",
    }
    assert human == expected
    assert ai["type"] == "ai"
    assert ai["content"].split() == [f"w{n}" for n in range(100)]
    assert (ai["tool_calls"], ai["invalid_tool_calls"], ai["usage_metadata"]) == ([], [], None)


# --- at a checkpoint --------------------------------------------------------------------------------------------


async def test_each_checkpoint_is_read_by_its_id(http: httpx.AsyncClient, walked: str) -> None:
    for state in await history_of(http, walked):
        response = await http.get(f"/threads/{walked}/state/{state['checkpoint_id']}")
        assert response.status_code == 200
        # It is told as it was asked for: without a namespace.
        named = {"checkpoint_id": state["checkpoint_id"], "thread_id": walked}
        assert response.json() == state | {"checkpoint": named}


async def test_each_checkpoint_is_read_by_its_object(
    client: LangGraphClient, http: httpx.AsyncClient, walked: str
) -> None:
    for state in await history_of(http, walked):
        assert await client.threads.get_state(walked, checkpoint=state["checkpoint"]) == state


async def test_no_checkpoint_means_the_newest(http: httpx.AsyncClient, walked: str) -> None:
    response = await http.post(f"/threads/{walked}/state/checkpoint", json={"checkpoint": {}})
    assert response.json() == await state_of(http, walked)


@pytest.mark.parametrize("checkpoint_id", ["abc", NOBODY, "\N{PILE OF POO}"])
async def test_a_checkpoint_that_is_missing_is_empty_and_named(
    http: httpx.AsyncClient, walked: str, checkpoint_id: str
) -> None:
    expected = EMPTY | {
        "checkpoint": {"checkpoint_id": checkpoint_id, "thread_id": walked},
        "checkpoint_id": checkpoint_id,
    }
    response = await http.get(f"/threads/{walked}/state/{checkpoint_id}")
    assert (response.status_code, response.json()) == (200, expected)
    response = await http.post(
        f"/threads/{walked}/state/checkpoint", json={"checkpoint": {"checkpoint_id": checkpoint_id}}
    )
    assert (response.status_code, response.json()) == (200, expected)


async def test_a_namespace_that_is_missing_is_empty(http: httpx.AsyncClient, walked: str) -> None:
    response = await http.post(f"/threads/{walked}/state/checkpoint", json={"checkpoint": {"checkpoint_ns": "zz"}})
    assert (response.status_code, response.json()) == (200, EMPTY)


async def test_a_nul_in_a_url_finds_nothing(http: httpx.AsyncClient, walked: str) -> None:
    response = await http.get(f"/threads/{walked}/state/%00")
    assert (response.status_code, response.json()["values"]) == (200, {})


async def test_a_checkpoint_never_leads_to_another_thread(http: httpx.AsyncClient, walked: str) -> None:
    other = (await make(http, metadata={"graph_id": "steps"}))["thread_id"]
    checkpoint = (await state_of(http, walked))["checkpoint"]
    response = await http.post(f"/threads/{other}/state/checkpoint", json={"checkpoint": checkpoint})
    assert (response.status_code, response.json()["values"]) == (200, {})
    assert response.json()["checkpoint"]["thread_id"] == other


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, '"checkpoint" is a required property\n\nFailed validating "required" in schema\n\nOn instance:\n    {}'),
        (
            {"checkpoint": 3},
            '3 is not of type "object"\n\nFailed validating "type" in schema["components"]["schemas"]'
            '["CheckpointConfig"]\n\nOn instance["checkpoint"]:\n    3',
        ),
        (
            {"checkpoint": {"checkpoint_id": 3}},
            '3 is not of type "string"\n\nFailed validating "type" in schema["components"]["schemas"]'
            '["CheckpointConfig"]["properties"]["checkpoint_id"]\n\nOn instance["checkpoint"]["checkpoint_id"]:\n    3',
        ),
    ],
    ids=str,
)
async def test_a_checkpoint_that_is_none_is_refused(
    http: httpx.AsyncClient, walked: str, body: Json, detail: str
) -> None:
    response = await http.post(f"/threads/{walked}/state/checkpoint", json=body)
    assert (response.status_code, response.json()) == (422, {"detail": detail})


# --- subgraphs --------------------------------------------------------------------------------------------------


@pytest.fixture
async def nested(http: httpx.AsyncClient) -> str:
    """A thread that waits for an answer within a subgraph."""
    return await finish(http, "threads_outer", notes=["i"])


async def test_a_task_names_its_subgraph_s_checkpoint(http: httpx.AsyncClient, nested: str) -> None:
    (task,) = (await state_of(http, nested))["tasks"]
    assert list(task) == TASK
    assert task["checkpoint"] == {"thread_id": nested, "checkpoint_ns": f"inner:{task['id']}"}
    assert task["state"] is None


async def test_a_task_holds_its_subgraph_s_state_where_that_is_asked_for(http: httpx.AsyncClient, nested: str) -> None:
    (task,) = (await state_of(http, nested, subgraphs="true"))["tasks"]
    inner = task["state"]
    assert task["checkpoint"] is None
    assert list(inner) == STATE
    assert (inner["values"], inner["next"]) == ({"notes": ["i", "before"]}, ["ask"])
    assert [one["name"] for one in inner["tasks"]] == ["ask"]
    assert inner["interrupts"] == task["interrupts"] == inner["tasks"][0]["interrupts"]


async def test_a_subgraph_s_checkpoint_says_where_it_belongs(http: httpx.AsyncClient, nested: str) -> None:
    state = await state_of(http, nested, subgraphs="true")
    (task,) = state["tasks"]
    namespace = f"inner:{task['id']}"
    checkpoint = task["state"]["checkpoint"]
    assert checkpoint == {
        "thread_id": nested,
        "checkpoint_ns": namespace,
        "checkpoint_id": task["state"]["checkpoint_id"],
        "checkpoint_map": {"": state["checkpoint_id"], namespace: task["state"]["checkpoint_id"]},
    }


async def test_a_subgraph_s_state_is_read_by_its_checkpoint(
    client: LangGraphClient, http: httpx.AsyncClient, nested: str
) -> None:
    (task,) = (await state_of(http, nested, subgraphs="true"))["tasks"]
    assert await client.threads.get_state(nested, checkpoint=task["state"]["checkpoint"]) == task["state"]
    namespace = {"checkpoint_ns": task["state"]["checkpoint"]["checkpoint_ns"]}
    response = await http.post(f"/threads/{nested}/state/checkpoint", json={"checkpoint": namespace})
    assert response.json() == task["state"]


async def test_a_subgraph_s_state_can_be_changed(http: httpx.AsyncClient, nested: str) -> None:
    (task,) = (await state_of(http, nested, subgraphs="true"))["tasks"]
    checkpoint = {"checkpoint_ns": task["state"]["checkpoint"]["checkpoint_ns"]}
    changed = await update(http, nested, values={"notes": ["by hand"]}, checkpoint=checkpoint, as_node="ask")
    assert changed["checkpoint"]["checkpoint_ns"] == checkpoint["checkpoint_ns"]
    (after,) = (await state_of(http, nested, subgraphs="true"))["tasks"]
    assert after["state"]["values"] == {"notes": ["i", "before", "by hand"]}
    assert after["state"]["next"] == ["tell"]
    assert after["state"]["checkpoint_id"] == changed["checkpoint_id"]


# --- changing ---------------------------------------------------------------------------------------------------


async def test_an_update_answers_with_its_checkpoint(http: httpx.AsyncClient, walked: str) -> None:
    changed = await update(http, walked, values={"trail": ["u"]})
    assert list(changed) == ["checkpoint", "configurable", "checkpoint_id"]
    assert list(changed["checkpoint"]) == ["thread_id", "checkpoint_ns", "checkpoint_id"]
    assert changed["checkpoint"] == changed["configurable"]
    assert changed["checkpoint"] == (await state_of(http, walked))["checkpoint"]


async def test_an_update_goes_through_the_graph_s_reducers(client: LangGraphClient, walked: str) -> None:
    await client.threads.update_state(walked, {"trail": ["u"], "note": "n"})
    state = await client.threads.get_state(walked)
    assert state["values"] == {"trail": ["x", "a", "b", "c", "u"], "note": "n"}
    assert state["next"] == []


async def test_an_update_says_so_in_the_metadata(http: httpx.AsyncClient, walked: str) -> None:
    before = await state_of(http, walked)
    await update(http, walked, values={"trail": ["u"]})
    state = await state_of(http, walked)
    assert state["metadata"] == {"graph_id": "steps", "thread_id": walked, "source": "update", "step": 4, "parents": {}}
    assert state["parent_checkpoint"] == before["checkpoint"]


async def test_an_update_as_a_node_goes_on_after_it(
    client: LangGraphClient, http: httpx.AsyncClient, walked: str
) -> None:
    await client.threads.update_state(walked, {"trail": ["u"]}, as_node="a")
    state = await state_of(http, walked)
    (task,) = state["tasks"]
    assert state["next"] == ["b"]
    assert task == task | {"name": "b", "result": None, "error": None, "interrupts": []}
    assert await client.runs.wait(walked, "steps") == {"trail": ["x", "a", "b", "c", "u", "b", "c"]}


@pytest.mark.parametrize(("as_node", "status"), [(None, "idle"), ("a", "interrupted"), ("c", "idle")])
async def test_a_thread_shows_its_update(
    http: httpx.AsyncClient, walked: str, as_node: str | None, status: str
) -> None:
    before = await get(http, walked)
    await update(http, walked, values={"trail": ["u"]}, **({"as_node": as_node} if as_node else {}))
    after = await get(http, walked)
    assert after["state_updated_at"] == after["updated_at"] > before["updated_at"]
    changed = {"status": status, "values": {"trail": ["x", "a", "b", "c", "u"]}, "error": None, "interrupts": {}}
    times = {name: after[name] for name in ("updated_at", "state_updated_at")}
    assert after == before | changed | times


async def test_an_update_takes_a_question_back(http: httpx.AsyncClient) -> None:
    thread_id = await finish(http, "threads_asking", notes=["i"])
    await update(http, thread_id, values={"notes": ["u"]})
    thread, state = await get(http, thread_id), await state_of(http, thread_id)
    assert (thread["status"], thread["interrupts"]) == ("interrupted", {})
    assert (state["next"], state["interrupts"]) == (["ask"], [])


async def test_an_update_as_the_waiting_node_passes_it(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id = await finish(http, "threads_asking", notes=["i"])
    await update(http, thread_id, values={"answer": "mine"}, as_node="ask")
    assert await client.runs.wait(thread_id, "threads_asking") == {"notes": ["i", "tell"], "answer": "mine"}


async def test_an_update_takes_an_error_back(http: httpx.AsyncClient) -> None:
    thread_id = await finish(http, "threads_failing", notes=["i"])
    await update(http, thread_id, values={"notes": ["u"]}, as_node="fail")
    thread = await get(http, thread_id)
    assert (thread["status"], thread["error"], thread["values"]) == ("idle", None, {"notes": ["i", "u"]})


async def test_a_first_update_starts_before_the_first_node(http: httpx.AsyncClient) -> None:
    thread_id = (await make(http, metadata={"graph_id": "steps"}))["thread_id"]
    await update(http, thread_id, values={"trail": ["u"]})
    state = await state_of(http, thread_id)
    assert (state["values"], state["next"], state["parent_checkpoint"]) == ({"trail": ["u"]}, ["a"], None)
    assert state["metadata"]["step"] == 0
    assert (await get(http, thread_id))["status"] == "interrupted"


@pytest.mark.parametrize(
    ("as_node", "values", "following"),
    [
        ("__start__", {"trail": ["x", "a", "b", "c", "u"]}, ["a"]),
        ("__input__", {"trail": ["x", "a", "b", "c"]}, ["__start__"]),
    ],
)
async def test_an_update_can_be_input(
    http: httpx.AsyncClient, walked: str, as_node: str, values: Json, following: list[str]
) -> None:
    await update(http, walked, values={"trail": ["u"]}, as_node=as_node)
    state = await state_of(http, walked)
    assert (state["values"], state["next"]) == (values, following)


async def test_null_values_as_the_end_clear_what_is_next(http: httpx.AsyncClient, walked: str) -> None:
    await update(http, walked, values={"trail": []}, as_node="a")
    await update(http, walked, values=None, as_node="__end__")
    assert (await state_of(http, walked))["next"] == []
    assert (await get(http, walked))["status"] == "idle"


@pytest.mark.parametrize("body", [{}, {"values": None}, {"values": {"unknown": 1}, "as_node": "c"}], ids=str)
async def test_an_update_of_nothing_is_a_checkpoint_all_the_same(
    http: httpx.AsyncClient, walked: str, body: Json
) -> None:
    before = await state_of(http, walked)
    await update(http, walked, **body)
    after = await state_of(http, walked)
    assert (after["values"], after["parent_checkpoint"]) == (before["values"], before["checkpoint"])


@pytest.mark.parametrize("how", ["checkpoint", "checkpoint_id"])
async def test_an_update_at_a_checkpoint_branches_off(http: httpx.AsyncClient, walked: str, how: str) -> None:
    (old,) = [state for state in await history_of(http, walked) if state["values"] == {"trail": ["x", "a"]}]
    await update(http, walked, values={"trail": ["fork"]}, as_node="b", **{how: old[how]})
    state = await state_of(http, walked)
    assert (state["values"], state["next"]) == ({"trail": ["x", "a", "fork"]}, ["c"])
    assert state["parent_checkpoint"] == old["checkpoint"]


async def test_a_copied_checkpoint_runs_again_from_there(
    client: LangGraphClient, http: httpx.AsyncClient, walked: str
) -> None:
    (old,) = [state for state in await history_of(http, walked) if state["values"] == {"trail": ["x", "a"]}]
    changed = await update(http, walked, values=None, as_node="__copy__", checkpoint=old["checkpoint"])
    state = await state_of(http, walked)
    assert (state["values"], state["next"]) == (old["values"], old["next"])
    assert state["parent_checkpoint"] == old["parent_checkpoint"]
    assert state["checkpoint_id"] == changed["checkpoint_id"] != old["checkpoint_id"]
    assert state["metadata"]["source"] == "fork"
    assert await client.runs.wait(walked, "steps") == {"trail": ["x", "a", "b", "c"]}


async def test_a_copy_can_carry_updates_of_its_tasks(http: httpx.AsyncClient, walked: str) -> None:
    (old,) = [state for state in await history_of(http, walked) if state["values"] == {"trail": ["x", "a"]}]
    values = [[{"trail": ["B"]}, "b"]]
    await update(http, walked, values=values, as_node="__copy__", checkpoint=old["checkpoint"])
    state = await state_of(http, walked)
    assert (state["values"], state["next"]) == ({"trail": ["x", "a", "B"]}, ["c"])


async def test_an_update_at_a_checkpoint_that_is_missing_starts_afresh(http: httpx.AsyncClient, walked: str) -> None:
    await update(http, walked, values={"trail": ["g"]}, checkpoint={"checkpoint_id": NOBODY})
    state = await state_of(http, walked)
    assert (state["values"], state["next"]) == ({"trail": ["g"]}, ["a"])


async def test_an_update_stays_on_its_thread(http: httpx.AsyncClient, walked: str) -> None:
    other = (await make(http, metadata={"graph_id": "steps"}))["thread_id"]
    checkpoint = (await state_of(http, walked))["checkpoint"]
    await update(http, other, values={"trail": ["u"]}, checkpoint=checkpoint, as_node="a")
    assert (await state_of(http, walked))["checkpoint"] == checkpoint
    assert (await state_of(http, other))["values"] == {"trail": ["u"]}


async def test_metadata_decides_the_graph(http: httpx.AsyncClient, walked: str) -> None:
    await http.patch(f"/threads/{walked}", json={"metadata": {"graph_id": "threads_asking"}})
    assert (await state_of(http, walked))["values"] == {"notes": []}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"values": {"trail": ["u"]}, "as_node": "nope"}, "Node nope does not exist"),
        ({"values": {"trail": ["u"]}, "as_node": ""}, "Node  does not exist"),
        ({"values": {}, "checkpoint": {"checkpoint_ns": "zz"}}, "Subgraph zz not found"),
        ({"values": [], "as_node": "a"}, f"Expected dict, got []{TROUBLE}"),
        ({"values": [{"trail": ["u"]}], "as_node": "a"}, f"Expected dict, got [{{'trail': ['u']}}]{TROUBLE}"),
        ({"values": [3], "as_node": "__copy__"}, "Invalid update item: 3 when copying checkpoint"),
    ],
    ids=str,
)
async def test_an_update_that_does_not_fit_the_graph_is_refused(
    http: httpx.AsyncClient, walked: str, body: Json, detail: str
) -> None:
    before = await get(http, walked)
    assert await refused(http, walked, **body) == (400, detail)
    assert await get(http, walked) == before


async def test_nothing_cannot_be_copied(http: httpx.AsyncClient) -> None:
    thread_id = (await make(http, metadata={"graph_id": "steps"}))["thread_id"]
    answer = await refused(http, thread_id, values=None, as_node="__copy__")
    assert answer == (400, "Cannot copy a non-existent checkpoint")


@pytest.mark.ours_only("answers 500")
@pytest.mark.parametrize("trail", ["text", 4, None, {"a": 1}])
async def test_a_value_that_a_reducer_does_not_take_is_refused(
    http: httpx.AsyncClient, walked: str, trail: Any
) -> None:
    status, _ = await refused(http, walked, values={"trail": trail}, as_node="a")
    assert status == 400
    assert (await state_of(http, walked))["values"] == {"trail": ["x", "a", "b", "c"]}


@pytest.mark.ours_only("answers 500")
@pytest.mark.parametrize("messages", [True, 3, [None], [[]], {"role": "user", "content": {"a": 1}}], ids=str)
async def test_messages_that_are_none_are_refused(http: httpx.AsyncClient, messages: Any) -> None:
    thread_id = (await make(http, metadata={"graph_id": "tokens"}))["thread_id"]
    status, _ = await refused(http, thread_id, values={"messages": messages})
    assert status == 400
    assert await state_of(http, thread_id) == EMPTY


@pytest.mark.parametrize(
    ("message", "start"),
    [
        ({"bad": 1}, "Message dict must contain 'role' and 'content' keys, got {'bad': 1}"),
        ({"role": "zz", "content": "x"}, "Unexpected message type: 'zz'."),
        (
            {"type": "remove", "content": "", "id": "nope"},
            "Attempting to delete a message with an ID that doesn't exist",
        ),
    ],
    ids=str,
)
async def test_a_message_that_is_none_is_refused(http: httpx.AsyncClient, message: Json, start: str) -> None:
    thread_id = (await make(http, metadata={"graph_id": "tokens"}))["thread_id"]
    status, detail = await refused(http, thread_id, values={"messages": [message]})
    assert status == 400
    assert detail.startswith(start)


@pytest.mark.parametrize(
    ("body", "start"),
    [
        ({"values": 3}, "3 is not valid under any of the schemas listed in the 'anyOf' keyword"),
        ({"values": "x"}, "\"x\" is not valid under any of the schemas listed in the 'anyOf' keyword"),
        ({"as_node": 3}, '3 is not of type "string"'),
        ({"as_node": None}, 'null is not of type "string"'),
        ({"checkpoint": None}, 'null is not of type "object"'),
        ({"checkpoint": {"checkpoint_id": 3}}, '3 is not of type "string"'),
    ],
    ids=str,
)
async def test_an_update_that_is_none_is_refused(http: httpx.AsyncClient, walked: str, body: Json, start: str) -> None:
    status, detail = await refused(http, walked, **body)
    assert status == 422
    assert detail.startswith(start)


async def test_a_thread_without_a_graph_takes_no_update(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id = (await make(http))["thread_id"]
    status, detail = await refused(http, thread_id, values={"a": 1})
    assert status == 400
    assert detail == (
        f"Thread '{thread_id}' has no assigned graph ID. This usually occurs when no runs have been made on this "
        "particular thread. This operation requires a graph ID. Please ensure a run has been made for the thread or "
        "manually update the thread metadata (by setting the 'graph_id' field) before running this operation."
    )
    with pytest.raises(BadRequestError):
        await client.threads.update_state(thread_id, {"a": 1})


@pytest.mark.parametrize("path", ["/state", "/history"])
async def test_a_graph_that_is_not_served_is_told_with_those_that_are(http: httpx.AsyncClient, path: str) -> None:
    thread_id = (await make(http, metadata={"graph_id": "nope"}))["thread_id"]
    response = await http.get(f"/threads/{thread_id}{path}")
    assert response.status_code == 404
    assert response.json()["detail"].startswith("Graph 'nope' not found. Expected one of: [")
    assert await refused(http, thread_id, values={}) == (404, response.json()["detail"])


@pytest.mark.parametrize(
    "body", [{"values": {"notes": ["u"]}, "as_node": "wait"}, {"values": None, "as_node": "__copy__"}], ids=str
)
async def test_a_busy_thread_takes_no_update(http: httpx.AsyncClient, body: Json) -> None:
    thread_id = await busy(http)
    status, detail = await refused(http, thread_id, **body)
    assert status == 409
    assert detail.startswith(f"Thread {thread_id} has in-flight runs: [")


async def test_a_serialised_object_in_an_update_stays_plain_data(http: httpx.AsyncClient, walked: str) -> None:
    odd = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain_core", "messages", "HumanMessage"],
        "kwargs": {"content": "x"},
    }
    await update(http, walked, values={"note": odd})
    assert (await state_of(http, walked))["values"]["note"] == odd
    assert (await get(http, walked))["values"]["note"] == odd


@pytest.mark.parametrize("value", [None, True, 0.1, -0.0, 2**53, "\u2028 \N{PILE OF POO}", {"": []}, [[[]]]], ids=repr)
async def test_a_value_comes_back_as_it_was_given(http: httpx.AsyncClient, walked: str, value: object) -> None:
    await update(http, walked, values={"note": value})
    assert (await state_of(http, walked))["values"]["note"] == value
    assert (await get(http, walked))["values"]["note"] == value


def test_the_synchronous_client_reads_and_changes(sync_client: SyncLangGraphClient) -> None:
    thread_id = sync_client.threads.create(graph_id="steps")["thread_id"]
    sync_client.threads.update_state(thread_id, {"trail": ["u"]}, as_node="a")
    state = sync_client.threads.get_state(thread_id, subgraphs=True)
    assert (state["values"], state["next"]) == ({"trail": ["u"]}, ["b"])
    again = sync_client.threads.get_state(thread_id, checkpoint_id=str(state["checkpoint"]["checkpoint_id"]))
    assert again["values"] == state["values"]


# --- parts of a state -------------------------------------------------------------------------------------------


@pytest.mark.ours_only("gives the whole state")
@pytest.mark.parametrize(
    ("select", "fields"),
    [
        (["values"], ["values"]),
        (["next", "values"], ["values", "next"]),
        (["checkpoint", "metadata"], ["metadata", "checkpoint"]),
        (
            ["tasks", "interrupts", "created_at", "parent_checkpoint"],
            ["tasks", "created_at", "parent_checkpoint", "interrupts"],
        ),
    ],
    ids=str,
)
async def test_select_gives_parts_of_a_state(
    client: LangGraphClient, http: httpx.AsyncClient, walked: str, select: list[str], fields: list[str]
) -> None:
    whole = await state_of(http, walked)
    for asked in ({}, {"checkpoint_id": whole["checkpoint_id"]}, {"checkpoint": whole["checkpoint"]}):
        chosen = await client.threads.get_state(walked, select=select, **asked)
        assert list(chosen) == fields
        assert {**chosen, "checkpoint": None} == {**{name: whole[name] for name in fields}, "checkpoint": None}


@pytest.mark.ours_only("gives the whole state")
async def test_select_gives_single_values(client: LangGraphClient, http: httpx.AsyncClient, walked: str) -> None:
    await update(http, walked, values={"note": "n"})
    chosen = await client.threads.get_state(walked, select=["values.note", "values.missing", "next"])
    assert dict(chosen) == {"values": {"note": "n"}, "next": []}


@pytest.mark.ours_only("gives the whole state")
async def test_a_part_that_states_do_not_have_is_refused(http: httpx.AsyncClient, walked: str) -> None:
    response = await http.get(f"/threads/{walked}/state", params={"select": "secrets"})
    assert response.status_code == 422
    assert "Invalid select field 'secrets'" in response.json()["detail"]
