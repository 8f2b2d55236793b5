"""What remote models answer, over the providers' real clients."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from pydantic import BaseModel

from graphs.orchestrator import build
from graphs.services import Services, lab_tools
from llm.models import LocalModels
from llm.responses.cache import ResponseCache
from state.context import Context
from state.errors import BadRequest
from state.models import CallMetrics, Sampling
from tests.integration.providers.models import SECRET, Kind, ask_all_ways, calculator, card_of, open_remotes
from tests.integration.providers.wire import Remote, Reply


class Weather(BaseModel):
    """Weather of a day."""

    sunny: bool


async def test_every_way_of_asking_gives_the_answer_with_usage_and_costs(
    models: LocalModels, kind: Kind, server: Remote
) -> None:
    streamed = kind.stream("Hel", "lo ", "there.")
    server.says(kind.whole(), kind.whole(), streamed, streamed)
    for number, answer in enumerate(await ask_all_ways(models.chat("far"))):
        assert answer.text == "Hello there."
        said = answer.response_metadata
        metrics = CallMetrics.model_validate({name: said[name] for name in CallMetrics.model_fields})
        assert (metrics.model_name, metrics.strategy, metrics.cache_hit) == ("far", "remote", True)
        assert (metrics.prompt_tokens, metrics.tokens_generated, metrics.load_time_sec) == (11, 3, 0.0)
        assert metrics.total_time_sec > 0
        assert said["finish_reason"] == "stop"
        assert said["provider_model"] == ("clever-1" if kind.provider == "anthropic" else "big-1")
        assert answer.usage_metadata["total_tokens"] == 14
        first = metrics.time_to_first_token_sec
        assert (first is None) if number < 2 else (first is not None and 0 < first <= metrics.total_time_sec)
        if kind.provider != "anthropic":
            assert metrics.prompt_tokens_reused == 8


async def test_chunks_come_one_by_one(models: LocalModels, kind: Kind, server: Remote) -> None:
    server.says(kind.stream("Hel", "lo ", "there."))
    chunks = [chunk async for chunk in models.chat("far").astream("hello")]
    assert [chunk.text for chunk in chunks if chunk.text] == ["Hel", "lo ", "there."]
    assert [chunk.chunk_position for chunk in chunks if isinstance(chunk, AIMessageChunk)][-1] == "last"


async def test_the_request_says_what_was_asked_for(models: LocalModels, kind: Kind, server: Remote) -> None:
    server.says(kind.whole())
    chat = models.chat("far", sampling=Sampling(temperature=0.5, max_tokens=9, seed=4, top_p=0.9, top_k=5))
    answer = await chat.ainvoke("hello", stop=["END"])
    (asked,) = server.asked
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    body = asked.body
    assert body["model"] == "big" and body["temperature"] == 0.5
    limit = "max_completion_tokens" if kind.provider == "openai" else "max_tokens"
    assert body[limit] == 9
    assert body["stop_sequences" if kind.provider == "anthropic" else "stop"] == ["END"]
    told = answer.response_metadata.get("ignored_settings", [])
    if kind.provider == "openai":
        assert (body["seed"], body["top_p"], told) == (4, 0.9, ["top_k"])
        assert "top_k" not in body
    elif kind.provider == "anthropic":
        assert (body["top_k"], told) == (5, ["seed", "top_p"])
        assert not {"seed", "top_p"} & body.keys()
    else:
        assert (body["seed"], body["top_p"], body["top_k"], told) == (4, 0.9, 5, [])


async def test_a_card_may_say_that_its_model_takes_no_temperature(tmp_path: Path, kind: Kind, server: Remote) -> None:
    server.says(kind.whole())
    with open_remotes(tmp_path, {"far": card_of(kind, server, settings=["max_tokens"])}) as models:
        answer = await models.chat("far").ainvoke("hello")
    assert "temperature" not in server.asked[0].body
    assert 77 in server.asked[0].body.values()
    assert answer.response_metadata["ignored_settings"] == ["temperature"]


async def test_tools_are_called(models: LocalModels, kind: Kind, server: Remote) -> None:
    server.says(kind.whole(call=True), kind.whole(call=True), kind.stream(call=True), kind.stream(call=True))
    chat = models.chat("far").bind_tools([calculator], tool_choice="any")
    for answer in await ask_all_ways(chat):  # type: ignore[arg-type]
        assert [(call["name"], call["args"]) for call in answer.tool_calls] == [("calculator", {"expression": "2+2"})]
        assert answer.response_metadata["finish_reason"] == "tool_calls"
    first = server.asked[0].body["tools"][0]
    assert (first if kind.provider == "anthropic" else first["function"])["name"] == "calculator"
    assert server.asked[0].body["tool_choice"] == ({"type": "any"} if kind.provider == "anthropic" else "required")


async def test_tools_switched_off_are_not_sent(models: LocalModels, kind: Kind, server: Remote) -> None:
    server.says(kind.whole())
    await models.chat("far").bind_tools([calculator], tool_choice="none").ainvoke("hello")
    assert not {"tools", "tool_choice"} & server.asked[0].body.keys()


async def test_structured_output_is_the_providers_own(models: LocalModels, kind: Kind, server: Remote) -> None:
    if kind.provider == "anthropic":
        content = {"type": "tool_use", "id": "c1", "name": "Weather", "input": {"sunny": True}}
        reply = kind.whole()
        server.says(Reply({**reply.body, "content": [content], "stop_reason": "tool_use"}))
    else:
        server.says(kind.whole('{"sunny": true}'))
    chat = models.chat("far")
    assert await chat.with_structured_output(Weather).ainvoke("hello") == Weather(sunny=True)
    raw = await chat.with_structured_output(Weather, include_raw=True).ainvoke("hello")
    assert raw["parsed"] == Weather(sunny=True)
    assert raw["raw"].response_metadata["model_name"] == "far"
    assert "Weather" in str(server.asked[0].body)


async def test_leaving_a_stream_closes_its_connection(models: LocalModels, kind: Kind, server: Remote) -> None:
    hold = threading.Event()
    server.says(kind.stream("Hel", "lo", hold=hold))
    # The first event of Anthropic's has no text, so that one is held after its start.
    stream = models.chat("far").astream("hello")
    await anext(stream)
    await stream.aclose()
    assert await asyncio.to_thread(server.gone.wait, 10)
    hold.set()


async def test_cancelling_the_task_closes_the_connection(models: LocalModels, kind: Kind, server: Remote) -> None:
    hold = threading.Event()
    server.says(kind.stream("Hel", "lo", hold=hold))
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in models.chat("far").astream("hello"):
            begun.set()

    task = asyncio.create_task(read())
    await asyncio.wait_for(begun.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.gone.wait, 10)
    hold.set()


def test_one_model_serves_one_event_loop_after_another(models: LocalModels, kind: Kind, server: Remote) -> None:
    server.says(kind.whole())
    for _ in range(2):
        assert asyncio.run(models.chat("far").ainvoke("hello")).text == "Hello there."


async def test_a_graph_streams_its_messages(models: LocalModels, kind: Kind, server: Remote) -> None:
    server.says(kind.stream("Hel", "lo ", "there."))

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await models.chat("far").ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer").compile()
    pieces = [
        chunk.text async for chunk, _ in graph.astream({"messages": [HumanMessage("hi")]}, stream_mode="messages")
    ]
    assert [piece for piece in pieces if piece] == ["Hel", "lo ", "there."]


def test_a_remote_model_needs_no_memory_and_counts_as_loaded(models: LocalModels) -> None:
    assert models.bytes_needed("far", "standard") == 0
    assert models.is_loaded("far", "standard")
    assert models.is_here("far")
    assert models.reading().resident == ()
    with pytest.raises(BadRequest, match="far is remote"):
        models.manager.load_model("far")


def test_token_counts_are_estimated_without_a_download(models: LocalModels) -> None:
    chat = models.chat("far")
    assert chat.get_num_tokens("word " * 30) == 50
    bare = chat.get_num_tokens_from_messages([HumanMessage("hello")])
    assert chat.get_num_tokens_from_messages([HumanMessage("hello")], tools=[calculator]) > bare + 20


async def test_answers_of_remote_models_are_remembered(tmp_path: Path, kind: Kind, server: Remote) -> None:
    server.says(kind.stream("Hel", "lo"))
    with open_remotes(tmp_path, {"far": card_of(kind, server)}, responses=ResponseCache(9)) as models:
        chat = models.chat("far")
        first = "".join([chunk.text async for chunk in chat.astream("hello")])
        for again in await ask_all_ways(chat):
            assert again.text == first == "Hello"
            assert again.response_metadata["response_cache"] is True
        assert len(server.asked) == 1
        # A seed makes nothing repeatable for a model that takes none.
        sampling = Sampling(temperature=0.7, seed=1)
        server.says(kind.whole())
        for _ in range(2):
            await models.chat("far", sampling=sampling).ainvoke("hello")
        assert len(server.asked) == (2 if kind.provider == "anthropic" else 1)


async def test_the_orchestrator_runs_over_a_remote_model(models: LocalModels, kind: Kind, server: Remote) -> None:
    server.says(kind.whole("Paris is the capital of France."))
    graph = build(Services(models=models, tools=lab_tools())).compile()
    question = {"messages": [HumanMessage("What is the capital of France?")]}
    final: Any = await graph.ainvoke(question, context=Context(model="far"))
    result = final["result"]
    assert result.output == "Paris is the capital of France."
    assert (result.metrics.model_name, result.metrics.strategy) == ("far", "remote")
