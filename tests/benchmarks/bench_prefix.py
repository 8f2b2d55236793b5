"""Time to the first token of a prompt whose beginning an earlier request has computed, beside that of a new one.

    python -m tests.benchmarks.bench_prefix [--rounds 9]

27 M random weights; prompts of 1,024 + 32 tokens. In each round a new prompt is asked (cold), then one with the same
1,024 tokens and another end, as the next question in a conversation or a retry has it (warm). For comparison the same
number of tokens through `generate`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

from llm.engine.base import Done, Engine, Failed, FixedRoom, Token
from llm.engines import open_engine
from tests.benchmarks.contestants import Job, greedy, lock_around_generate
from tests.benchmarks.models import NAME, Prompts, load, make_tokenizer, save_model, write_catalog
from tests.benchmarks.rounds import Mark, print_marks, print_table, ratio

SHARED, OWN = 1024, 32
ROOM_BYTES = 2**29


def first_token(engine: Engine, prompt: tuple[int, ...]) -> tuple[float, int]:
    """Seconds to the first token, and how many of the prompt's tokens were taken from an earlier request."""
    started, first = time.perf_counter(), 0.0
    for event in engine.submit(greedy(prompt, 2)):
        match event:
            case Token():
                first = first or time.perf_counter() - started
            case Failed(error=error):
                raise error
            case Done(prompt_tokens_reused=reused):
                return first, reused
    raise RuntimeError("the answer had no end")


def main(rounds: int) -> None:
    cold, warm, whole, reused = [], [], [], []
    with tempfile.TemporaryDirectory() as name:
        save_model(Path(name) / NAME)
        catalog = write_catalog(Path(name))
        generate = lock_around_generate(load(catalog).model)
        prompts = Prompts(make_tokenizer(), "prefix")
        engine = open_engine(load(catalog), FixedRoom(ROOM_BYTES))
        try:
            first_token(engine, prompts.ids(SHARED + OWN))  # first calls of everything
            for _ in range(rounds):
                shared = prompts.ids(SHARED)
                cold.append(first_token(engine, shared + prompts.ids(OWN))[0])
                seconds, tokens = first_token(engine, shared + prompts.ids(OWN))
                warm.append(seconds)
                reused.append(tokens)
                whole.append(generate([Job(shared + prompts.ids(OWN), 2)], 1).first_token)
        finally:
            engine.close()
    print(f"time to first token, {SHARED:,} + {OWN} tokens:")
    print_table(
        [
            ("generate", f"{median(whole) * 1e3:.0f} ms"),
            ("engine, new prompt", f"{median(cold) * 1e3:.0f} ms"),
            (f"engine, {median(reused):,.0f} tokens known", f"{median(warm) * 1e3:.0f} ms"),
        ]
    )
    print_marks([Mark("known beginning over new prompt, time to first token", ratio(warm, cold), "most", 0.1)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    main(parser.parse_args().rounds)
