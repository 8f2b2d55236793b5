"""What a run says in every stream mode: names, data and order of its events."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient

Json = Any
HI = {"messages": [{"role": "user", "content": "hi", "id": "h-1"}]}
UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
AI: Json = {
    "content": "",
    "additional_kwargs": {},
    "response_metadata": {},
    "type": "ai",
    "name": None,
    "id": "",
    "tool_calls": [],
    "invalid_tool_calls": [],
    "usage_metadata": None,
}
CHUNK = {**AI, "type": "AIMessageChunk", "tool_call_chunks": [], "chunk_position": None}
TOOL = {
    "content": "3",
    "additional_kwargs": {},
    "response_metadata": {},
    "type": "tool",
    "name": "add",
    "id": "tool-1",
    "tool_call_id": "call_1",
    "artifact": {"raw": 3},
    "status": "success",
}
HUMAN: Json = {
    "content": "hi",
    "additional_kwargs": {},
    "response_metadata": {},
    "type": "human",
    "name": None,
    "id": "h-1",
}
RUN_KEYS = {
    *("created_by", "graph_id", "assistant_id", "run_attempt", "langgraph_version", "langgraph_api_version"),
    *("langgraph_plan", "langgraph_host", "langgraph_api_url", "run_id"),
}
"""What the metadata of a run says of it, wherever metadata is shown."""
MODEL_KEYS = {
    *("thread_id", "ls_integration", "langgraph_step", "langgraph_node", "langgraph_triggers", "langgraph_path"),
    *("langgraph_checkpoint_ns", "checkpoint_ns", "ls_provider", "ls_model_type", "lc_versions"),
}
CONFIG_KEYS = {
    *("checkpoint_ns", "langgraph_auth_user", "langgraph_auth_user_id", "langgraph_auth_permissions"),
    *("langgraph_request_id", "__request_start_time_ms__", "__after_seconds__", "run_id", "thread_id", "graph_id"),
    *("assistant_id", "user_id", "checkpoint_id"),
}


class Frame(NamedTuple):
    name: str
    data: Json


class Said(NamedTuple):
    """A run's stream without the `metadata` that opens it and the `end` that our server adds."""

    thread_id: str
    run_id: str
    frames: list[Frame]

    @property
    def names(self) -> list[str]:
        return [frame.name for frame in self.frames]

    def of(self, name: str) -> list[Json]:
        return [frame.data for frame in self.frames if frame.name == name]


def frames_of(text: str) -> list[Frame]:
    """The events of a body; comments between them say nothing."""
    found = []
    for block in text.split("\r\n\r\n"):
        lines = [line for line in block.split("\r\n") if line and not line.startswith(":")]
        if lines:
            fields = dict(line.split(": ", 1) for line in lines)
            found.append(Frame(fields["event"], json.loads(fields["data"])))
    return found


async def stream(http: httpx.AsyncClient, graph: str, given: Json = None, *modes: str, **body: Json) -> Said:
    """A run on a thread of its own."""
    thread_id = (await http.post("/threads", json={})).json()["thread_id"]
    return await stream_on(http, thread_id, graph, given, *modes, **body)


async def stream_on(
    http: httpx.AsyncClient, thread_id: str | None, graph: str, given: Json = None, *modes: str, **body: Json
) -> Said:
    """A run on this thread, on one that is made for it alone where it is None."""
    if given is not None:
        body["input"] = given
    if modes:
        body["stream_mode"] = modes[0] if len(modes) == 1 else list(modes)
    path = f"/threads/{thread_id}/runs/stream" if thread_id else "/runs/stream"
    response = await http.post(path, json={"assistant_id": graph, **body})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    (name, opening), *frames = frames_of(response.text)
    assert name == "metadata"
    assert set(opening) == {"run_id", "attempt"}
    assert opening["attempt"] == 1
    if frames and frames[-1].name == "end":
        frames = frames[:-1]
    return Said(thread_id or "", opening["run_id"], frames)


def without_ids(name: str) -> str:
    return UUIDS.sub("ID", name)


def ai(text: str, key: str, **more: Json) -> Json:
    return {**AI, "content": text, "id": key, **more}


def chunk(text: str, key: str, **more: Json) -> Json:
    return {**CHUNK, "content": text, "id": key, **more}


# --- each mode alone --------------------------------------------------------------------------------------------

NESTED: dict[str, list[tuple[str, Json]]] = {
    "values": [
        ("values", {"trail": [], "note": "n"}),
        ("values", {"trail": ["top"], "note": "n"}),
        ("values", {"trail": ["top", "top", "mid", "top", "mid", "deep"], "note": "n"}),
    ],
    "updates": [
        ("updates", {"top": {"trail": ["top"]}}),
        ("updates", {"middle": {"trail": ["top", "mid", "top", "mid", "deep"], "note": "n"}}),
    ],
    "custom": [("custom", {"at": "top"}), ("custom", "text of top")],
    "messages": [],
    "messages-tuple": [],
}


@pytest.mark.parametrize("mode", NESTED)
async def test_a_mode_alone_says_its_events_and_no_others(http: httpx.AsyncClient, mode: str) -> None:
    said = await stream(http, "streams_nested", {"note": "n"}, mode)
    assert said.frames == NESTED[mode]


async def test_values_are_the_mode_when_none_is_asked_for(http: httpx.AsyncClient) -> None:
    assert (await stream(http, "streams_nested", {"note": "n"})).frames == NESTED["values"]


async def test_an_input_that_changes_nothing_is_not_told_as_values(http: httpx.AsyncClient) -> None:
    said = await stream(http, "steps", {}, "values")
    assert said.of("values") == [{"trail": ["a"]}, {"trail": ["a", "b"]}, {"trail": ["a", "b", "c"]}]


async def test_a_mode_in_a_list_is_the_mode_alone(http: httpx.AsyncClient) -> None:
    said = await stream(http, "steps", {}, stream_mode=["updates"])
    assert said.frames == [("updates", {name: {"trail": [name]}}) for name in "abc"]


async def test_an_empty_list_of_modes_is_values(http: httpx.AsyncClient) -> None:
    assert (await stream(http, "steps", {}, stream_mode=[])).names == ["values"] * 3


async def test_events_come_in_the_order_of_the_run_whatever_the_order_of_the_modes(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_nested", {"note": "n"}, "custom", "updates", "values")
    expected = ["values", "custom", "custom", "updates", "values", "updates", "values"]
    assert said.names == expected


async def test_a_node_that_says_nothing_is_an_update_of_null(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_fan", {}, "updates", "values")
    assert said.frames == [
        ("updates", {"quick": {"trail": ["quick"]}}),
        ("updates", {"slow": {"trail": ["slow"]}}),
        ("values", {"trail": ["quick", "slow"]}),
        ("updates", {"nothing": None}),
    ]


async def test_tasks_that_a_node_sends_off_are_updates_of_their_own(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_sending", {}, "updates")
    assert said.frames == [
        ("updates", {"plan": {"note": "planned"}}),
        ("updates", {"work": {"trail": ["work 1"]}}),
        ("updates", {"work": {"trail": ["work 2"]}}),
    ]


# --- the output schema ------------------------------------------------------------------------------------------


async def test_values_are_cut_to_the_output_schema(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_shown", {"note": "x"}, "values")
    assert said.of("values") == [{"trail": ["first"]}, {"trail": ["first", "last"]}]


async def test_updates_are_cut_to_the_output_schema(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_shown", {"note": "x"}, "updates")
    assert said.of("updates") == [{"first": {"trail": ["first"]}}, {"last": {"trail": ["last"]}}]


async def test_a_thread_keeps_every_channel_whatever_the_output_schema(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_shown", {"note": "x"}, "values")
    thread = (await http.get(f"/threads/{said.thread_id}")).json()
    assert thread["values"] == {"trail": ["first", "last"], "note": "x", "secret": "kept"}
    assert (thread["status"], thread["interrupts"], thread["error"]) == ("idle", {}, None)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("values", {"trail": ["first", "last"]}),
        ("updates", {"trail": ["first", "last"], "note": "x", "secret": "kept"}),
        ("custom", {"trail": ["first", "last"], "note": "x", "secret": "kept"}),
    ],
)
async def test_wait_answers_the_last_values_streamed_or_else_the_whole_state(
    http: httpx.AsyncClient, mode: str, expected: Json
) -> None:
    thread_id = (await http.post("/threads", json={})).json()["thread_id"]
    body = {"assistant_id": "streams_shown", "input": {"note": "x"}, "stream_mode": mode}
    assert (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json() == expected


# --- nested graphs ----------------------------------------------------------------------------------------------

DEEP = "|middle:ID|inner:ID"


async def test_nested_graphs_say_their_events_under_their_namespace(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_nested", {"note": "n"}, "values", "updates", "custom", stream_subgraphs=True)
    mid = "|middle:ID"
    assert [without_ids(name) for name in said.names] == [
        *("values", "custom", "custom", "updates", "values"),
        *(f"values{mid}", f"custom{mid}", f"custom{mid}", f"updates{mid}", f"values{mid}"),
        *(f"values{DEEP}", f"custom{DEEP}", f"custom{DEEP}", f"updates{DEEP}", f"values{DEEP}"),
        *(f"updates{mid}", f"values{mid}", "updates", "values"),
    ]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (
            "values",
            ["values", "values", *["values|middle:ID"] * 2, *[f"values{DEEP}"] * 2, "values|middle:ID", "values"],
        ),
        ("updates", ["updates", "updates|middle:ID", f"updates{DEEP}", "updates|middle:ID", "updates"]),
        ("custom", ["custom", "custom", *["custom|middle:ID"] * 2, *[f"custom{DEEP}"] * 2]),
        ("tasks", [*["tasks"] * 3, *["tasks|middle:ID"] * 3, *[f"tasks{DEEP}"] * 2, "tasks|middle:ID", "tasks"]),
    ],
)
async def test_a_mode_alone_is_told_of_nested_graphs_too(
    http: httpx.AsyncClient, mode: str, expected: list[str]
) -> None:
    said = await stream(http, "streams_nested", {"note": "n"}, mode, stream_subgraphs=True)
    assert [without_ids(name) for name in said.names] == expected


async def test_a_namespace_names_the_task_that_runs_the_nested_graph(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_nested", {"note": "n"}, "tasks", "custom", stream_subgraphs=True)
    task = next(data["id"] for name, data in said.frames if name == "tasks" and data["name"] == "middle")
    assert said.of(f"custom|middle:{task}") == [{"at": "mid"}, "text of mid"]


async def test_the_values_of_a_nested_graph_are_its_own(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_nested", {"note": "n"}, "values", stream_subgraphs=True)
    deep = [data for name, data in said.frames if without_ids(name) == f"values{DEEP}"]
    assert deep == [{"trail": ["top", "mid"], "note": "n"}, {"trail": ["top", "mid", "deep"], "note": "n"}]


async def test_nested_graphs_are_silent_unless_asked_for(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_nested", {"note": "n"}, "values", "updates", "custom", "debug", "tasks")
    assert not [name for name in said.names if "|" in name]


# --- messages-tuple ---------------------------------------------------------------------------------------------


async def test_messages_tuple_says_each_chunk_beside_its_metadata(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_chat", HI, "messages-tuple")
    asked = [message for message, _ in said.of("messages") if message["id"] == "ai-1"]
    assert asked == [
        *[chunk(text, "ai-1") for text in ("let", " ", "me", " ")],
        chunk("add", "ai-1", chunk_position="last"),
    ]


async def test_a_chunk_has_its_keys_in_order(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_chat", HI, "messages-tuple")
    message, _ = said.of("messages")[0]
    assert list(message) == list(CHUNK)


async def test_a_message_that_no_model_streamed_comes_whole(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_chat", HI, "messages-tuple")
    assert [message for message, _ in said.of("messages") if message["type"] == "tool"] == [TOOL]


async def test_the_metadata_of_a_chunk_names_run_thread_node_and_model(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_chat", HI, "messages-tuple")
    _, metadata = said.of("messages")[0]
    assert set(metadata) == RUN_KEYS | MODEL_KEYS
    assert metadata["run_id"] == said.run_id
    assert metadata["thread_id"] == said.thread_id
    assert metadata["graph_id"] == "streams_chat"
    assert UUID(metadata["assistant_id"])
    assert (metadata["created_by"], metadata["run_attempt"]) == ("system", 1)
    assert (metadata["langgraph_node"], metadata["langgraph_step"]) == ("ask", 1)
    assert metadata["langgraph_triggers"] == ["branch:to:ask"]
    assert metadata["langgraph_path"] == ["__pregel_pull", "ask"]
    assert without_ids(metadata["langgraph_checkpoint_ns"]) == "ask:ID"
    assert metadata["checkpoint_ns"] == metadata["langgraph_checkpoint_ns"]
    assert (metadata["ls_model_type"], metadata["ls_integration"]) == ("chat", "langchain_chat_model")


async def test_the_metadata_of_a_whole_message_has_no_model(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_chat", HI, "messages-tuple")
    metadata = next(metadata for message, metadata in said.of("messages") if message["id"] == "tool-1")
    gone = {"checkpoint_ns", "ls_provider", "ls_model_type", "lc_versions"}
    assert set(metadata) == (RUN_KEYS | MODEL_KEYS) - gone
    assert metadata["ls_integration"] == "langgraph"


async def test_the_tags_of_a_model_call_stand_in_its_metadata(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_chat", HI, "messages-tuple")
    tags = {message["id"]: metadata.get("tags") for message, metadata in said.of("messages")}
    assert (tags["ai-2"], tags["ai-1"]) == (["tagged"], None)


async def test_the_metadata_of_a_run_travels_with_its_messages(http: httpx.AsyncClient) -> None:
    said = await stream(
        http, "streams_chat", HI, "messages-tuple", metadata={"of_run": 1}, config={"metadata": {"of_config": 2}}
    )
    _, metadata = said.of("messages")[0]
    assert (metadata["of_run"], metadata["of_config"]) == (1, 2)


async def test_tool_calls_come_in_pieces(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_calling", {"messages": []}, "messages-tuple")
    told = [message for message, _ in said.of("messages") if message["id"] == "ai-3"]
    pieces = [message["tool_call_chunks"] for message in told]
    piece = {"name": None, "args": "", "id": None, "index": 0, "type": "tool_call_chunk"}
    assert pieces == [
        [],
        [{**piece, "name": "add", "id": "call_1"}],
        [{**piece, "args": '{"a": 1'}],
        [{**piece, "args": ', "b": 2}'}],
        [],
    ]
    assert told[1]["tool_calls"] == [{"name": "add", "args": {}, "id": "call_1", "type": "tool_call"}]
    assert told[4]["usage_metadata"] == {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    assert told[4]["response_metadata"] == {"finish_reason": "tool_calls"}


async def test_a_call_tagged_nostream_is_not_streamed(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_chat", HI, "messages-tuple", "messages")
    assert "ai-hidden-2" not in json.dumps([frame.data for frame in said.frames])


@pytest.mark.ours_only("its tag langsmith:nostream is documented to hide a call, and hides nothing")
@pytest.mark.parametrize("mode", ["messages", "messages-tuple"])
async def test_a_call_tagged_langsmith_nostream_is_not_streamed(http: httpx.AsyncClient, mode: str) -> None:
    said = await stream(http, "streams_chat", HI, mode)
    assert "ai-hidden" not in json.dumps([frame.data for frame in said.frames])


async def test_messages_of_a_nested_graph_come_whole_when_it_is_silent(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_chat_within", HI, "messages-tuple")
    assert [message for message, _ in said.of("messages")] == [ai("it is three", "ai-2")]
    assert said.of("messages")[0][1]["langgraph_node"] == "agent"


async def test_messages_of_a_nested_graph_are_streamed_under_its_namespace(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_chat_within", HI, "messages-tuple", stream_subgraphs=True)
    assert {without_ids(name) for name in said.names} == {"messages|agent:ID"}
    assert "".join(frame.data[0]["content"] for frame in said.frames) == "it is three"
    assert {frame.data[1]["langgraph_node"] for frame in said.frames} == {"answer"}


# --- messages ---------------------------------------------------------------------------------------------------


async def test_messages_grow_from_event_to_event(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_chat", HI, "messages")
    grown = [data for name, data in said.frames if name == "messages/partial" and data[0]["id"] == "ai-1"]
    assert grown == [[ai(text, "ai-1")] for text in ("let", "let ", "let me", "let me ", "let me add")]


async def test_metadata_comes_once_a_message_and_before_it(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_chat_within", HI, "messages", stream_subgraphs=True)
    assert said.names == ["messages/metadata", *["messages/partial"] * 5]
    assert list(said.frames[0].data) == ["ai-2"]
    assert list(said.frames[0].data["ai-2"]) == ["metadata"]
    assert set(said.frames[0].data["ai-2"]["metadata"]) == RUN_KEYS | MODEL_KEYS | {"tags"}


async def test_a_whole_message_is_complete(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_chat", HI, "messages")
    assert said.of("messages/complete") == [[TOOL]]


async def test_tool_calls_grow_with_their_message(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_calling", {"messages": []}, "messages")
    told = [data[0] for data in said.of("messages/partial") if data[0]["id"] == "ai-3"]
    call = {"name": "add", "id": "call_1", "type": "tool_call"}
    assert [message["tool_calls"] for message in told] == [
        [],
        [{**call, "args": {}}],
        [{**call, "args": {"a": 1}}],
        [{**call, "args": {"a": 1, "b": 2}}],
        [{**call, "args": {"a": 1, "b": 2}}],
    ]
    assert {message["content"] for message in told} == {"I "}
    assert "tool_call_chunks" not in told[1]


KINDS: dict[str, Json] = {
    "s-1": {**HUMAN, "type": "system", "content": "be kind", "id": "s-1"},
    "h-1": {
        **HUMAN,
        "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:x"}}],
    },
    "a-1": ai("hello", "a-1", response_metadata={"model_name": "fake"}, additional_kwargs={"k": 1}),
    "a-2": ai(
        "",
        "a-2",
        invalid_tool_calls=[{"type": "invalid_tool_call", "id": "c", "name": "x", "args": "{", "error": "bad"}],
    ),
}


@pytest.mark.parametrize("key", KINDS)
async def test_a_message_of_each_kind_is_complete_with_all_its_fields(http: httpx.AsyncClient, key: str) -> None:
    said = await stream(http, "streams_messages", {"messages": []}, "messages")
    assert [data for (data,) in said.of("messages/complete") if data["id"] == key] == [KINDS[key]]


@pytest.mark.parametrize("key", ["h-1", "a-1", "a-2"])
async def test_a_message_in_values_is_the_same_as_in_messages(http: httpx.AsyncClient, key: str) -> None:
    said = await stream(http, "streams_messages", {"messages": []}, "values")
    assert [message for message in said.frames[-1].data["messages"] if message["id"] == key] == [KINDS[key]]


async def test_a_message_of_the_input_is_a_whole_message_in_values(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_chat", HI, "values")
    assert said.of("values")[0] == {"messages": [HUMAN]}
    assert list(said.of("values")[0]["messages"][0]) == list(HUMAN)


async def test_asked_for_both_ways_messages_come_as_tuples(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_chat", HI, "messages", "messages-tuple")
    assert set(said.names) == {"messages"}


async def test_messages_are_told_between_the_values_around_them(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_chat_within", HI, "messages", "values", stream_subgraphs=True)
    partial = ["messages/metadata", *["messages/partial"] * 5]
    assert [without_ids(name) for name in said.names] == [
        "values",
        "values|agent:ID",
        *partial,
        "values|agent:ID",
        "values",
    ]


# --- tasks, checkpoints, debug ----------------------------------------------------------------------------------


async def test_a_task_is_told_when_it_starts_and_when_it_ends(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_nested", {"note": "n"}, "tasks")
    start, end = said.of("tasks")[:2]
    assert list(start) == ["id", "name", "input", "triggers", "metadata"]
    assert {**start, "metadata": 0} == {
        "id": start["id"],
        "name": "top",
        "input": {"trail": [], "note": "n"},
        "triggers": ["branch:to:top"],
        "metadata": 0,
    }
    assert set(start["metadata"]) == RUN_KEYS
    assert list(end) == ["id", "name", "error", "result", "interrupts"]
    assert end == {"id": start["id"], "name": "top", "error": None, "result": {"trail": ["top"]}, "interrupts": []}


async def test_a_task_that_was_sent_off_says_its_own_input(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_sending", {}, "tasks")
    sent = [data for data in said.of("tasks") if data["name"] == "work" and "input" in data]
    assert [(data["input"], data["triggers"]) for data in sent] == [({"n": n}, ["__pregel_push"]) for n in (1, 2)]


async def test_a_checkpoint_is_told_with_config_values_and_what_comes_next(http: httpx.AsyncClient) -> None:
    said = await stream(http, "steps", {"note": "n"}, "checkpoints")
    told = said.of("checkpoints")
    assert list(told[0]) == ["config", "parent_config", "values", "metadata", "next", "tasks"]
    assert [data["next"] for data in told] == [["__start__"], ["a"], ["b"], ["c"], []]
    assert [data["metadata"]["source"] for data in told] == ["input", *["loop"] * 4]
    assert [data["metadata"] for data in told[1:2]] == [{"source": "loop", "step": 0, "parents": {}}]
    assert told[-1]["values"] == {"trail": ["a", "b", "c"], "note": "n"}
    assert told[-1]["tasks"] == []


async def test_a_task_in_a_checkpoint_says_id_name_interrupts_and_state(http: httpx.AsyncClient) -> None:
    said = await stream(http, "steps", {}, "checkpoints")
    (task,) = said.of("checkpoints")[1]["tasks"]
    assert {**task, "id": 0} == {"id": 0, "name": "a", "interrupts": [], "state": None}


async def test_a_checkpoints_config_names_run_thread_and_checkpoint(http: httpx.AsyncClient) -> None:
    said = await stream(http, "steps", {}, "checkpoints")
    first, second = said.of("checkpoints")[:2]
    assert list(first["config"]) == ["configurable"]
    configurable = first["config"]["configurable"]
    assert set(configurable) == CONFIG_KEYS
    assert configurable["thread_id"] == said.thread_id
    assert configurable["run_id"] == said.run_id
    assert configurable["checkpoint_ns"] == ""
    assert configurable["langgraph_auth_user"] is None
    assert first["parent_config"] is None
    assert second["parent_config"]["configurable"]["checkpoint_id"] == configurable["checkpoint_id"]


async def test_without_durability_on_the_way_checkpoints_are_told_all_the_same(http: httpx.AsyncClient) -> None:
    said = await stream(http, "steps", {}, "checkpoints", durability="exit")
    assert [data["next"] for data in said.of("checkpoints")] == [["__start__"], ["a"], ["b"], ["c"], []]
    assert {data["parent_config"] is None for data in said.of("checkpoints")} == {True}


async def test_debug_wraps_checkpoints_and_tasks_with_step_and_time(http: httpx.AsyncClient) -> None:
    said = await stream(http, "steps", {}, "debug")
    told = said.of("debug")
    assert [(data["step"], data["type"]) for data in told[:5]] == [
        *[(-1, "checkpoint"), (0, "checkpoint"), (1, "task"), (1, "task_result"), (1, "checkpoint")],
    ]
    assert Counter(data["type"] for data in told) == {"checkpoint": 5, "task": 3, "task_result": 3}
    assert {tuple(data) for data in told} == {("step", "timestamp", "type", "payload")}
    assert datetime.fromisoformat(told[0]["timestamp"]).tzinfo is not None


async def test_a_debug_checkpoint_names_itself_and_its_parent(http: httpx.AsyncClient) -> None:
    said = await stream(http, "steps", {}, "debug")
    first, second = [data["payload"] for data in said.of("debug") if data["type"] == "checkpoint"][:2]
    own = {
        "checkpoint_id": first["config"]["configurable"]["checkpoint_id"],
        "thread_id": said.thread_id,
        "checkpoint_ns": "",
    }
    assert first["checkpoint"] == own
    assert first["parent_checkpoint"] is None
    assert second["parent_checkpoint"] == own
    keys = ["config", "parent_config", "values", "metadata", "next", "tasks", "checkpoint", "parent_checkpoint"]
    assert list(first) == keys


async def test_in_debug_a_task_with_a_graph_of_its_own_names_that_graphs_checkpoint(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_nested", {"note": "n"}, "debug")
    payload = next(
        d["payload"] for d in said.of("debug") if d["type"] == "checkpoint" and d["payload"]["next"] == ["middle"]
    )
    (task,) = payload["tasks"]
    assert task == {
        "id": task["id"],
        "name": "middle",
        "interrupts": [],
        "checkpoint": {"thread_id": said.thread_id, "checkpoint_ns": f"middle:{task['id']}"},
    }


async def test_in_checkpoints_the_same_task_names_it_as_a_config(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_nested", {"note": "n"}, "checkpoints")
    (task,) = next(data["tasks"] for data in said.of("checkpoints") if data["next"] == ["middle"])
    config = {"configurable": {"thread_id": said.thread_id, "checkpoint_ns": f"middle:{task['id']}"}}
    assert task == {"id": task["id"], "name": "middle", "interrupts": [], "state": config}


async def test_a_nested_debug_checkpoint_maps_the_checkpoints_around_it(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_nested", {"note": "n"}, "debug", stream_subgraphs=True)
    name, data = next(frame for frame in said.frames if without_ids(frame.name) == "debug|middle:ID")
    checkpoint = data["payload"]["checkpoint"]
    assert set(checkpoint) == {"checkpoint_id", "thread_id", "checkpoint_ns", "checkpoint_map"}
    assert checkpoint["checkpoint_ns"] == name.removeprefix("debug|")
    assert set(checkpoint["checkpoint_map"]) == {"", checkpoint["checkpoint_ns"]}


async def test_the_last_debug_checkpoint_is_the_threads_state(http: httpx.AsyncClient) -> None:
    said = await stream(http, "steps", {}, "debug")
    last = [data["payload"] for data in said.of("debug") if data["type"] == "checkpoint"][-1]
    state = (await http.get(f"/threads/{said.thread_id}/state")).json()
    assert state["checkpoint"]["checkpoint_id"] == last["checkpoint"]["checkpoint_id"]
    assert state["values"] == last["values"]


# --- events -----------------------------------------------------------------------------------------------------


async def test_events_are_langchains_own_from_start_to_end(http: httpx.AsyncClient) -> None:
    said = await stream(http, "steps", {}, "events")
    each = ["on_chain_start", "on_chain_stream", "on_chain_end"]
    assert [data["event"] for data in said.of("events")] == ["on_chain_start", *each * 3, "on_chain_end"]
    assert [data["name"] for data in said.of("events")] == ["steps", *"aaabbbccc", "steps"]


async def test_the_outermost_event_is_the_run_itself(http: httpx.AsyncClient) -> None:
    said = await stream(http, "steps", {"note": "n"}, "events")
    first, last = said.frames[0].data, said.frames[-1].data
    assert (first["run_id"], first["parent_ids"], first["tags"]) == (said.run_id, [], [])
    assert first["data"] == {"input": {"note": "n"}}
    assert last["data"] == {"output": {"trail": ["a", "b", "c"], "note": "n"}}
    assert set(first["metadata"]) == RUN_KEYS | {"thread_id", "ls_integration"}


async def test_an_event_of_a_node_names_its_parent_and_step(http: httpx.AsyncClient) -> None:
    said = await stream(http, "steps", {}, "events")
    start = said.frames[1].data
    assert (start["parent_ids"], start["tags"]) == ([said.run_id], ["graph:step:1"])
    assert start["data"] == {"input": {"trail": []}}
    assert set(start) == {"event", "data", "name", "tags", "run_id", "metadata", "parent_ids"}


async def test_events_of_a_model_carry_its_chunks(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_chat", HI, "events")
    told = [data for data in said.of("events") if data["name"] == "GenericFakeChatModel"]
    asked = [data for data in told if data["metadata"]["langgraph_node"] == "ask"]
    assert [data["event"] for data in asked] == [
        *["on_chat_model_start", *["on_chat_model_stream"] * 5, "on_chat_model_end"],
    ]
    assert asked[0]["data"] == {"input": {"messages": [[HUMAN]]}}
    assert asked[1]["data"] == {"chunk": chunk("let", "ai-1")}
    assert asked[-1]["data"]["output"] == ai("let me add", "ai-1")


async def test_an_event_of_an_applications_own_is_told(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_seeing", {}, "events")
    (custom,) = [data for data in said.of("events") if data["event"] == "on_custom_event"]
    assert (custom["name"], custom["data"]) == ("seen", {"a": 1})


async def test_other_modes_stand_between_the_events(http: httpx.AsyncClient) -> None:
    said = await stream(http, "steps", {}, "events", "values", "updates")
    each = ["events", "events", "events", "updates", "values"]
    assert said.names == ["events", *each * 3, "events"]
    assert said.of("values")[-1] == {"trail": ["a", "b", "c"]}


async def test_beside_events_nested_graphs_keep_their_namespaces(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_nested", {"note": "n"}, "events", "values", stream_subgraphs=True)
    assert Counter(without_ids(name) for name in said.names if name != "events") == {
        "values": 3,
        "values|middle:ID": 3,
        f"values{DEEP}": 2,
    }


# --- interrupts -------------------------------------------------------------------------------------------------


def asked(data: Mapping[str, Json]) -> list[Json]:
    """What the questions of an event ask."""
    assert all(set(one) == {"value", "id", "response_schema"} for one in data["__interrupt__"])
    return [one["value"]["question"] for one in data["__interrupt__"]]


async def test_a_question_is_told_in_values_beside_the_state(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_interrupting", {"many": False}, "values")
    assert said.of("values")[0] == {"answers": [], "many": False}
    last = said.of("values")[-1]
    assert list(last) == ["answers", "many", "__interrupt__"]
    assert asked(last) == ["one"]
    assert len(last["__interrupt__"][0]["id"]) == 32


async def test_a_question_is_told_in_updates_alone(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_interrupting", {"many": False}, "updates")
    assert [list(data) for data in said.of("updates")] == [["__interrupt__"]]
    assert asked(said.of("updates")[0]) == ["one"]


@pytest.mark.parametrize("mode", ["values", "updates"])
async def test_several_questions_are_told_one_by_one(http: httpx.AsyncClient, mode: str) -> None:
    said = await stream(http, "streams_interrupting", {"many": True}, mode)
    assert [asked(data) for data in said.of(mode) if "__interrupt__" in data] == [["one"], ["two"]]


async def test_a_question_is_told_in_updates_before_values(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_interrupting", {"many": False}, "values", "updates")
    assert said.names == ["values", "updates", "values"]


async def test_a_question_ends_its_task_in_tasks_and_debug(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_interrupting", {"many": False}, "tasks", "debug")
    end = said.of("tasks")[-1]
    assert end["interrupts"] == [
        {"value": {"question": "one"}, "id": end["interrupts"][0]["id"], "response_schema": None}
    ]
    assert (end["result"], end["error"]) == ({}, None)
    assert said.of("debug")[-1]["payload"] == end


async def test_the_questions_of_a_nested_graph_are_the_outer_graphs_too(http: httpx.AsyncClient) -> None:
    said = await stream(
        http, "streams_interrupting_within", {"many": False}, "values", "updates", stream_subgraphs=True
    )
    assert [without_ids(name) for name in said.names] == [
        *("values", "values|inside:ID", "updates|inside:ID", "values|inside:ID", "updates", "values"),
    ]
    assert asked(said.frames[-1].data) == ["one"]


async def test_a_silent_nested_graphs_questions_come_together(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_interrupting_within", {"many": True}, "updates")
    assert [sorted(asked(data)) for data in said.of("updates")] == [["one", "two"]]


async def test_a_thread_shows_its_questions_by_task(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_interrupting", {"many": True}, "values")
    thread = (await http.get(f"/threads/{said.thread_id}")).json()
    assert thread["status"] == "interrupted"
    assert thread["values"] == {"answers": [], "many": True}
    shown = sorted(thread["interrupts"].values(), key=str)
    assert sorted(one["value"]["question"] for some in shown for one in some) == ["one", "two"]
    assert [list(one) for some in shown for one in some] == [["id", "value"]] * 2
    assert all(UUID(task) for task in thread["interrupts"])


@pytest.mark.parametrize("subgraphs", [False, True])
async def test_a_thread_shows_the_questions_of_a_nested_graph(http: httpx.AsyncClient, subgraphs: bool) -> None:
    said = await stream(http, "streams_interrupting_within", {"many": True}, "tasks", stream_subgraphs=subgraphs)
    thread = (await http.get(f"/threads/{said.thread_id}")).json()
    tasks = {data["name"]: data["id"] for data in (frame.data for frame in said.frames)}
    expected = {tasks["one"], tasks["two"]} if subgraphs else {tasks["inside"]}
    assert set(thread["interrupts"]) == expected
    assert sum(map(len, thread["interrupts"].values())) == 2


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"input": {"many": False}}, {"answers", "many", "__interrupt__"}),
        ({"input": {"many": False}, "stream_mode": "updates"}, {"__interrupt__"}),
        ({"input": {"many": True}}, {"__interrupt__"}),
    ],
    ids=["one", "one in updates", "two"],
)
async def test_wait_answers_with_the_questions(http: httpx.AsyncClient, body: Json, expected: set[str]) -> None:
    thread_id = (await http.post("/threads", json={})).json()["thread_id"]
    body = {"assistant_id": "streams_interrupting", **body}
    answer = (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json()
    assert set(answer) == expected
    assert len(answer["__interrupt__"]) == (2 if body["input"]["many"] else 1)


async def test_an_answer_goes_on_where_the_question_was(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_interrupting", {"many": False}, "values")
    after = await stream_on(
        http, said.thread_id, "streams_interrupting", None, "values", "updates", command={"resume": {"say": 1}}
    )
    assert after.frames == [
        ("values", {"answers": [], "many": False}),
        ("updates", {"one": {"answers": [{"one": {"say": 1}}]}}),
        ("values", {"answers": [{"one": {"say": 1}}], "many": False}),
    ]


async def test_of_two_questions_one_is_answered_by_id_and_one_stays(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_interrupting", {"many": True}, "updates")
    first, second = [data["__interrupt__"][0]["id"] for data in said.of("updates")]
    after = await stream_on(
        http, said.thread_id, "streams_interrupting", None, "updates", command={"resume": {second: "yes"}}
    )
    assert {"two": {"answers": [{"two": "yes"}]}} in after.of("updates")
    thread = (await http.get(f"/threads/{said.thread_id}")).json()
    assert thread["status"] == "interrupted"
    assert [one["id"] for some in thread["interrupts"].values() for one in some] == [first]


async def test_a_command_goes_to_a_node_and_updates_the_state(http: httpx.AsyncClient) -> None:
    said = await stream(http, "steps", {}, "values")
    after = await stream_on(
        http, said.thread_id, "steps", None, "updates", command={"goto": "c", "update": {"note": "changed"}}
    )
    assert {"c": {"trail": ["c"]}} in after.of("updates")
    thread = (await http.get(f"/threads/{said.thread_id}")).json()
    assert thread["values"]["note"] == "changed"


async def test_a_command_sends_a_node_its_own_input(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_sending", {}, "values")
    goto = {"node": "work", "input": {"n": 7}}
    after = await stream_on(http, said.thread_id, "streams_sending", None, "updates", command={"goto": goto})
    assert {"work": {"trail": ["work 7"]}} in after.of("updates")


async def test_a_command_sends_off_several(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_sending", {}, "values")
    goto = [{"node": "work", "input": {"n": n}} for n in (7, 8)]
    after = await stream_on(http, said.thread_id, "streams_sending", None, "updates", command={"goto": goto})
    assert [data["work"]["trail"] for data in after.of("updates") if "work" in data] == [["work 7"], ["work 8"]]


async def test_before_a_breakpoint_the_run_stops(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_nested", {"note": "x"}, "values", "updates", interrupt_before=["middle"])
    assert said.frames == [
        ("values", {"trail": [], "note": "x"}),
        ("updates", {"top": {"trail": ["top"]}}),
        ("values", {"trail": ["top"], "note": "x"}),
        ("updates", {"__interrupt__": []}),
    ]
    thread = (await http.get(f"/threads/{said.thread_id}")).json()
    assert (thread["status"], thread["interrupts"]) == ("interrupted", {})


@pytest.mark.parametrize("where", ["interrupt_before", "interrupt_after"])
async def test_a_star_stops_at_every_node(http: httpx.AsyncClient, where: str) -> None:
    first = await stream(http, "steps", {}, "updates", **{where: "*"})
    second = await stream_on(http, first.thread_id, "steps", None, "updates", **{where: "*"})
    stops: tuple[str, Json] = ("updates", {"__interrupt__": []})
    if where == "interrupt_after":
        assert first.frames == [("updates", {"a": {"trail": ["a"]}}), stops]
        assert second.frames == [("updates", {"b": {"trail": ["b"]}}), stops]
    else:
        assert first.frames == [stops]
        assert second.frames == [("updates", {"a": {"trail": ["a"]}}), stops]


async def test_no_input_goes_on_from_a_breakpoint(http: httpx.AsyncClient) -> None:
    said = await stream(http, "steps", {}, "updates", interrupt_before=["b"])
    after = await stream_on(http, said.thread_id, "steps", None, "updates")
    assert after.frames == [("updates", {"b": {"trail": ["b"]}}), ("updates", {"c": {"trail": ["c"]}})]


# --- errors -----------------------------------------------------------------------------------------------------

HIDDEN = "An internal error occurred"
ERRORS = {
    "value": ("ValueError", "it broke: ü"),
    "own": ("Refused", HIDDEN),
    "derived": ("Derived", "mine"),
    "empty": ("RuntimeError", ""),
    "key": ("KeyError", "'missing'"),
    "type": ("TypeError", "kind"),
    "attribute": ("AttributeError", "attr"),
    "timeout": ("TimeoutError", ""),
    "timeout_text": ("TimeoutError", "too slow"),
    "recursion": ("RecursionError", "rec"),
    "not_implemented": ("NotImplementedError", "later"),
    "json": ("JSONDecodeError", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    "task_not_found": ("TaskNotFound", "which"),
    "empty_input": ("EmptyInputError", "mine as well"),
    "graph_recursion": ("GraphRecursionError", "mine too"),
    "cancel": ("NodeCancelledError", HIDDEN),
    "group": ("ValueError", "one"),
    "index": ("IndexError", HIDDEN),
    "zero": ("ZeroDivisionError", HIDDEN),
    "os": ("FileNotFoundError", HIDDEN),
    "connection": ("ConnectionError", HIDDEN),
    "assert": ("AssertionError", HIDDEN),
    "exception": ("Exception", HIDDEN),
    "httpx": ("ConnectError", HIDDEN),
    "sqlite": ("OperationalError", HIDDEN),
    "langchain": ("LangChainException", HIDDEN),
    "nul": ("ValueError", "a\ufffdb"),
}


@pytest.mark.parametrize("wish", ERRORS)
async def test_an_error_is_the_last_event(http: httpx.AsyncClient, wish: str) -> None:
    said = await stream(http, "streams_failing", {"wish": wish}, "values")
    error, message = ERRORS[wish]
    assert said.frames == [("values", {"wish": wish}), ("error", {"error": error, "message": message})]


async def test_an_error_is_told_by_the_thread_and_by_wait(http: httpx.AsyncClient) -> None:
    thread_id = (await http.post("/threads", json={})).json()["thread_id"]
    body = {"assistant_id": "streams_failing", "input": {"wish": "value"}}
    answer = (await http.post(f"/threads/{thread_id}/runs/wait", json=body)).json()
    told = {"error": "ValueError", "message": "it broke: ü"}
    assert answer == {"__error__": told}
    thread = (await http.get(f"/threads/{thread_id}")).json()
    assert (thread["status"], thread["error"], thread["values"]) == ("error", told, {"wish": "value"})


async def test_the_steps_of_a_run_are_bounded(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_failing", {"wish": "loop"}, "updates", config={"recursion_limit": 5})
    assert said.names == [*["updates"] * 5, "error"]
    assert said.frames[-1].data["error"] == "GraphRecursionError"
    assert said.frames[-1].data["message"].startswith("Recursion limit of 5 reached without hitting a stop condition.")


async def test_an_answer_of_the_wrong_kind_is_an_error(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_failing", {"wish": "text"}, "values")
    assert said.frames[-1].data["error"] == "InvalidUpdateError"
    assert said.frames[-1].data["message"].startswith("Expected dict, got no dict")


async def test_a_write_to_a_channel_that_is_not_there_changes_nothing(http: httpx.AsyncClient) -> None:
    said = await stream(http, "streams_failing", {"wish": "write"}, "values")
    assert said.frames == [("values", {"wish": "write"})]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        ("value", {"error": "ValueError", "message": "it broke: ü"}),
        ("own", {"error": "Refused", "message": HIDDEN}),
        ("group", {"error": "ExceptionGroup", "message": HIDDEN}),
    ],
)
async def test_a_task_that_failed_says_its_error(http: httpx.AsyncClient, wish: str, expected: Json) -> None:
    said = await stream(http, "streams_failing", {"wish": wish}, "tasks")
    assert said.names == ["tasks", "tasks", "error"]
    assert said.of("tasks")[-1]["error"] == expected


# --- values that are no JSON ------------------------------------------------------------------------------------

ODD: dict[str, Json] = {
    "none": None,
    "nan": None,
    "inf": None,
    "float": 1e22,
    "int_63": 2**63,
    "tuple": [1, 2],
    "set": [1],
    "frozenset": ["a"],
    "deque": [1, 2],
    "bytes": "YWJj",
    "bytes_odd": "/wA=",
    "bytearray": "YWJj",
    "memoryview": None,
    "complex": None,
    "decimal": 1.5,
    "decimal_int": 2,
    "fraction": None,
    "datetime": "2026-01-02T03:04:05.000006",
    "datetime_utc": "2026-01-02T03:04:05+00:00",
    "date": "2026-01-02",
    "time": "01:02:03",
    "timedelta": 86402.5,
    "uuid": "00000000-0000-0000-0000-000000000007",
    "enum": "red",
    "int_enum": 3,
    "dataclass": {"x": 1, "y": [2]},
    "named_tuple": {"left": 1, "right": "b"},
    "model": {"name": "m", "when": "2026-01-02T00:00:00+00:00", "point": {"x": 1, "y": 2}, "blob": "YWJj"},
    "model_class": None,
    "secret": None,
    "plain": None,
    "dumps": {"by": "dict"},
    "to_dict": None,
    "class": None,
    "function": None,
    "exception": {"error": "ValueError", "message": "('bad', 2)"},
    "interrupt": {"value": {"a": 1}, "id": "i-1", "response_schema": None},
    "send": {"node": "node", "args": {"a": 1}},
    "command": {"graph": None, "update": {"a": 1}, "resume": 2, "goto": "x"},
    "overwrite": {"value": [1], "type": "__overwrite__"},
    "document": {"id": "d-1", "metadata": {"m": 1}, "page_content": "text", "type": "Document"},
    "message": {**HUMAN},
    "path": None,
    "pattern": "a+",
    "ip": "10.0.0.1",
    "range": None,
    "generator": None,
    "keys": {"1": "int", "null": "none", "false": "bool", "1.5": "float", str(UUID(int=1)): "uuid"},
    "enum_keys": {"red": 1},
    "surrogate": "a?b",
    "surrogate_key": {"?": 1},
    "nul": "a\ufffdb",
    "lc": {"lc": 1, "type": "constructor", "id": ["a"], "kwargs": {}},
    "dict_subclass": {"a": 1},
    "str_subclass": "s",
    "list_subclass": [1],
    "tuple_in_set": [[1, 2]],
    "nested": {"a": [{"x": 1, "y": "red"}, {"b": [3]}]},
}


@pytest.mark.parametrize("which", ODD)
async def test_a_value_that_is_no_json_is_told_as_data(http: httpx.AsyncClient, which: str) -> None:
    said = await stream_on(http, None, "streams_odd", {"which": which}, "custom")
    assert said.frames == [("custom", ODD[which])]


@pytest.mark.ours_only("the run fails there: an integer beyond 64 bits, a key that is a tuple")
@pytest.mark.parametrize(("which", "expected"), [("int_big", 2.0**70), ("tuple_keys", {"(1, 2)": "tuple"})])
async def test_no_value_fails_a_run(http: httpx.AsyncClient, which: str, expected: Json) -> None:
    said = await stream_on(http, None, "streams_odd", {"which": which}, "custom")
    assert said.frames == [("custom", expected)]


# --- configuration ----------------------------------------------------------------------------------------------


async def see(http: httpx.AsyncClient, graph: str = "streams_seeing", **body: Json) -> Json:
    said = await stream(http, graph, {}, "values", **body)
    return said.frames[-1].data["seen"] | {"run": said.run_id, "thread": said.thread_id}


async def test_a_node_sees_which_run_thread_graph_and_assistant_it_works_for(http: httpx.AsyncClient) -> None:
    seen = await see(http)
    configurable = seen["configurable"]
    assert (configurable["run_id"], configurable["thread_id"]) == (seen["run"], seen["thread"])
    assert configurable["graph_id"] == "streams_seeing"
    assert UUID(configurable["assistant_id"])
    assert UUID(configurable["langgraph_request_id"])
    assert (configurable["langgraph_auth_user"], configurable["langgraph_auth_user_id"]) == (None, "")
    assert configurable["user_id"] == ""
    assert seen["context"] is None


async def test_context_is_cut_to_its_schema_and_mirrored_into_configurable(http: httpx.AsyncClient) -> None:
    seen = await see(http, context={"model": "m", "extra": 1, "other": 2})
    assert seen["context"] == {"model": "m", "extra": 1}
    assert (seen["configurable"]["model"], seen["configurable"]["extra"]) == ("m", 1)
    assert "other" not in seen["configurable"]


async def test_configurable_is_the_context_of_newer_nodes(http: httpx.AsyncClient) -> None:
    seen = await see(http, config={"configurable": {"model": "m", "other": 2}})
    assert seen["context"] == {"model": "m"}
    assert (seen["configurable"]["model"], seen["configurable"]["other"]) == ("m", 2)


@pytest.mark.parametrize("body", [{"context": {"a": 1}}, {"config": {"configurable": {"a": 1}}}], ids=str)
async def test_without_a_schema_context_and_configurable_are_the_same(http: httpx.AsyncClient, body: Json) -> None:
    seen = await see(http, "streams_seeing_freely", **body)
    assert seen["context"] == {"a": 1}
    assert seen["configurable"]["a"] == 1


async def test_tags_limits_and_metadata_reach_the_nodes(http: httpx.AsyncClient) -> None:
    config = {"tags": ["t1"], "recursion_limit": 7, "max_concurrency": 3, "metadata": {"of_config": 1}}
    seen = await see(http, config=config, metadata={"of_run": 2})
    assert (seen["tags"], seen["recursion_limit"], seen["max_concurrency"]) == (["t1"], 7, 3)
    metadata = seen["metadata"]
    assert (metadata["of_config"], metadata["of_run"]) == (1, 2)
    assert (metadata["run_id"], metadata["thread_id"]) == (seen["run"], seen["thread"])
    assert metadata["created_by"] == "system"


# --- without a thread, and through the SDK ----------------------------------------------------------------------


@pytest.mark.parametrize("mode", NESTED)
async def test_a_run_without_a_thread_says_the_same(http: httpx.AsyncClient, mode: str) -> None:
    said = await stream_on(http, None, "streams_nested", {"note": "n"}, mode)
    assert said.frames == NESTED[mode]


@pytest.mark.parametrize("mode", ["values", "updates", "custom"])
async def test_the_sdk_reads_each_mode(client: LangGraphClient, mode: Any) -> None:
    thread = await client.threads.create()
    parts = client.runs.stream(thread["thread_id"], "streams_nested", input={"note": "n"}, stream_mode=mode)
    told = [(part.event, part.data) async for part in parts if part.event not in ("metadata", "end")]
    assert told == NESTED[mode]


def test_the_sdk_reads_several_modes_synchronously(sync_client: SyncLangGraphClient) -> None:
    parts = sync_client.runs.stream(None, "steps", input={}, stream_mode=["values", "updates"])
    names = [part.event for part in parts if part.event not in ("metadata", "end")]
    assert names == ["updates", "values"] * 3


async def test_the_sdk_reads_nested_graphs(client: LangGraphClient) -> None:
    parts = client.runs.stream(None, "streams_nested", input={"note": "n"}, stream_mode="custom", stream_subgraphs=True)
    told = [without_ids(part.event) async for part in parts if part.event not in ("metadata", "end")]
    assert told == ["custom", "custom", *["custom|middle:ID"] * 2, *[f"custom{DEEP}"] * 2]


async def test_the_sdk_reads_messages_as_tuples(client: LangGraphClient) -> None:
    parts = client.runs.stream(None, "tokens", input={"messages": []}, stream_mode="messages-tuple")
    texts = [part.data[0]["content"] async for part in parts if part.event == "messages"]
    assert texts == " ".join(f"w{n}" for n in range(100)).replace(" ", "\0 \0").split("\0")
