"""The history of a thread: its states, newest first, by page, by metadata and of its subgraphs."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient

from tests.acceptance.protocol.test_thread_state import STATE, TASK, history_of, state_of
from tests.acceptance.protocol.test_threads import NOBODY, Json, finish, go_on, make

TRAILS = [["x", "a", "b", "c"], ["x", "a", "b"], ["x", "a"], ["x"], []]


@pytest.fixture
async def walked(http: httpx.AsyncClient) -> str:
    """A thread on which `steps` has run once: five checkpoints."""
    return await finish(http, "steps", {"own": 1}, trail=["x"])


async def listed(http: httpx.AsyncClient, thread_id: str, **body: Any) -> list[Json]:
    response = await http.post(f"/threads/{thread_id}/history", json=body)
    assert response.status_code == 200, response.text
    states: list[Json] = response.json()
    return states


async def test_a_history_is_newest_first(http: httpx.AsyncClient, walked: str) -> None:
    states = await history_of(http, walked)
    assert [state["values"]["trail"] for state in states] == TRAILS
    assert [state["next"] for state in states] == [[], ["c"], ["b"], ["a"], ["__start__"]]
    assert [state["metadata"]["step"] for state in states] == [3, 2, 1, 0, -1]
    assert [state["metadata"]["source"] for state in states] == ["loop"] * 4 + ["input"]


async def test_each_state_of_a_history_has_its_fields_in_order(http: httpx.AsyncClient, walked: str) -> None:
    for state in await history_of(http, walked):
        assert list(state) == STATE
        assert [list(task) for task in state["tasks"]] == [TASK] * len(state["tasks"])


async def test_each_state_is_the_child_of_the_next(http: httpx.AsyncClient, walked: str) -> None:
    states = await history_of(http, walked)
    assert [state["parent_checkpoint"] for state in states] == [state["checkpoint"] for state in states[1:]] + [None]
    assert states[-1]["parent_checkpoint_id"] is None


async def test_a_history_says_what_each_task_wrote(http: httpx.AsyncClient, walked: str) -> None:
    tasks = [task for state in await history_of(http, walked) for task in state["tasks"]]
    assert [(task["name"], task["result"]) for task in tasks] == [
        ("c", {"trail": ["c"]}),
        ("b", {"trail": ["b"]}),
        ("a", {"trail": ["a"]}),
        ("__start__", {"trail": ["x"]}),
    ]
    assert [task["path"] for task in tasks] == [["__pregel_pull", task["name"]] for task in tasks]
    assert len({task["id"] for task in tasks}) == 4


async def test_the_first_of_a_history_is_the_state(http: httpx.AsyncClient, walked: str) -> None:
    assert (await history_of(http, walked))[0] == await state_of(http, walked)


async def test_a_second_run_goes_on_where_the_first_ended(client: LangGraphClient, walked: str) -> None:
    await go_on(client, walked, "steps", {"trail": ["y"]})
    states = await client.threads.get_history(walked, limit=20)
    assert len(states) == 10
    assert [(state["metadata"] or {})["step"] for state in states] == [8, 7, 6, 5, 4, 3, 2, 1, 0, -1]
    runs = [(state["metadata"] or {})["run_id"] for state in states]
    assert runs == [runs[0]] * 5 + [runs[5]] * 5
    assert runs[0] != runs[5]


async def test_the_history_of_an_unused_thread_is_empty(http: httpx.AsyncClient) -> None:
    thread_id = (await make(http))["thread_id"]
    assert await history_of(http, thread_id) == []
    assert await listed(http, thread_id) == []


async def test_a_get_without_a_limit_gives_one_state(http: httpx.AsyncClient, walked: str) -> None:
    assert len((await http.get(f"/threads/{walked}/history")).json()) == 1


async def test_a_post_without_a_limit_gives_one_state(http: httpx.AsyncClient, walked: str) -> None:
    assert len(await listed(http, walked)) == 1


async def test_the_sdk_asks_for_ten_states(client: LangGraphClient, walked: str) -> None:
    await go_on(client, walked, "steps", {"trail": ["y"]})
    await go_on(client, walked, "steps", {"trail": ["z"]})
    assert len(await client.threads.get_history(walked)) == 10


@pytest.mark.parametrize(
    ("limit", "count"), [("0", 0), ("-1", 0), ("1", 1), ("3", 3), ("5", 5), ("1000", 5), ("5000", 5)]
)
async def test_a_limit_in_the_url_bounds_the_history(
    http: httpx.AsyncClient, walked: str, limit: str, count: int
) -> None:
    response = await http.get(f"/threads/{walked}/history", params={"limit": limit})
    assert (response.status_code, len(response.json())) == (200, count)


@pytest.mark.parametrize("limit", ["abc", "", "1.5"])
async def test_a_limit_that_is_no_number_is_refused(http: httpx.AsyncClient, walked: str, limit: str) -> None:
    response = await http.get(f"/threads/{walked}/history", params={"limit": limit})
    assert (response.status_code, response.json()) == (422, {"detail": f"Invalid limit {limit}"})


@pytest.mark.parametrize(
    ("body", "start"),
    [
        ({"limit": 0}, "0 is less than the minimum of 1"),
        ({"limit": 1001}, "1001 is greater than the maximum of 1000"),
        ({"limit": "5"}, '"5" is not of type "integer"'),
        ({"metadata": []}, '[] is not of type "object"'),
        ({"before": "x"}, '"x" is not of type "object"'),
        ({"checkpoint": 1}, '1 is not of type "object"'),
    ],
    ids=str,
)
async def test_a_body_that_is_none_is_refused(http: httpx.AsyncClient, walked: str, body: Json, start: str) -> None:
    response = await http.post(f"/threads/{walked}/history", json=body)
    assert response.status_code == 422
    assert response.json()["detail"].startswith(start)


async def test_a_get_goes_on_before_a_checkpoint(http: httpx.AsyncClient, walked: str) -> None:
    states = await history_of(http, walked)
    for place, state in enumerate(states):
        params = {"limit": "50", "before": state["checkpoint_id"]}
        response = await http.get(f"/threads/{walked}/history", params=params)
        assert response.json() == states[place + 1 :]


async def test_an_empty_before_means_none(http: httpx.AsyncClient, walked: str) -> None:
    response = await http.get(f"/threads/{walked}/history", params={"limit": "50", "before": ""})
    assert response.json() == await history_of(http, walked)


@pytest.mark.parametrize("before", ["%00", "%ed%a0%80", "zzz", "%F0%9F%92%A9"])
async def test_an_odd_before_is_a_place_like_another(http: httpx.AsyncClient, walked: str, before: str) -> None:
    assert (await http.get(f"/threads/{walked}/history?before={before}")).status_code == 200


async def test_a_post_goes_on_before_a_configuration(http: httpx.AsyncClient, walked: str) -> None:
    states = await history_of(http, walked)
    before = {"configurable": {"checkpoint_id": states[1]["checkpoint_id"]}}
    assert await listed(http, walked, limit=50, before=before) == states[2:]


@pytest.mark.ours_only("answers 500")
async def test_a_post_goes_on_before_a_checkpoint(
    client: LangGraphClient, http: httpx.AsyncClient, walked: str
) -> None:
    states = await history_of(http, walked)
    assert await client.threads.get_history(walked, limit=50, before=states[1]["checkpoint"]) == states[2:]


@pytest.mark.parametrize(
    ("metadata", "trails"),
    [
        ({"step": 1}, [["x", "a"]]),
        ({"source": "input"}, [[]]),
        ({"source": "loop", "step": 2}, [["x", "a", "b"]]),
        ({"own": 1}, TRAILS),
        ({"own": 2}, []),
        ({"graph_id": "steps"}, TRAILS),
    ],
    ids=str,
)
async def test_a_history_is_searched_by_metadata(
    client: LangGraphClient, walked: str, metadata: Json, trails: list[list[str]]
) -> None:
    states: list[Any] = await client.threads.get_history(walked, limit=50, metadata=metadata)
    assert [state["values"]["trail"] for state in states] == trails


async def test_a_checkpoint_gives_itself_alone(http: httpx.AsyncClient, walked: str) -> None:
    states = await history_of(http, walked)
    checkpoint = {"checkpoint_id": states[2]["checkpoint_id"]}
    assert await listed(http, walked, limit=50, checkpoint=checkpoint) == [states[2]]
    assert await listed(http, walked, limit=50, checkpoint={"checkpoint_id": NOBODY}) == []


async def test_a_namespace_that_is_missing_has_no_history(http: httpx.AsyncClient, walked: str) -> None:
    assert await listed(http, walked, limit=50, checkpoint={"checkpoint_ns": "zz"}) == []


async def test_a_history_never_leads_to_another_thread(http: httpx.AsyncClient, walked: str) -> None:
    other = (await make(http, metadata={"graph_id": "steps"}))["thread_id"]
    assert await listed(http, other, limit=50, checkpoint={"thread_id": walked}) == []
    assert await listed(http, walked, limit=50, checkpoint={"thread_id": other}) == await history_of(http, walked)


async def test_a_subgraph_has_a_history_of_its_own(http: httpx.AsyncClient) -> None:
    thread_id = await finish(http, "threads_outer", notes=["i"])
    (task,) = (await state_of(http, thread_id, subgraphs="true"))["tasks"]
    checkpoint = {"checkpoint_ns": task["state"]["checkpoint"]["checkpoint_ns"]}
    states = await listed(http, thread_id, limit=50, checkpoint=checkpoint)
    assert states[0] == task["state"]
    assert [state["values"]["notes"] for state in states] == [["i", "before"], []]
    assert [state["next"] for state in states] == [["ask"], ["__start__"]]
    assert [len(state["checkpoint"]["checkpoint_map"]) for state in states] == [2, 2]


async def test_the_history_around_a_subgraph_leaves_its_states_out(http: httpx.AsyncClient) -> None:
    thread_id = await finish(http, "threads_outer", notes=["i"])
    states = await history_of(http, thread_id)
    assert [state["next"] for state in states] == [["inner"], ["before"], ["__start__"]]
    assert states[0]["tasks"][0]["state"] is None
    assert states[0]["tasks"][0]["checkpoint"]["checkpoint_ns"].startswith("inner:")


async def test_answered_questions_stay_in_the_history(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id = await finish(http, "threads_asking", notes=["i"])
    await client.runs.wait(thread_id, "threads_asking", command={"resume": "this"})
    states = await history_of(http, thread_id)
    (asked,) = [state for state in states if state["next"] == ["ask"]]
    assert [one["value"] for one in asked["interrupts"]] == [{"question": "which?"}]
    assert asked["tasks"][0]["result"] == {"notes": ["ask"], "answer": "this"}


@pytest.mark.ours_only("gives whole states")
async def test_select_gives_parts_of_each_state(client: LangGraphClient, walked: str) -> None:
    states: list[Any] = await client.threads.get_history(walked, limit=2, select=["next", "values.trail"])
    assert states == [{"values": {"trail": TRAILS[0]}, "next": []}, {"values": {"trail": TRAILS[1]}, "next": ["c"]}]


def test_the_synchronous_client_reads_a_history(sync_client: SyncLangGraphClient) -> None:
    thread_id = sync_client.threads.create()["thread_id"]
    given: Json = {"trail": ["x"]}
    sync_client.runs.wait(thread_id, "steps", input=given)
    states: list[Any] = sync_client.threads.get_history(thread_id)
    assert [state["values"]["trail"] for state in states] == TRAILS
