"""A hit in the response cache beside the same call to the demo model without one.

    python -m tests.benchmarks.bench_cache [--rounds 20]

Each round asks the model once and the cache ten times, whole (`ainvoke`) and as a stream (`astream`).
"""

from __future__ import annotations

import argparse
import asyncio
import time
from statistics import median

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage

from llm.models import open_models
from tests.benchmarks.rounds import Mark, print_marks, print_table

PROMPT = "Invierte la palabra casa"
HITS = 10


async def invoke(chat: BaseChatModel) -> float:
    """Seconds of a whole answer."""
    started = time.perf_counter()
    await chat.ainvoke([HumanMessage(PROMPT)])
    return time.perf_counter() - started


async def stream(chat: BaseChatModel) -> float:
    """Seconds until a stream has ended."""
    started = time.perf_counter()
    async for _ in chat.astream([HumanMessage(PROMPT)]):
        pass
    return time.perf_counter() - started


async def main(rounds: int) -> None:
    asked, whole, streamed = [], [], []
    with open_models() as plain, open_models(response_cache=100) as remembering:
        model, cache = plain.chat("demo"), remembering.chat("demo")
        await invoke(model)  # loads
        await invoke(cache)  # loads, and fills the cache
        for _ in range(rounds):
            asked.append(await invoke(model))
            whole += [await invoke(cache) for _ in range(HITS)]
            streamed += [await stream(cache) for _ in range(HITS)]
        answer = await cache.ainvoke([HumanMessage(PROMPT)])
        if not answer.response_metadata.get("response_cache"):
            raise RuntimeError("the cache does not know the answer")
    print(f"{PROMPT!r} to the demo model, medians of {len(asked)} calls and {len(whole)} hits:")
    print_table(
        [
            ("ainvoke, no cache", f"{median(asked) * 1e3:.1f} ms"),
            ("ainvoke, hit", f"{median(whole) * 1e3:.3f} ms"),
            ("astream, hit", f"{median(streamed) * 1e3:.3f} ms"),
        ]
    )
    print_marks(
        [
            Mark("ainvoke, hit", median(whole) * 1e3, "most", 1, "ms"),
            Mark("astream, hit", median(streamed) * 1e3, "most", 1, "ms"),
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    asyncio.run(main(parser.parse_args().rounds))
