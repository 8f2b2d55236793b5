"""What LangChain and LangGraph cost over the bare engine: `chat.astream`, and a graph streamed as messages.

    python -m tests.benchmarks.bench_chat [--rounds 9]

One engine with 27 M random weights answers for all: handles read on an event loop, `LocalChatModel.astream`, and a
graph of one node with `stream_mode="messages"`; 1 and 16 callers, 64 tokens each, in turn, round after round.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langgraph.graph import START, MessagesState, StateGraph

from llm.codec import Codec
from llm.engine.base import Engine, Failed
from llm.models import open_models
from tests.benchmarks.contestants import greedy
from tests.benchmarks.models import NAME, Prompts, make_tokenizer, save_model, write_catalog
from tests.benchmarks.rounds import Mark, in_turn, print_marks, print_table, ratio

TOKENS, PROMPT_TOKENS = 64, 24
ENGINE, CHAT, GRAPH = "engine", "chat.astream", "graph, messages stream"
Call = Callable[[str], Awaitable[None]]
"""Answers one text and reads all of the answer."""


def ask_engine(engine: Engine, codec: Codec) -> Call:
    async def call(text: str) -> None:
        prompt = codec.encode_chat([{"role": "user", "content": text}], None)
        async for event in engine.submit(greedy(prompt, TOKENS)):
            if isinstance(event, Failed):
                raise event.error

    return call


def ask_chat(chat: BaseChatModel) -> Call:
    async def call(text: str) -> None:
        async for _ in chat.astream([HumanMessage(text)], max_tokens=TOKENS):
            pass

    return call


def ask_graph(chat: BaseChatModel) -> Call:
    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await chat.ainvoke(state["messages"], max_tokens=TOKENS)]}

    graph = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer").compile()

    async def call(text: str) -> None:
        async for _ in graph.astream({"messages": [HumanMessage(text)]}, stream_mode="messages"):
            pass

    return call


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        save_model(Path(name) / NAME)
        write_catalog(Path(name))
        with (
            open_models(
                models_file=Path(name) / "models.yaml", default_model=NAME, default_strategy="standard", keep_alive=-1
            ) as models,
            models.manager.lease_sync(NAME) as lease,
            asyncio.Runner() as runner,
        ):
            chat = models.chat(NAME)
            calls = {
                ENGINE: ask_engine(lease.engine, lease.loaded.codec),
                CHAT: ask_chat(chat),
                GRAPH: ask_graph(chat),
            }
            compare(calls, runner, rounds)


def compare(calls: dict[str, Call], runner: asyncio.Runner, rounds: int) -> None:
    """Both numbers of callers, and the marks."""
    tokenizer = make_tokenizer()

    def measure(callers: int, rounds: int) -> dict[str, list[float]]:
        def asked(name: str) -> Callable[[int], float]:
            # Texts of each one's own, so that the engine has read no prompt before for another.
            return lambda number: runner.run(
                _seconds(calls[name], Prompts(tokenizer, f"{name} {callers} {number}"), callers)
            )

        return in_turn({name: asked(name) for name in calls}, rounds)

    measure(2, 1)  # first calls of everything
    one, many = measure(1, 2 * rounds), measure(16, rounds)
    print("ms a token, callers at once:")
    print_table(
        [("", "1", "16")]
        + [
            (name, f"{median(one[name]) / TOKENS * 1e3:.2f}", f"{median(many[name]) / TOKENS / 16 * 1e3:.2f}")
            for name in calls
        ]
    )
    print_marks(
        [
            Mark(f"{callers} at once: {name} over {ENGINE}, time", ratio(times[name], times[ENGINE]), "most", target)
            for callers, times in ((1, one), (16, many))
            for name, target in ((CHAT, 1.10), (GRAPH, 1.15))
        ]
    )


async def _seconds(call: Call, prompts: Prompts, callers: int) -> float:
    """Seconds until all callers, who ask at once, have their answers."""
    texts = [prompts.text(PROMPT_TOKENS) for _ in range(callers)]
    started = time.perf_counter()
    await asyncio.gather(*map(call, texts))
    return time.perf_counter() - started


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    main(parser.parse_args().rounds)
