"""The response cache before real local models: what is kept, what is not, and what a hit says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph

from llm.catalog import Catalog
from llm.loading.local import LocalLoader
from llm.manager import ModelManager
from llm.models import LocalModels, open_engine
from llm.responses.cache import ResponseCache
from llm.responses.identity import Identity
from llm.vram import FixedMeter, Memory
from state.errors import ContextOverflow
from state.models import CallMetrics, Sampling
from tests.unit.llm.fakes import card
from tests.unit.llm.tiny import make_catalog


def open_remembering(catalog: Catalog, size: int = 100) -> LocalModels:
    loader = LocalLoader(catalog, "cpu", "float32")
    meter = FixedMeter(Memory(ram_total=2**34, ram_free=2**34))
    manager = ModelManager(catalog, loader, open_engine, meter, budget_bytes=10_000_000, keep_alive=-1)
    return LocalModels(catalog, loader, manager, default_model="demo", responses=ResponseCache(size))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalModels]:
    # The bundled model ends its answers by itself, the random one hardly does.
    with open_remembering(make_catalog(tmp_path_factory.mktemp("kept"))) as models:
        yield models


@pytest.fixture
def models(opened: LocalModels) -> LocalModels:
    assert opened.responses is not None
    opened.responses.clear()
    return opened


def kept(models: LocalModels) -> int:
    assert models.responses is not None
    return len(models.responses)


def is_hit(message: Any) -> bool:
    return bool(message.response_metadata.get("response_cache"))


async def whole(chat: Any, messages: Any = "hello", **settings: Any) -> Any:
    total: Any = None
    async for chunk in chat.astream(messages, **settings):
        total = chunk if total is None else total + chunk
    return total


async def test_every_way_of_asking_shares_the_answers(models: LocalModels) -> None:
    chat = models.chat("demo")
    first = await whole(chat)
    assert not is_hit(first)
    assert first.response_metadata["finish_reason"] == "stop"
    again = [
        chat.invoke("hello"),
        await chat.ainvoke("hello"),
        await whole(chat),
        sum(list(chat.stream("hello"))[1:], start=next(iter(chat.stream("hello")))),
        *await chat.abatch(["hello", "hello"]),
    ]
    for answer in again:
        assert is_hit(answer)
        assert answer.text == first.text
        assert answer.usage_metadata == first.usage_metadata
        assert answer.response_metadata["finish_reason"] == "stop"
    assert kept(models) == 1


async def test_a_hit_says_its_own_times_and_the_answers_tokens(models: LocalModels) -> None:
    chat = models.chat("demo")
    first, again = await chat.ainvoke("hello"), await chat.ainvoke("hello")
    one, two = (
        CallMetrics.model_validate({name: message.response_metadata[name] for name in CallMetrics.model_fields})
        for message in (first, again)
    )
    assert (two.inference_time_sec, two.load_time_sec, two.queue_wait_sec, two.tokens_per_sec) == (0, 0, 0, 0)
    assert 0 < two.total_time_sec < one.total_time_sec
    assert (two.prompt_tokens, two.tokens_generated) == (one.prompt_tokens, one.tokens_generated)
    assert first.id != again.id


def test_a_hit_touches_no_model(models: LocalModels) -> None:
    chat = models.chat("demo")
    answer = chat.invoke("hello").text
    models.manager.unload_model("demo")
    assert chat.invoke("hello").text == answer
    assert not models.is_loaded("demo", "standard")


@tool
def calculator(expression: str) -> str:
    """Evaluate an arithmetic expression."""
    return expression


async def test_whatever_may_change_the_answer_is_in_the_key(models: LocalModels) -> None:
    chat = models.chat("demo")
    await chat.ainvoke("hello")
    others: list[tuple[Any, Any, dict[str, Any]]] = [
        (models.chat("tiny"), "hello", {}),
        (models.chat("demo", sampling=Sampling(top_k=3)), "hello", {}),
        (chat, "hello!", {}),
        (chat, [HumanMessage("hello", name="Ann")], {}),
        (chat, [HumanMessage("hello"), AIMessage("x"), HumanMessage("hello")], {}),
        (chat, "hello", {"stop": ["zz"]}),
        (chat, "hello", {"max_tokens": 31}),
        (chat, "hello", {"seed": 1}),
        (chat, "hello", {"repetition_penalty": 1.1}),
        (chat.bind_tools([calculator]), "hello", {}),
        (chat.model_copy(update={"scope": "another tenant"}), "hello", {}),
    ]
    for asked, messages, settings in others:
        assert not is_hit(await asked.ainvoke(messages, **settings)), (asked, messages, settings)
    assert is_hit(await chat.ainvoke("hello"))


async def test_what_cannot_change_the_answer_is_not_in_the_key(models: LocalModels) -> None:
    chat = models.chat("demo")
    turn = AIMessage("x", id="1", response_metadata={"total_time_sec": 1.0})
    await chat.ainvoke([HumanMessage("hello", id="a"), turn, HumanMessage("bye")])
    other = AIMessage("x", id="2", response_metadata={"total_time_sec": 2.0})
    assert is_hit(await chat.ainvoke([HumanMessage("hello", id="b"), other, HumanMessage("bye")]))


@pytest.mark.parametrize(
    ("sampling", "hit"),
    [
        (Sampling(), True),
        (Sampling(temperature=0.8, seed=3), True),
        (Sampling(temperature=0.8), False),
    ],
)
async def test_only_repeatable_calls_are_remembered(models: LocalModels, sampling: Sampling, hit: bool) -> None:
    chat = models.chat("demo", sampling=sampling)
    first = await chat.ainvoke("hello")
    assert first.response_metadata["finish_reason"] == "stop"
    assert is_hit(await chat.ainvoke("hello")) is hit
    assert not is_hit(await chat.ainvoke("hello", temperature=0.9, seed=None))


async def test_cut_and_failed_answers_are_not_kept(models: LocalModels) -> None:
    chat = models.chat("demo")
    assert (await chat.ainvoke("hello", max_tokens=1)).response_metadata["finish_reason"] == "length"
    with pytest.raises(ContextOverflow):
        await chat.ainvoke("x" * 2000)
    stream = chat.astream("another")
    await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    assert kept(models) == 0


async def test_a_reader_may_change_what_it_gets(models: LocalModels) -> None:
    chat = models.chat("demo")
    text = (await chat.ainvoke("hello")).text
    hit = await chat.ainvoke("hello")
    hit.content = "spoilt"
    hit.response_metadata.clear()
    assert (await chat.ainvoke("hello")).text == text


async def test_a_graph_streams_a_hit_as_messages(models: LocalModels) -> None:
    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await models.chat("demo").ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer").compile()

    async def streamed() -> list[Any]:
        question = {"messages": [HumanMessage("hello")]}
        return [chunk async for chunk, _ in graph.astream(question, stream_mode="messages")]

    first, again = await streamed(), await streamed()
    assert "".join(chunk.text for chunk in again) == "".join(chunk.text for chunk in first) != ""
    assert any(is_hit(chunk) for chunk in again) and not any(is_hit(chunk) for chunk in first)


def test_other_weights_in_the_same_folder_are_another_model(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"1")
    now = [0.0]
    identity = Identity(card("m"), tmp_path, clock=lambda: now[0])
    assert not identity.fresh
    before = identity.read()
    (tmp_path / "model.safetensors").write_bytes(b"22")
    assert identity.fresh and identity.read() == before
    now[0] = 1.0
    assert not identity.fresh and identity.read() != before


def test_an_identity_is_the_whole_card(tmp_path: Path) -> None:
    one = card("m", repo="a/b", path=None, revision="0" * 40)
    other = card("m", repo="a/b", path=None, revision="1" * 40)
    assert Identity(one, None).read() != Identity(other, None).read()
    assert Identity(card("m"), tmp_path / "gone").read().endswith("missing")


def answer(text: str) -> list[ChatGeneration]:
    return [ChatGeneration(message=AIMessage(text))]


def test_the_cache_is_bounded_and_the_longest_unasked_leaves() -> None:
    cache = ResponseCache(2)
    for name in ("a", "b"):
        cache.update(name, "m", answer(name))
    assert cache.lookup("a", "m") == answer("a")
    cache.update("c", "m", answer("c"))
    assert [cache.lookup(name, "m") is not None for name in ("a", "b", "c")] == [True, False, True]
    cache.clear()
    assert len(cache) == 0
    with pytest.raises(ValueError, match="a cache of 0"):
        ResponseCache(0)


def test_threads_may_use_the_cache_at_once() -> None:
    cache, wrong = ResponseCache(5), []
    start = threading.Barrier(8)

    def use(thread: int) -> None:
        start.wait()
        for step in range(200):
            name = str((thread * 7 + step) % 10)
            found = cache.lookup(name, "m")
            if found is not None and found[0].text != name:
                wrong.append((name, found))
            cache.update(name, "m", answer(name))

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and len(cache) == 5


async def test_tool_calls_come_back_as_they_were(models: LocalModels) -> None:
    chat: Any = models.chat("demo").bind_tools([calculator])
    first = await chat.ainvoke("What is 27 plus 58?")
    assert [call["name"] for call in first.tool_calls] == ["calculator"]
    for hit in (await chat.ainvoke("What is 27 plus 58?"), await whole(chat, "What is 27 plus 58?")):
        assert is_hit(hit)
        assert hit.tool_calls == first.tool_calls
        assert hit.response_metadata["finish_reason"] == "tool_calls"
    follow = [HumanMessage("What is 27 plus 58?"), first, ToolMessage("85", tool_call_id=first.tool_calls[0]["id"])]
    assert not is_hit(await asyncio.to_thread(chat.invoke, follow))


def test_a_malformed_tool_call_is_not_kept(models: LocalModels) -> None:
    chat: Any = models.chat("demo")
    key = chat._key([HumanMessage("hello")], None, {})
    bad = {"name": "calculator", "args": "{broken", "id": "c2", "error": None, "type": "invalid_tool_call"}
    said = {"finish_reason": "stop"}
    chat._keep(key, [ChatGeneration(message=AIMessage("", invalid_tool_calls=[bad], response_metadata=said))])  # type: ignore[list-item]
    assert kept(models) == 0
    chat._keep(key, [ChatGeneration(message=AIMessage("", response_metadata=said))])
    assert kept(models) == 1
