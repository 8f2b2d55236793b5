"""Threads as clients of the Agent Server know them: made, changed, searched, counted, copied, pruned, deleted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient
from langgraph_sdk.errors import BadRequestError, ConflictError, NotFoundError, UnprocessableEntityError

from tests.acceptance.protocol.servers import Kind

Json = dict[str, Any]

NEW = ["thread_id", "created_at", "updated_at", "state_updated_at", "metadata", "status", "config", "values"]
"""Fields of a thread that nothing has run on, in order."""
USED = [*NEW, "error", "interrupts"]
NOBODY = "00000000-0000-4000-8000-00000000dead"
NO_UUID = {"detail": "Invalid thread ID: must be a UUID"}
UNKNOWN = {"detail": f"Thread with ID {NOBODY} not found"}
NO_JSON = {"detail": "Invalid JSON in request body"}


def told(error: str, keyword: str, where: str, value: str, schema: str | None = None) -> Json:
    """The body about one that its schema refuses; `schema` where that is not simply the property `where`."""
    place = f'["properties"]["{where}"]' if schema is None else schema
    return {
        "detail": f'{error}\n\nFailed validating "{keyword}" in schema{place}\n\nOn instance["{where}"]:\n    {value}'
    }


async def make(http: httpx.AsyncClient, **body: Any) -> Json:
    response = await http.post("/threads", json=body)
    assert response.status_code == 200, response.text
    made: Json = response.json()
    return made


async def get(http: httpx.AsyncClient, thread_id: str) -> Json:
    response = await http.get(f"/threads/{thread_id}")
    assert response.status_code == 200, response.text
    found: Json = response.json()
    return found


async def finish(http: httpx.AsyncClient, graph: str, /, metadata: Json | None = None, **given: Any) -> str:
    """The id of a new thread on which one run has ended."""
    thread_id: str = (await make(http, metadata=metadata or {}))["thread_id"]
    response = await http.post(f"/threads/{thread_id}/runs/wait", json={"assistant_id": graph, "input": given})
    assert response.status_code == 200, response.text
    return thread_id


async def go_on(client: LangGraphClient, thread_id: str, graph: str, given: Json) -> Any:
    """What another run on a thread ends with."""
    return await client.runs.wait(thread_id, graph, input=given)


async def busy(http: httpx.AsyncClient, seconds: float = 5.0) -> str:
    """The id of a new thread on which a run has begun that takes this long."""
    thread_id: str = (await make(http))["thread_id"]
    body = {"assistant_id": "threads_waiting", "input": {"seconds": seconds}}
    response = await http.post(f"/threads/{thread_id}/runs", json=body)
    assert response.status_code == 200, response.text
    return thread_id


async def search(http: httpx.AsyncClient, **body: Any) -> httpx.Response:
    response = await http.post("/threads/search", json=body)
    assert response.status_code == 200, response.text
    return response


# --- making -----------------------------------------------------------------------------------------------------


async def test_a_new_thread_has_its_fields_in_order_and_nothing_in_it(http: httpx.AsyncClient) -> None:
    made = await make(http)
    assert list(made) == NEW
    assert made == made | {"metadata": {}, "status": "idle", "config": {}, "values": None}


async def test_times_of_a_new_thread_are_one_moment_in_utc_with_microseconds(http: httpx.AsyncClient) -> None:
    made = await make(http)
    assert made["created_at"] == made["updated_at"] == made["state_updated_at"]
    assert made["created_at"].endswith("+00:00")
    assert len(made["created_at"]) == len("2026-01-01T00:00:00.000000+00:00")
    assert abs(datetime.fromisoformat(made["created_at"]) - datetime.now(UTC)) < timedelta(minutes=1)


async def test_ids_that_the_server_draws_grow_with_time(http: httpx.AsyncClient) -> None:
    ids = [(await make(http))["thread_id"] for _ in range(3)]
    assert ids == sorted(ids)
    assert {UUID(one).version for one in ids} == {7}


async def test_a_client_may_choose_the_id(client: LangGraphClient) -> None:
    chosen = str(uuid4())
    assert (await client.threads.create(thread_id=chosen))["thread_id"] == chosen


async def test_a_chosen_id_is_told_in_the_usual_spelling(http: httpx.AsyncClient) -> None:
    chosen = uuid4()
    assert (await make(http, thread_id=chosen.hex.upper()))["thread_id"] == str(chosen)


async def test_metadata_comes_back_as_it_was_given(client: LangGraphClient) -> None:
    given = {"user": "Ü", "deep": {"list": [1, 2.5, None, True, {"a": "b"}]}, "empty": {}}
    made = await client.threads.create(metadata=given)
    assert made["metadata"] == given


async def test_a_graph_id_becomes_metadata(client: LangGraphClient) -> None:
    made = await client.threads.create(graph_id="steps", metadata={"a": 1})
    assert made["metadata"] == {"a": 1, "graph_id": "steps"}


async def test_a_serialised_object_in_metadata_stays_plain_data(http: httpx.AsyncClient) -> None:
    odd = {
        "lc": 1,
        "type": "constructor",
        "id": ["langchain_core", "messages", "HumanMessage"],
        "kwargs": {"content": "x"},
    }
    assert (await make(http, metadata={"odd": odd}))["metadata"] == {"odd": odd}


async def test_an_id_in_use_is_refused(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id = (await make(http))["thread_id"]
    response = await http.post("/threads", json={"thread_id": thread_id})
    assert (response.status_code, response.json()) == (409, {"detail": f"Thread with ID {thread_id} already exists"})
    with pytest.raises(ConflictError):
        await client.threads.create(thread_id=thread_id, if_exists="raise")


async def test_do_nothing_gives_the_thread_that_is_there_unchanged(client: LangGraphClient) -> None:
    made = await client.threads.create(metadata={"a": 1})
    again = await client.threads.create(thread_id=made["thread_id"], metadata={"b": 2}, if_exists="do_nothing")
    assert again == made


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"thread_id": "nope"}, NO_UUID),
        ({"thread_id": None}, told('null is not of type "string"', "type", "thread_id", "null")),
        ({"metadata": None}, told('null is not of type "object"', "type", "metadata", "null")),
        ({"metadata": [1]}, told('[1] is not of type "object"', "type", "metadata", "[1]")),
        ({"if_exists": "x"}, told('"x" is not one of "raise" or "do_nothing"', "enum", "if_exists", '"x"')),
        ({"ttl": 5}, told('5 is not of type "object"', "type", "ttl", "5")),
        ({"supersteps": 5}, told('5 is not of type "array"', "type", "supersteps", "5")),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_body_that_is_none_is_refused(http: httpx.AsyncClient, body: Json, answer: Json) -> None:
    response = await http.post("/threads", json=body)
    assert (response.status_code, response.json()) == (422, answer)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b'{"metadata": {"a": NaN}}', b'{"metadata": {"a": "\\ud800"}}', b'{"metadata": {"a": 1e400}}']
)
async def test_what_is_no_json_is_refused(http: httpx.AsyncClient, raw: bytes) -> None:
    response = await http.post("/threads", content=raw, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()) == (422, NO_JSON)


async def test_a_list_is_no_thread(http: httpx.AsyncClient) -> None:
    response = await http.post("/threads", json=[])
    detail = '[] is not of type "object"\n\nFailed validating "type" in schema\n\nOn instance:\n    []'
    assert (response.status_code, response.json()) == (422, {"detail": detail})


async def test_a_lifetime_is_taken(client: LangGraphClient) -> None:
    made = await client.threads.create(ttl=60)
    assert list(made) == NEW


@pytest.mark.parametrize(
    ("ttl", "error", "where"),
    [
        ({"ttl": 5, "strategy": "x"}, '"x" is not one of "delete" or "keep_latest"', "strategy"),
        ({"ttl": "5"}, '"5" is not of type "number"', "ttl"),
    ],
)
async def test_a_lifetime_that_is_none_is_refused(http: httpx.AsyncClient, ttl: Json, error: str, where: str) -> None:
    response = await http.post("/threads", json={"ttl": ttl})
    assert response.status_code == 422
    assert response.json()["detail"].startswith(error)
    assert f'On instance["ttl"]["{where}"]' in response.json()["detail"]


@pytest.mark.ours_only("keeps no lifetimes")
async def test_a_lifetime_is_told_where_it_is_asked_for(client: LangGraphClient) -> None:
    made = await client.threads.create(ttl={"ttl": 30, "strategy": "keep_latest"})
    found = await client.threads.get(made["thread_id"], include=["ttl"])
    ttl = dict(found)["ttl"]
    assert isinstance(ttl, dict)
    assert list(ttl) == ["strategy", "ttl_minutes", "expires_at"]
    assert (ttl["strategy"], ttl["ttl_minutes"]) == ("keep_latest", 30)
    assert datetime.fromisoformat(ttl["expires_at"]) - datetime.fromisoformat(str(made["created_at"])) == timedelta(
        minutes=30
    )


@pytest.mark.ours_only("keeps no lifetimes")
async def test_a_patch_replaces_a_lifetime(client: LangGraphClient) -> None:
    made = await client.threads.create(ttl=30)
    await client.threads.update(made["thread_id"], metadata={}, ttl={"ttl": 5, "strategy": "delete"})
    found = await client.threads.get(made["thread_id"], include=["ttl"])
    assert dict(found)["ttl"] == {**dict(found)["ttl"], "ttl_minutes": 5, "strategy": "delete"}  # type: ignore[dict-item]


@pytest.mark.ours_only("takes it and keeps nothing")
@pytest.mark.parametrize("minutes", [0, -1, 1e300])
async def test_a_lifetime_without_time_is_refused(http: httpx.AsyncClient, minutes: float) -> None:
    assert (await http.post("/threads", json={"ttl": {"ttl": minutes}})).status_code == 422


# --- one thread -------------------------------------------------------------------------------------------------


async def test_a_thread_is_found_by_its_id(client: LangGraphClient) -> None:
    made = await client.threads.create(metadata={"a": 1})
    assert await client.threads.get(made["thread_id"]) == made


async def test_an_id_is_found_in_any_spelling(http: httpx.AsyncClient) -> None:
    made = await make(http)
    for spelling in (made["thread_id"].upper(), made["thread_id"].replace("-", "")):
        assert await get(http, spelling) == made


@pytest.mark.parametrize("include", ["", "ttl", "unknown", "ttl,unknown"])
async def test_include_hurts_no_thread_without_a_lifetime(http: httpx.AsyncClient, include: str) -> None:
    made = await make(http)
    response = await http.get(f"/threads/{made['thread_id']}", params={"include": include})
    assert (response.status_code, response.json()) == (200, made)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/state"),
        ("GET", "/state/abc"),
        ("GET", "/history"),
        ("GET", "/storage"),
        ("POST", "/state"),
        ("POST", "/state/checkpoint"),
        ("POST", "/history"),
    ],
)
async def test_an_unknown_thread_is_told_by_its_id(http: httpx.AsyncClient, method: str, path: str) -> None:
    body: Json | None = {"values": {}, "checkpoint": {}} if method == "POST" else None
    response = await http.request(method, f"/threads/{NOBODY}{path}", json=body)
    assert (response.status_code, response.json()) == (404, UNKNOWN)


async def test_a_patch_of_an_unknown_thread_is_told_in_two_words(http: httpx.AsyncClient) -> None:
    response = await http.patch(f"/threads/{NOBODY}", json={"metadata": {}})
    assert (response.status_code, response.json()) == (404, {"detail": "Not Found"})


async def test_a_copy_of_an_unknown_thread_is_a_conflict(http: httpx.AsyncClient) -> None:
    response = await http.post(f"/threads/{NOBODY}/copy")
    assert (response.status_code, response.json()) == (409, {"detail": "Conflict"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/state"),
        ("GET", "/state/abc"),
        ("GET", "/history"),
        ("GET", "/storage"),
        ("POST", "/state"),
        ("POST", "/state/checkpoint"),
        ("POST", "/history"),
    ],
)
@pytest.mark.parametrize("name", ["nope", "search", "123"])
async def test_an_id_that_is_no_uuid_is_refused(http: httpx.AsyncClient, method: str, path: str, name: str) -> None:
    body: Json | None = {"values": {}, "checkpoint": {}} if method in ("POST", "PATCH") else None
    response = await http.request(method, f"/threads/{name}{path}", json=body)
    assert (response.status_code, response.json()) == (422, NO_UUID)


async def test_a_copy_says_in_its_own_words_that_an_id_is_no_uuid(http: httpx.AsyncClient) -> None:
    response = await http.post("/threads/nope/copy")
    assert (response.status_code, response.json()) == (400, {"detail": "badly formed hexadecimal UUID string"})


@pytest.mark.parametrize(("method", "path"), [("PUT", "/threads/{id}"), ("GET", "/threads"), ("DELETE", "/threads")])
async def test_other_methods_are_not_allowed(http: httpx.AsyncClient, method: str, path: str) -> None:
    response = await http.request(method, path.format(id=NOBODY), json={})
    assert (response.status_code, response.json()) == (405, {"detail": "Method Not Allowed"})


async def test_a_thread_is_deleted_once(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id = (await make(http))["thread_id"]
    response = await http.delete(f"/threads/{thread_id}")
    assert (response.status_code, response.content) == (204, b"")
    for call in (client.threads.delete, client.threads.get, client.threads.get_state):
        with pytest.raises(NotFoundError):
            await call(thread_id)


async def test_a_deleted_thread_s_id_starts_empty_again(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id = await finish(http, "steps", trail=["x"])
    await client.threads.delete(thread_id)
    await client.threads.create(thread_id=thread_id, graph_id="steps")
    assert (await client.threads.get_state(thread_id))["values"] == {}
    assert await client.threads.get_history(thread_id) == []
    assert await client.runs.list(thread_id) == []


async def test_a_thread_goes_with_its_run_at_work(http: httpx.AsyncClient) -> None:
    thread_id = await busy(http)
    assert (await http.delete(f"/threads/{thread_id}")).status_code == 204
    assert (await http.get(f"/threads/{thread_id}")).status_code == 404


# --- patching ---------------------------------------------------------------------------------------------------


async def test_a_patch_merges_metadata_at_the_top_level(client: LangGraphClient) -> None:
    made = await client.threads.create(metadata={"a": 1, "b": {"c": 1}})
    changed = await client.threads.update(made["thread_id"], metadata={"b": {"d": 2}, "e": None})
    assert changed["metadata"] == {"a": 1, "b": {"d": 2}, "e": None}
    assert await client.threads.get(made["thread_id"]) == changed


@pytest.mark.parametrize("body", [{"metadata": {"a": 1}}, {"metadata": {}}, {}, {"ttl": {"ttl": 5}}, {"other": 1}])
async def test_a_patch_moves_when_a_thread_was_updated_and_nothing_else(http: httpx.AsyncClient, body: Json) -> None:
    made = await make(http)
    response = await http.patch(f"/threads/{made['thread_id']}", json=body)
    assert response.status_code == 200
    changed = response.json()
    assert changed["updated_at"] > made["updated_at"]
    assert changed == made | {"updated_at": changed["updated_at"], "metadata": body.get("metadata", {})}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"metadata": 3}, told('3 is not of type "object"', "type", "metadata", "3")),
        ({"metadata": None}, told('null is not of type "object"', "type", "metadata", "null")),
        ({"ttl": "x"}, told('"x" is not of type "object"', "type", "ttl", '"x"')),
    ],
)
async def test_a_patch_that_is_none_is_refused(http: httpx.AsyncClient, body: Json, answer: Json) -> None:
    response = await http.patch(f"/threads/{(await make(http))['thread_id']}", json=body)
    assert (response.status_code, response.json()) == (422, answer)


def test_the_synchronous_client_makes_changes_and_deletes(sync_client: SyncLangGraphClient) -> None:
    made = sync_client.threads.create(metadata={"a": 1})
    sync_client.threads.update(made["thread_id"], metadata={"b": 2})
    assert sync_client.threads.get(made["thread_id"])["metadata"] == {"a": 1, "b": 2}
    sync_client.threads.delete(made["thread_id"])
    with pytest.raises(NotFoundError):
        sync_client.threads.get(made["thread_id"])


# --- what runs leave --------------------------------------------------------------------------------------------


async def test_a_thread_shows_the_end_of_its_run(http: httpx.AsyncClient) -> None:
    thread = await get(http, await finish(http, "steps", {"own": 1}, trail=["x"]))
    assert list(thread) == USED
    assert thread["status"] == "idle"
    assert thread["values"] == {"trail": ["x", "a", "b", "c"]}
    assert (thread["error"], thread["interrupts"]) == (None, {})
    assert thread["updated_at"] == thread["state_updated_at"] > thread["created_at"]


@pytest.mark.parametrize(
    ("prefer", "status"),
    [("return=minimal", 204), ("Return=Minimal", 200), ("return=minimal, wait=3", 200), ("return=representation", 200)],
)
async def test_a_patch_answers_as_much_as_is_preferred(http: httpx.AsyncClient, prefer: str, status: int) -> None:
    thread_id = (await make(http))["thread_id"]
    answer = await http.patch(f"/threads/{thread_id}", json={"metadata": {"a": 1}}, headers={"Prefer": prefer})
    assert (answer.status_code, answer.content == b"") == (status, status == 204)
    assert (await http.get(f"/threads/{thread_id}")).json()["metadata"] == {"a": 1}


async def test_an_update_with_return_minimal_gives_nothing(client: LangGraphClient) -> None:
    thread = await client.threads.create()
    assert await client.threads.update(thread["thread_id"], metadata={"a": 1}, return_minimal=True) is None
    assert (await client.threads.get(thread["thread_id"]))["metadata"] == {"a": 1}


async def test_a_run_leaves_its_graph_and_assistant_in_the_metadata(http: httpx.AsyncClient) -> None:
    thread = await get(http, await finish(http, "steps", {"own": 1}, trail=[]))
    assert set(thread["metadata"]) == {"own", "graph_id", "assistant_id"}
    assert (thread["metadata"]["own"], thread["metadata"]["graph_id"]) == (1, "steps")
    UUID(thread["metadata"]["assistant_id"])


async def test_a_thread_that_waits_for_an_answer_shows_the_question(http: httpx.AsyncClient) -> None:
    thread = await get(http, await finish(http, "threads_asking", notes=["i"]))
    assert (thread["status"], thread["values"]) == ("interrupted", {"notes": ["i"]})
    ((task, asked),) = thread["interrupts"].items()
    UUID(task)
    assert [list(one) for one in asked] == [["id", "value"]]
    assert asked[0]["value"] == {"question": "which?"}


async def test_a_question_of_a_subgraph_is_its_thread_s(http: httpx.AsyncClient) -> None:
    thread = await get(http, await finish(http, "threads_outer", notes=["i"]))
    assert (thread["status"], thread["values"]) == ("interrupted", {"notes": ["i", "before"]})
    assert [one["value"] for asked in thread["interrupts"].values() for one in asked] == [{"question": "which?"}]


async def test_a_thread_shows_why_its_run_failed(http: httpx.AsyncClient) -> None:
    thread = await get(http, await finish(http, "threads_failing", notes=["i"]))
    assert (thread["status"], thread["values"]) == ("error", {"notes": ["i"]})
    assert thread["error"] == {"error": "ValueError", "message": "this node always fails"}
    assert thread["interrupts"] == {}


async def test_a_thread_is_busy_from_the_moment_a_run_is_accepted(http: httpx.AsyncClient) -> None:
    thread = await get(http, await busy(http))
    assert thread["status"] == "busy"
    assert thread["state_updated_at"] == thread["created_at"]
    assert thread["metadata"]["graph_id"] == "threads_waiting"


async def test_a_busy_thread_takes_a_patch(http: httpx.AsyncClient) -> None:
    thread_id = await busy(http)
    response = await http.patch(f"/threads/{thread_id}", json={"metadata": {"z": 1}})
    assert (response.status_code, response.json()["status"]) == (200, "busy")
    assert response.json()["metadata"]["z"] == 1


# --- searching --------------------------------------------------------------------------------------------------


@pytest.fixture
async def family(http: httpx.AsyncClient) -> tuple[str, list[str]]:
    """A key that five threads alone have in their metadata, with their place in it; their ids, oldest first."""
    key = str(uuid4())
    made = [
        await make(http, metadata={"key": key, "place": place, "deep": {"a": 1, "b": [1, 2]}}) for place in range(5)
    ]
    return key, [one["thread_id"] for one in made]


async def found(http: httpx.AsyncClient, key: str, **body: Any) -> list[str]:
    """Ids of the threads of a family that a search gives."""
    wanted = {"metadata": {"key": key}, "select": ["thread_id"], **body}
    return [one["thread_id"] for one in (await search(http, **wanted)).json()]


Family = tuple[str, list[str]]


async def test_a_search_gives_whole_threads(http: httpx.AsyncClient, family: Family) -> None:
    (one,) = (await search(http, ids=[family[1][0]])).json()
    assert one == await get(http, family[1][0])


async def test_a_search_gives_ten_threads_unless_told(client: LangGraphClient) -> None:
    key = str(uuid4())
    for _ in range(12):
        await client.threads.create(metadata={"key": key})
    assert len(await client.threads.search(metadata={"key": key})) == 10
    assert len(await client.threads.search(metadata={"key": key}, limit=12)) == 12


async def test_the_last_changed_thread_comes_first(http: httpx.AsyncClient, family: Family) -> None:
    key, ids = family
    assert await found(http, key) == ids[::-1]
    await http.patch(f"/threads/{ids[1]}", json={"metadata": {"a": 1}})
    assert await found(http, key) == [ids[1], ids[4], ids[3], ids[2], ids[0]]


@pytest.mark.parametrize("sort_by", ["thread_id", "created_at", "updated_at", "state_updated_at"])
async def test_a_search_is_sorted_both_ways(http: httpx.AsyncClient, family: Family, sort_by: str) -> None:
    key, ids = family
    assert await found(http, key, sort_by=sort_by, sort_order="asc") == ids
    assert await found(http, key, sort_by=sort_by, sort_order="desc") == ids[::-1]
    assert await found(http, key, sort_by=sort_by) == ids[::-1]


async def test_an_order_without_a_key_is_passed_over(http: httpx.AsyncClient, family: Family) -> None:
    key, ids = family
    assert await found(http, key, sort_order="asc") == ids[::-1]


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_threads_of_one_status_come_oldest_first(http: httpx.AsyncClient, family: Family, order: str) -> None:
    key, ids = family
    assert await found(http, key, sort_by="status", sort_order=order) == ids


async def test_statuses_are_sorted_by_name(http: httpx.AsyncClient) -> None:
    key = str(uuid4())
    asking = await finish(http, "threads_asking", {"key": key}, notes=[])
    idle = await finish(http, "steps", {"key": key}, trail=[])
    failing = await finish(http, "threads_failing", {"key": key}, notes=[])
    assert await found(http, key, sort_by="status", sort_order="asc") == [failing, idle, asking]
    assert await found(http, key, sort_by="status", sort_order="desc") == [asking, idle, failing]


@pytest.mark.parametrize(
    ("limit", "offset", "total", "following"),
    [
        (2, 0, "3", "2"),
        (2, 2, "5", "4"),
        (2, 3, "5", None),
        (2, 4, "5", None),
        (5, 0, "5", None),
        (4, 0, "5", "4"),
        (10, 0, "5", None),
        (1, 99, "99", None),
    ],
)
async def test_a_page_says_whether_another_follows(
    http: httpx.AsyncClient, family: Family, limit: int, offset: int, total: str, following: str | None
) -> None:
    key, ids = family
    page = await search(http, metadata={"key": key}, limit=limit, offset=offset)
    assert [one["thread_id"] for one in page.json()] == ids[::-1][offset : offset + limit]
    assert page.headers["x-pagination-total"] == total
    assert page.headers.get("x-pagination-next") == following


@pytest.mark.parametrize(
    ("metadata", "count"),
    [
        ({}, 5),
        ({"place": 3}, 1),
        ({"place": "3"}, 0),
        ({"place": 9}, 0),
        ({"deep": {"a": 1}}, 5),
        ({"deep": {"b": [1, 2]}}, 5),
        ({"deep": {"b": [1, 2], "a": 2}}, 0),
        ({"deep": {"c": None}}, 0),
        ({"missing": 1}, 0),
    ],
    ids=str,
)
async def test_metadata_is_searched_all_the_way_down(
    http: httpx.AsyncClient, family: Family, metadata: Json, count: int
) -> None:
    wanted = {"key": family[0], **metadata}
    assert len(await found(http, family[0], metadata=wanted)) == count
    assert (await http.post("/threads/count", json={"metadata": wanted})).json() == count


async def test_a_list_in_a_search_means_that_very_list(http: httpx.AsyncClient, family: Family) -> None:
    key = family[0]
    for listed in ([], [1], [2], [2, 1], [1, 2, 3]):
        assert await found(http, key, metadata={"key": key, "deep": {"b": listed}}) == []


async def test_threads_are_searched_by_id(http: httpx.AsyncClient, family: Family) -> None:
    key, ids = family
    assert await found(http, key, ids=[ids[0], ids[3], NOBODY]) == [ids[3], ids[0]]
    assert await found(http, key, ids=[NOBODY]) == []


async def test_no_ids_mean_all(http: httpx.AsyncClient, family: Family) -> None:
    assert len(await found(http, family[0], ids=[])) == 5


async def test_a_searched_id_that_is_no_uuid_is_refused(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    response = await http.post("/threads/search", json={"ids": ["zz"]})
    assert (response.status_code, response.json()) == (400, {"detail": "Invalid thread ID zz"})
    with pytest.raises(BadRequestError):
        await client.threads.search(ids=["zz"])


@pytest.mark.parametrize(
    ("graph", "status"), [("steps", "idle"), ("threads_asking", "interrupted"), ("threads_failing", "error")]
)
async def test_threads_are_searched_by_status(http: httpx.AsyncClient, graph: str, status: str) -> None:
    thread_id = await finish(http, graph)
    for asked in ("idle", "interrupted", "error", "busy"):
        listed = (await search(http, ids=[thread_id], status=asked, select=["status"])).json()
        assert listed == ([{"status": status}] if asked == status else [])


async def test_busy_threads_are_searched_by_status(http: httpx.AsyncClient) -> None:
    thread_id = await busy(http)
    assert (await search(http, ids=[thread_id], status="busy", select=["status"])).json() == [{"status": "busy"}]


@pytest.mark.parametrize(
    ("values", "fits"),
    [({"note": "here"}, True), ({"note": "there"}, False), ({"trail": ["x", "a", "b", "c"]}, True), ({}, True)],
    ids=str,
)
async def test_threads_are_searched_by_their_values(http: httpx.AsyncClient, values: Json, fits: bool) -> None:
    key = str(uuid4())
    thread_id = await finish(http, "steps", {"key": key}, trail=["x"], note="here")
    wanted = {"metadata": {"key": key}, "values": values}
    assert [one["thread_id"] for one in (await search(http, **wanted)).json()] == ([thread_id] if fits else [])
    assert (await http.post("/threads/count", json=wanted)).json() == int(fits)


@pytest.mark.ours_only("answers 500 where a thread without values is among the others")
async def test_threads_without_values_are_not_found_by_values(http: httpx.AsyncClient, family: Family) -> None:
    assert await found(http, family[0], values={"a": 1}) == []
    assert (await http.post("/threads/count", json={"metadata": {"key": family[0]}, "values": {"a": 1}})).json() == 0


@pytest.mark.parametrize(
    "select",
    [["thread_id"], ["status", "thread_id"], ["values"], ["metadata", "config"], ["created_at", "updated_at"]],
    ids=str,
)
async def test_select_gives_fields_in_their_usual_order(http: httpx.AsyncClient, select: list[str]) -> None:
    thread_id = await finish(http, "steps", trail=["x"])
    (chosen,) = (await search(http, ids=[thread_id], select=select)).json()
    whole = await get(http, thread_id)
    assert list(chosen) == [name for name in USED if name in select]
    assert chosen == {name: whole[name] for name in select}


async def test_select_of_nothing_means_everything(http: httpx.AsyncClient, family: Family) -> None:
    (one,) = (await search(http, ids=[family[1][0]], select=[])).json()
    assert list(one) == NEW


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("values", {"trail": ["x", "a", "b", "c"]}),
        ("values.trail", ["x", "a", "b", "c"]),
        ("values.trail[0]", "x"),
        ("values.trail[-1]", "c"),
        ("values.trail[9]", None),
        ("values.trail[-9]", None),
        ("values.trail.0", None),
        ("values.trail[*]", None),
        ("values.missing.deeper", None),
        ("values[0]", None),
        ("metadata.deep.a", 1),
        ("metadata.deep..a", 1),
        ("metadata.deep.", {"a": 1, "b": [{"c": 2}]}),
        ("metadata.deep.b[0].c", 2),
        ("metadata.deep['a']", None),
        ("metadata.deep.a[0]", None),
        ("config.nothing", None),
        ("interrupts", {}),
    ],
)
async def test_extract_follows_a_path(http: httpx.AsyncClient, path: str, value: object) -> None:
    thread_id = await finish(http, "steps", {"deep": {"a": 1, "b": [{"c": 2}]}}, trail=["x"])
    (one,) = (await search(http, ids=[thread_id], select=["thread_id"], extract={"it": path})).json()
    assert one == {"thread_id": thread_id, "extracted": {"it": value}}


async def test_extract_stands_beside_all_fields(http: httpx.AsyncClient, family: Family) -> None:
    (one,) = (await search(http, ids=[family[1][2]], extract={"a": "metadata.place", "b": "values.x"})).json()
    assert list(one) == [*NEW, "extracted"]
    assert one["extracted"] == {"a": 2, "b": None}


@pytest.mark.parametrize(
    ("extract", "detail"),
    [
        ({"x": "foo.i"}, "Extract path 'foo.i' must start with one of: config, interrupts, metadata, values"),
        ({"x": "metadatax"}, "Extract path 'metadatax' must start with one of: config, interrupts, metadata, values"),
        ({"x": "status"}, "Extract path 'status' must start with one of: config, interrupts, metadata, values"),
        ({"x": ""}, "Extract path for 'x' must be a non-empty string"),
        ({"a-b": "metadata"}, "Extract key 'a-b' must be a valid identifier (letters, digits, underscores)"),
        ({"0": "metadata"}, "Extract key '0' must be a valid identifier (letters, digits, underscores)"),
        ({"": "metadata"}, "Extract key '' must be a valid identifier (letters, digits, underscores)"),
        ({"x'y": "metadata"}, "Extract key 'x'y' must be a valid identifier (letters, digits, underscores)"),
    ],
)
async def test_an_extract_that_is_none_is_refused(http: httpx.AsyncClient, extract: Json, detail: str) -> None:
    response = await http.post("/threads/search", json={"extract": extract})
    assert (response.status_code, response.json()) == (422, {"detail": detail})


async def test_eleven_extracts_are_too_many(http: httpx.AsyncClient) -> None:
    response = await http.post("/threads/search", json={"extract": {f"a{n}": "metadata" for n in range(11)}})
    assert response.status_code == 422
    assert "has more than 10 properties" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"limit": 0}, told("0 is less than the minimum of 1", "minimum", "limit", "0")),
        ({"limit": 1001}, told("1001 is greater than the maximum of 1000", "maximum", "limit", "1001")),
        ({"limit": "3"}, told('"3" is not of type "integer"', "type", "limit", '"3"')),
        ({"limit": None}, told('null is not of type "integer"', "type", "limit", "null")),
        ({"offset": -1}, told("-1 is less than the minimum of 0", "minimum", "offset", "-1")),
        ({"status": "zz"}, told('"zz" is not one of "idle", "busy" or 2 other candidates', "enum", "status", '"zz"')),
        (
            {"sort_by": "values"},
            told('"values" is not one of "thread_id", "status" or 3 other candidates', "enum", "sort_by", '"values"'),
        ),
        ({"sort_order": "ASC"}, told('"ASC" is not one of "asc" or "desc"', "enum", "sort_order", '"ASC"')),
        ({"metadata": "x"}, told('"x" is not of type "object"', "type", "metadata", '"x"')),
        ({"values": 3}, told('3 is not of type "object"', "type", "values", "3")),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_search_that_is_none_is_refused(http: httpx.AsyncClient, body: Json, answer: Json) -> None:
    response = await http.post("/threads/search", json=body)
    assert (response.status_code, response.json()) == (422, answer)


async def test_an_unknown_field_of_select_is_refused(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    response = await http.post("/threads/search", json={"select": ["nope"]})
    assert response.status_code == 422
    assert response.json()["detail"] == (
        '"nope" is not one of "thread_id", "created_at" or 7 other candidates\n\nFailed validating "enum" in '
        'schema["properties"]["select"]["items"]\n\nOn instance["select"][0]:\n    "nope"'
    )
    with pytest.raises(UnprocessableEntityError):
        await client.threads.search(select=["nope"])  # type: ignore[list-item]


async def test_what_a_search_does_not_know_is_passed_over(http: httpx.AsyncClient, family: Family) -> None:
    assert len(await found(http, family[0], unknown=1)) == 5


@pytest.mark.parametrize("path", ["/threads/search", "/threads/count", "/threads/prune"])
async def test_a_list_needs_a_body(http: httpx.AsyncClient, path: str) -> None:
    response = await http.post(path)
    assert (response.status_code, response.json()) == (422, NO_JSON)


# --- counting ---------------------------------------------------------------------------------------------------


async def test_a_count_is_a_bare_number(client: LangGraphClient, http: httpx.AsyncClient, family: Family) -> None:
    response = await http.post("/threads/count", json={"metadata": {"key": family[0]}})
    assert (response.status_code, response.content) == (200, b"5")
    assert await client.threads.count(metadata={"key": family[0]}, status="idle") == 5
    assert await client.threads.count(metadata={"key": family[0]}, status="busy") == 0


async def test_a_count_passes_ids_over(http: httpx.AsyncClient, family: Family) -> None:
    body = {"metadata": {"key": family[0]}, "ids": [family[1][0]]}
    assert (await http.post("/threads/count", json=body)).json() == 5


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"status": "zz"}, told('"zz" is not one of "idle", "busy" or 2 other candidates', "enum", "status", '"zz"')),
        ({"values": 3}, told('3 is not of type "object"', "type", "values", "3")),
    ],
)
async def test_a_count_that_is_none_is_refused(http: httpx.AsyncClient, body: Json, answer: Json) -> None:
    response = await http.post("/threads/count", json=body)
    assert (response.status_code, response.json()) == (422, answer)


# --- copying ----------------------------------------------------------------------------------------------------


async def test_a_copy_answers_with_a_new_idle_thread(http: httpx.AsyncClient) -> None:
    thread_id = await finish(http, "threads_asking", {"own": 1}, notes=["i"])
    response = await http.post(f"/threads/{thread_id}/copy")
    copied = response.json()
    assert response.status_code == 200
    assert list(copied) == NEW[:-1]
    assert copied["thread_id"] != thread_id
    assert copied["metadata"] == (await get(http, thread_id))["metadata"]
    assert (copied["status"], copied["config"]) == ("idle", {})


async def test_a_copy_has_the_same_history(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id = await finish(http, "steps", trail=["x"])
    copied = (await http.post(f"/threads/{thread_id}/copy")).json()["thread_id"]
    theirs = [await client.threads.get_history(one, limit=20) for one in (thread_id, copied)]
    assert len(theirs[0]) == 5
    for ours, copy in zip(*theirs, strict=True):
        assert copy["checkpoint"]["thread_id"] == copied
        assert copy["checkpoint"]["checkpoint_id"] == ours["checkpoint"]["checkpoint_id"]
        assert (copy["values"], copy["next"], copy["tasks"]) == (ours["values"], ours["next"], ours["tasks"])


async def test_a_copy_lives_a_life_of_its_own(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id = await finish(http, "steps", trail=["x"])
    copied = (await http.post(f"/threads/{thread_id}/copy")).json()["thread_id"]
    await go_on(client, copied, "steps", {"trail": ["y"]})
    await client.threads.delete(thread_id)
    state = await client.threads.get_state(copied)
    assert state["values"] == {"trail": ["x", "a", "b", "c", "y", "a", "b", "c"]}


async def test_a_copied_question_can_be_answered(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id = await finish(http, "threads_asking", notes=["i"])
    copied = (await http.post(f"/threads/{thread_id}/copy")).json()["thread_id"]
    done = await client.runs.wait(copied, "threads_asking", command={"resume": "this"})
    assert done == {"notes": ["i", "ask", "tell"], "answer": "this"}
    assert (await get(http, thread_id))["status"] == "interrupted"


async def test_an_empty_thread_is_copied(http: httpx.AsyncClient) -> None:
    made = await make(http, metadata={"a": 1})
    copied = (await http.post(f"/threads/{made['thread_id']}/copy")).json()
    assert copied["metadata"] == {"a": 1}
    assert (await http.get(f"/threads/{copied['thread_id']}/history")).json() == []


# --- pruning and storage ----------------------------------------------------------------------------------------


async def test_prune_deletes_and_counts_the_threads_there_are(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id = await finish(http, "steps", trail=["x"])
    assert await client.threads.prune([thread_id, NOBODY, thread_id]) == {"pruned_count": 1}
    assert (await http.get(f"/threads/{thread_id}")).status_code == 404


async def test_prune_of_nothing_counts_nothing(client: LangGraphClient) -> None:
    assert await client.threads.prune([]) == {"pruned_count": 0}


@pytest.mark.ours_only("has no keep_latest")
async def test_prune_can_keep_the_newest_state(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id = await finish(http, "steps", trail=["x"])
    before = await client.threads.get_state(thread_id)
    assert await client.threads.prune([thread_id, NOBODY], strategy="keep_latest") == {"pruned_count": 1}
    (after,) = await client.threads.get_history(thread_id, limit=20)
    assert (after["values"], after["checkpoint"]) == (before["values"], before["checkpoint"])
    assert after["parent_checkpoint"] is None
    await go_on(client, thread_id, "steps", {"trail": ["y"]})
    assert (await client.threads.get_state(thread_id))["values"] == {"trail": ["x", "a", "b", "c", "y", "a", "b", "c"]}


@pytest.mark.ours_only("has no keep_latest")
async def test_a_question_survives_a_prune(client: LangGraphClient, http: httpx.AsyncClient) -> None:
    thread_id = await finish(http, "threads_outer", notes=["i"])
    await client.threads.prune([thread_id], strategy="keep_latest")
    done = await client.runs.wait(thread_id, "threads_outer", command={"resume": "this"})
    assert isinstance(done, dict)
    assert done["answer"] == "this"


@pytest.mark.ours_only("has no dry run")
@pytest.mark.parametrize("strategy", ["delete", "keep_latest"])
async def test_a_dry_run_prunes_nothing(client: LangGraphClient, http: httpx.AsyncClient, strategy: str) -> None:
    thread_id = await finish(http, "steps", trail=["x"])
    body = {"thread_ids": [thread_id, NOBODY], "strategy": strategy, "dry_run": True}
    assert (await http.post("/threads/prune", json=body)).json() == {"pruned_count": 1}
    assert len(await client.threads.get_history(thread_id, limit=20)) == 5


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, '"thread_ids" is a required property\n\nFailed validating "required" in schema\n\nOn instance:\n    {}'),
        ({"thread_ids": ["x"]}, "Invalid thread ID: must be a UUID"),
        (
            {"thread_ids": [], "strategy": "zz"},
            told('"zz" is not one of "delete" or "keep_latest"', "enum", "strategy", '"zz"')["detail"],
        ),
    ],
    ids=str,
)
async def test_a_prune_that_is_none_is_refused(http: httpx.AsyncClient, body: Json, detail: str) -> None:
    response = await http.post("/threads/prune", json=body)
    assert (response.status_code, response.json()) == (422, {"detail": detail})


async def test_a_new_thread_takes_no_storage(http: httpx.AsyncClient) -> None:
    thread_id = (await make(http))["thread_id"]
    response = await http.get(f"/threads/{thread_id}/storage")
    assert response.status_code == 200
    assert response.json() == {
        "thread_id": thread_id,
        "total_bytes": 0,
        "checkpoints": {"count": 0, "bytes": 0},
        "channel_values": {"count": 0, "bytes": 0, "by_channel": {}},
        "pending_writes": {"count": 0, "bytes": 0},
    }


async def test_storage_adds_up(http: httpx.AsyncClient) -> None:
    thread_id = await finish(http, "steps", trail=["x"])
    told = (await http.get(f"/threads/{thread_id}/storage")).json()
    assert list(told) == ["thread_id", "total_bytes", "checkpoints", "channel_values", "pending_writes"]
    parts = [told[name] for name in ("checkpoints", "channel_values", "pending_writes")]
    assert told["total_bytes"] == sum(part["bytes"] for part in parts) > 0
    assert told["checkpoints"]["count"] == 5
    channels = told["channel_values"]["by_channel"]
    assert list(channels["trail"]) == ["versions", "bytes"]
    assert channels["trail"]["versions"] == 4
    assert told["channel_values"]["bytes"] == sum(channel["bytes"] for channel in channels.values())


# --- supersteps -------------------------------------------------------------------------------------------------


async def test_a_thread_can_start_with_a_history(client: LangGraphClient) -> None:
    steps: list[Json] = [
        {"updates": [{"values": {"trail": ["x"]}, "as_node": "__input__"}]},
        {"updates": [{"values": {"trail": ["s"]}, "as_node": "__start__"}]},
        {"updates": [{"values": {"trail": ["A"]}, "as_node": "a"}]},
    ]
    made = await client.threads.create(graph_id="steps", metadata={"own": 1}, supersteps=steps)
    assert list(made) == USED
    assert (made["status"], made["values"]) == ("interrupted", {"trail": ["s", "A"]})
    history = await client.threads.get_history(made["thread_id"], limit=9)
    assert [state["next"] for state in history] == [["b"], ["a"], ["__start__"]]
    assert [(state["metadata"] or {})["source"] for state in history] == ["update", "update", "input"]
    assert [(state["metadata"] or {})["step"] for state in history] == [1, 0, -1]
    done = await client.runs.wait(made["thread_id"], "steps")
    assert done == {"trail": ["s", "A", "b", "c"]}


async def test_updates_of_one_superstep_are_one_checkpoint(client: LangGraphClient) -> None:
    updates = [{"values": {"trail": ["i"]}, "as_node": "a"}, {"values": {"trail": ["j"]}, "as_node": "b"}]
    made = await client.threads.create(graph_id="steps", supersteps=[{"updates": updates}])
    state = await client.threads.get_state(made["thread_id"])
    assert (state["values"], state["next"]) == ({"trail": ["i", "j"]}, ["b", "c"])
    assert len(await client.threads.get_history(made["thread_id"], limit=9)) == 1


async def test_a_superstep_may_be_a_command(http: httpx.AsyncClient) -> None:
    steps = [
        {"updates": [{"values": {"notes": ["i"]}, "as_node": "__input__"}]},
        {"updates": [{"command": {"update": {"notes": ["C"]}, "goto": "tell"}, "as_node": "choose"}]},
    ]
    made = await make(http, metadata={"graph_id": "threads_routed"}, supersteps=steps)
    assert (made["status"], made["values"]) == ("interrupted", {"notes": ["C"]})
    assert (await http.get(f"/threads/{made['thread_id']}/state")).json()["next"] == ["tell"]


async def test_no_supersteps_make_an_empty_thread(http: httpx.AsyncClient) -> None:
    assert list(await make(http, supersteps=[])) == NEW


@pytest.mark.parametrize("metadata", [{}, {"graph_id": "nope"}])
async def test_a_history_without_a_graph_leaves_an_empty_thread(http: httpx.AsyncClient, metadata: Json) -> None:
    thread_id = str(uuid4())
    steps = [{"updates": [{"values": {"trail": []}, "as_node": "a"}]}]
    response = await http.post("/threads", json={"thread_id": thread_id, "metadata": metadata, "supersteps": steps})
    assert response.status_code == 201
    detail = response.json()["detail"]
    assert detail.startswith(f"Thread {thread_id} was created, but there were problems updating the state: ")
    reason = (
        "Graph 'nope' not found. Expected one of: ['" if metadata else f"Thread '{thread_id}' has no assigned graph ID."
    )
    assert reason in detail
    assert (await get(http, thread_id))["values"] is None


@pytest.mark.parametrize(
    ("step", "status", "detail"),
    [
        ({"updates": []}, 400, "No updates provided"),
        ({"updates": [{"values": {}, "as_node": "nope"}]}, 400, "Node nope does not exist"),
        (
            {},
            422,
            '"updates" is a required property\n\nFailed validating "required" in '
            'schema["properties"]["supersteps"]["items"]\n\nOn instance["supersteps"][0]:\n    {}',
        ),
        (
            {"updates": [{"values": {}}]},
            422,
            '"as_node" is a required property\n\nFailed validating "required" in schema["components"]["schemas"]'
            '["ThreadSuperstepUpdate"]\n\nOn instance["supersteps"][0]["updates"][0]:\n    {"values":{}}',
        ),
    ],
    ids=str,
)
async def test_a_superstep_that_is_none_is_refused(
    http: httpx.AsyncClient, step: Json, status: int, detail: str
) -> None:
    response = await http.post("/threads", json={"metadata": {"graph_id": "steps"}, "supersteps": [step]})
    assert (response.status_code, response.json()) == (status, {"detail": detail})


# --- answers ----------------------------------------------------------------------------------------------------


async def test_answers_are_json(http: httpx.AsyncClient, kind: Kind) -> None:
    thread_id = (await make(http))["thread_id"]
    for path in ("", "/state", "/history", "/storage"):
        assert (await http.get(f"/threads/{thread_id}{path}")).headers["content-type"] == "application/json"
    assert (await http.get("/threads/nope")).headers["content-type"] == "application/json"


async def test_pagination_headers_are_shown_to_browsers(http: httpx.AsyncClient) -> None:
    page = await http.post("/threads/search", json={"limit": 1}, headers={"origin": "http://localhost:3000"})
    exposed = page.headers["access-control-expose-headers"].lower()
    assert {"x-pagination-total", "x-pagination-next"} <= {name.strip() for name in exposed.split(",")}
