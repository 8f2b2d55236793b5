"""Odd values stay plain data, and a client's configuration decides on nothing but its own run."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient
from langgraph_sdk.errors import APIStatusError, NotFoundError

JSON = {"content-type": "application/json"}
OTHER_THREAD = "11111111-1111-4111-8111-111111111111"
CONSTRUCTOR = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain_core", "messages", "AIMessage"],
    "kwargs": {"content": "revived"},
}
SECRET = {"lc": 1, "type": "secret", "id": ["PATH"]}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{bad",
        b'{"metadata": {"a": NaN}}',
        b'{"metadata": {"a": -Infinity}}',
        b'{"metadata": {"a": 1e400}}',
        rb'{"metadata": {"a": "\ud800"}}',
        b'\xef\xbb\xbf{"metadata": {}}',
        b'{"metadata": {"a": "\xff"}}',
        b"{'metadata': {}}",
        b'{"metadata": {},}',
        b"[" * 2_000,
    ],
)
@pytest.mark.parametrize("path", ["/threads", "/threads/search", "/assistants/search", "/runs", "/runs/wait"])
async def test_what_is_no_json_is_refused(http: httpx.AsyncClient, path: str, raw: bytes) -> None:
    response = await http.post(path, content=raw, headers=JSON)
    assert (response.status_code, response.json()) == (422, {"detail": "Invalid JSON in request body"})


@pytest.mark.parametrize("raw", [b"[]", b'"x"', b"null", b"1", b"true"])
async def test_what_is_no_object_is_told_so(http: httpx.AsyncClient, raw: bytes) -> None:
    response = await http.post("/threads", content=raw, headers=JSON)
    assert response.status_code == 422
    assert response.json()["detail"].startswith(f'{raw.decode()} is not of type "object"')


ODD: list[Any] = [
    CONSTRUCTOR,
    SECRET,
    {"lc": 2, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": "true"}},
    {"__type__": "x", "__class__": ["os", "system"]},
    {"type": "human"},
    {"role": "user"},
    {"id": None, "content": {"a": [None]}},
    {"__interrupt__": 1, "__error__": 2, "": {"": ""}},
    {"'; DROP TABLE threads; --": "%s %(x)s $1 {0} ${{x}}"},
    {"a.b": 1, "$.a": 2, "a[0]": 3, "a\\b": 4},
    "\u202e\u2028\u2029\ufffe\uffff😀‍é\u007f\u0001",
    9007199254740993,
    18446744073709551615,
    1e308,
    5e-324,
    -0.0,
    [],
    {},
    [[[[None]]]],
    "x" * 100_000,
]


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
async def test_odd_values_are_plain_data_everywhere(client: LangGraphClient, odd: Any) -> None:
    """In metadata, input, state, the store and an assistant's context; every list that holds them can be read."""
    mark = str(uuid4())
    metadata = {"mark": mark, "odd": odd}
    thread = await client.threads.create(metadata=metadata)
    thread_id = thread["thread_id"]
    done: Any = await client.runs.wait(thread_id, "safety_keeps", input={"payload": odd}, metadata={"odd": odd})
    assert done == {"payload": odd}
    state = await client.threads.get_state(thread_id)
    assert state["values"] == {"payload": odd}
    await client.threads.update_state(thread_id, {"payload": [odd]})
    history = await client.threads.get_history(thread_id)
    assert history[0]["values"] == {"payload": [odd]}
    (found,) = await client.threads.search(metadata={"mark": mark})
    assert found["metadata"]["odd"] == odd  # type: ignore[index]
    assert found["values"] == {"payload": [odd]}
    (run,) = await client.runs.list(thread_id)
    assert run["metadata"]["odd"] == odd  # type: ignore[index]
    await client.store.put_item(["safety", mark], "k", {"odd": odd})
    assert (await client.store.get_item(["safety", mark], "k"))["value"] == {"odd": odd}
    items = await client.store.search_items(["safety", mark])
    assert [item["value"] for item in items["items"]] == [{"odd": odd}]
    assistant = await client.assistants.create("safety_keeps", metadata=metadata, context={"odd": odd})
    (listed,) = await client.assistants.search(metadata={"mark": mark})
    assert (listed["assistant_id"], listed["context"]["odd"]) == (assistant["assistant_id"], odd)


async def test_a_nul_becomes_the_replacement_character(http: httpx.AsyncClient) -> None:
    raw = (
        rb'{"assistant_id": "safety_keeps", "input": {"payload": {"a\u0000": "x\u0000y"}}, "metadata": {"n": "\u0000"}}'
    )
    response = await http.post("/runs/wait", content=raw, headers=JSON)
    assert (response.status_code, response.json()) == (200, {"payload": {"a\ufffd": "x\ufffdy"}})


@pytest.mark.ours_only("it replaces the text of an escape, too, where no NUL is meant")
async def test_a_backslash_before_u0000_is_left_alone(http: httpx.AsyncClient) -> None:
    response = await http.post("/threads", content=rb'{"metadata": {"path": "C:\\u0000"}}', headers=JSON)
    assert response.json()["metadata"] == {"path": r"C:\u0000"}


@pytest.mark.ours_only("the state of its thread cannot be read any more: 400 or 500")
@pytest.mark.parametrize("odd", [{"lc": 1}, {"type": "ai"}, {"role": 1, "content": 2}, {"type": "remove"}, 7, None, []])
async def test_a_malformed_message_spoils_nothing_but_its_own_run(client: LangGraphClient, odd: Any) -> None:
    mark = str(uuid4())
    thread = await client.threads.create(metadata={"mark": mark})
    run = await client.runs.create(thread["thread_id"], "tokens", input={"messages": [odd]})
    await client.runs.join(thread["thread_id"], run["run_id"])
    (found,) = await client.threads.search(metadata={"mark": mark})
    assert found["thread_id"] == thread["thread_id"]
    assert (await client.runs.get(thread["thread_id"], run["run_id"]))["status"] in ("success", "error")
    assert "values" in await client.threads.get_state(thread["thread_id"])
    assert isinstance(await client.threads.get_history(thread["thread_id"]), list)
    message = {"role": "user", "content": "sound"}
    done: Any = await client.runs.wait(thread["thread_id"], "tokens", input={"messages": [message]})
    assert [said["type"] for said in done["messages"]] == ["human", "ai"]


RESERVED = {
    "thread_id": OTHER_THREAD,
    "run_id": OTHER_THREAD,
    "assistant_id": OTHER_THREAD,
    "graph_id": "loop",
    "user_id": "mallory",
    "langgraph_auth_user": {"identity": "mallory"},
    "langgraph_auth_user_id": "mallory",
    "langgraph_auth_permissions": ["everything"],
    "checkpoint_ns": "other",
    "checkpoint_map": {"": "other"},
    "__pregel_checkpointer": "x",
    "__pregel_task_id": "mallory",
    "__pregel_resuming": True,
    "__own": "mallory",
}


@pytest.mark.ours_only("it believes the keys of `configurable` that it does not set itself")
@pytest.mark.parametrize("key", RESERVED)
async def test_configurable_never_decides_on_thread_user_or_insides(client: LangGraphClient, key: str) -> None:
    thread = await client.threads.create()
    config: Any = {"configurable": {key: RESERVED[key], "model": "m"}}
    done: Any = await client.runs.wait(thread["thread_id"], "safety_shows", input={}, config=config)
    seen = done["seen"]["configurable"]
    assert seen["model"] == "m"
    assert seen["thread_id"] == thread["thread_id"]
    assert "mallory" not in json.dumps(done) and "other" not in (seen["checkpoint_ns"], seen["checkpoint_map"])
    with pytest.raises(NotFoundError):
        await client.threads.get(OTHER_THREAD)


async def test_context_never_decides_on_the_thread(client: LangGraphClient) -> None:
    thread = await client.threads.create()
    context: Any = {"thread_id": OTHER_THREAD, "model": "m"}
    done: Any = await client.runs.wait(thread["thread_id"], "safety_shows", input={}, context=context)
    assert done["seen"]["configurable"]["thread_id"] == thread["thread_id"]
    assert (await client.threads.get_state(thread["thread_id"]))["values"] == done


@pytest.mark.ours_only("it hands such keys on")
async def test_context_never_reaches_the_insides(client: LangGraphClient) -> None:
    context: Any = {"__pregel_send": "mallory", "langgraph_auth_user": "mallory", "model": "m"}
    done: Any = await client.runs.wait(None, "safety_shows", input={}, context=context)
    assert "mallory" not in json.dumps(done)
    assert done["seen"]["context"] == {"model": "m"}


@pytest.mark.ours_only("it runs on the state of the thread that the body names")
async def test_a_checkpoint_never_names_another_thread(client: LangGraphClient) -> None:
    victim = await client.threads.create()
    await client.runs.wait(victim["thread_id"], "safety_keeps", input={"payload": "secret"})
    before = await client.threads.get_state(victim["thread_id"])
    thread = await client.threads.create()
    checkpoint: Any = {**before["checkpoint"], "thread_id": victim["thread_id"]}
    with_checkpoint: Any = {"checkpoint": checkpoint}
    try:
        done: Any = await client.runs.wait(thread["thread_id"], "safety_keeps", input={}, **with_checkpoint)
        assert "secret" not in json.dumps(done)
    except APIStatusError as refused:
        assert refused.status_code in (400, 404, 422)
    assert "secret" not in json.dumps(await client.threads.get_state(thread["thread_id"]))
    assert await client.threads.get_state(victim["thread_id"]) == before


@pytest.mark.ours_only("it accepts such a run and lets it fail")
async def test_callbacks_cannot_be_sent(http: httpx.AsyncClient) -> None:
    body = {"assistant_id": "safety_shows", "input": {}, "config": {"callbacks": ["x"]}}
    response = await http.post("/runs/wait", json=body)
    assert response.status_code == 422
    assert response.json() == {"detail": "config.callbacks cannot come from a client; take it out"}


async def test_a_huge_recursion_limit_is_no_error(client: LangGraphClient) -> None:
    done: Any = await client.runs.wait(None, "safety_shows", input={}, config={"recursion_limit": 10**9, "tags": ["t"]})
    assert done["seen"]["tags"] == ["t"]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ([1], '[1] is not of type "object"'),
        ({"tags": [1]}, '1 is not of type "string"'),
        ({"tags": "t"}, '"t" is not of type "array"'),
        ({"recursion_limit": "5"}, '"5" is not of type "integer"'),
        ({"configurable": 5}, '5 is not of type "object"'),
    ],
)
async def test_a_configuration_of_the_wrong_type_is_refused(http: httpx.AsyncClient, config: Any, said: str) -> None:
    response = await http.post("/runs/wait", json={"assistant_id": "safety_shows", "input": {}, "config": config})
    assert response.status_code == 422
    assert response.json()["detail"].startswith(said)
