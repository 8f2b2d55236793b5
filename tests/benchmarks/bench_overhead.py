"""What the layers cost over the bare model: transformers' `generate`, the chat model, a graph run recorded in Postgres.

    python -m tests.benchmarks.bench_overhead [--rounds 15]

All four answer the same request to the demo model with the same greedy tokens, in turn, round after round, on one
process; medians of wall time, as ratios to `generate`. The orchestrator validates and may call tools besides, so its
request is one that passes at the first attempt without a tool.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from statistics import median

import torch
from langchain_core.messages import HumanMessage
from transformers import AutoModelForCausalLM, AutoTokenizer

from server.lab import Lab, open_lab
from server.run_request import RunRequest
from server.settings import read_settings

WEIGHTS = Path(__file__).parents[2] / "llm" / "demo" / "weights"
PROMPT = "Invierte la palabra casa"


def bare_generate() -> Callable[[], Awaitable[float]]:
    """transformers alone, in a thread as any server would call it."""
    model = AutoModelForCausalLM.from_pretrained(WEIGHTS).eval()
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": PROMPT}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )

    def generate() -> None:
        torch.set_num_threads(1)  # per thread; two threads on a busy two-core machine are 60 times slower
        with torch.inference_mode():
            model.generate(**prompt, do_sample=False, max_new_tokens=256)

    return timed(lambda: asyncio.to_thread(generate))


def chat_model(lab: Lab) -> Callable[[], Awaitable[float]]:
    """LocalChatModel over a leased model."""
    chat = lab.models.chat("demo")
    return timed(lambda: chat.ainvoke([HumanMessage(PROMPT)]))


def graph_run(lab: Lab, graph: str, until: str) -> Callable[[], Awaitable[float]]:
    """A run of a graph on a new thread, up to its first event of this name."""

    async def run() -> None:
        async with aclosing(lab.runner.run(RunRequest(graph=graph, prompt=PROMPT))) as events:
            async for event in events:
                if event.name == until:
                    return

    return timed(run)


def timed(call: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[float]]:
    async def measure() -> float:
        started = time.perf_counter()
        await call()
        return time.perf_counter() - started

    return measure


async def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with open_lab(read_settings(data_dir=Path(folder) / "data", log_level="WARNING")) as lab:
            contenders = {
                "transformers generate": bare_generate(),
                "LocalChatModel": chat_model(lab),
                "direct, in Postgres": graph_run(lab, "direct", "result"),
                "orchestrator, in Postgres": graph_run(lab, "orchestrator", "result"),
                "direct, first token": graph_run(lab, "direct", "token"),
            }
            seconds: dict[str, list[float]] = {name: [] for name in contenders}
            for number in range(rounds + 1):
                for name, measure in contenders.items():
                    took = await measure()
                    if number:  # the first round loads
                        seconds[name].append(took)
    reference = median(seconds["transformers generate"])
    print(f"{rounds} rounds, median; prompt {PROMPT!r}")
    for name, times in seconds.items():
        print(f"{name:<28} {median(times) * 1e3:8.1f} ms   {median(times) / reference:6.2f} x generate")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    asyncio.run(main(parser.parse_args().rounds))
