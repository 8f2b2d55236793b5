"""The engine's slots beside a lock around `generate`, static batches and a bare batched loop, on 27 M random weights.

    python -m tests.benchmarks.bench_engine [--rounds 5]

All answer the same new prompts (16 to 32 tokens, and 64 more to generate; mixed: 8 to 128 of each) in turn, round after
round, each in one torch thread. tokens/s are medians; ratios are medians of each round's own ratio. The lock takes
most of the four to six minutes: 64 callers have fewer rounds for it, and mixed lengths half as many.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from llm.engine.base import FixedRoom
from llm.engines import open_engine
from tests.benchmarks.contestants import (
    Contestant,
    Job,
    Outcome,
    bare_loop,
    engine_slots,
    lock_around_generate,
    static_batches,
)
from tests.benchmarks.models import NAME, Prompts, load, make_tokenizer, save_model, write_catalog
from tests.benchmarks.rounds import Mark, in_turn, print_marks, print_table, ratio

SLOTS, LOCK, STATIC, BARE = "slots", "lock around generate", "static batches of 16", "bare batched loop"
ROOM_BYTES = 2**30
Results = dict[str, list[Outcome]]


def even_jobs(prompts: Prompts, count: int) -> list[Job]:
    return [Job(prompts.ids(prompts.length(16, 32)), 64) for _ in range(count)]


def mixed_jobs(prompts: Prompts, count: int) -> list[Job]:
    return [Job(prompts.ids(prompts.length(8, 128)), prompts.length(8, 128)) for _ in range(count)]


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder) / NAME)
        catalog = write_catalog(Path(folder))
        # Two copies, so that nothing an engine does to its model changes the references.
        theirs, ours = load(catalog), load(catalog)
        engine = open_engine(ours, FixedRoom(ROOM_BYTES))
        try:
            compare(
                {
                    LOCK: lock_around_generate(theirs.model),
                    STATIC: static_batches(theirs.model),
                    BARE: bare_loop(theirs.model),
                    SLOTS: engine_slots(engine),
                },
                rounds,
            )
        finally:
            engine.close()


def compare(contestants: dict[str, Contestant], rounds: int) -> None:
    """Every round of every size, and the marks."""
    tokenizer = make_tokenizer()

    def measure(
        names: list[str], jobs: Callable[[Prompts, int], list[Job]], count: int, callers: int, rounds: int
    ) -> Results:
        def asked(name: str) -> Callable[[int], Outcome]:
            return lambda number: contestants[name](jobs(Prompts(tokenizer, f"{count} of {number}"), count), callers)

        return in_turn({name: asked(name) for name in names}, rounds)

    measure(list(contestants), even_jobs, 2, 2, 1)  # first calls of everything
    everyone = [LOCK, STATIC, SLOTS]
    even = {
        1: measure(everyone, even_jobs, 1, 1, rounds),
        4: measure(everyone, even_jobs, 4, 4, rounds),
        16: measure([*everyone, BARE], even_jobs, 16, 16, rounds),
        64: measure(everyone, even_jobs, 64, 64, max(1, rounds // 4)),
    }
    # Each of the 16 callers has about two requests, one after the other.
    mixed = measure([STATIC, SLOTS], mixed_jobs, 32, 16, (rounds + 1) // 2)
    print_speeds(even, mixed)
    print_first_tokens(even[16])
    print_marks(marks(even[16], mixed))


def print_speeds(even: dict[int, Results], mixed: Results) -> None:
    print("tokens/s at callers:")
    columns = [*even.values(), mixed]
    rows = [("", *map(str, even), "16, mixed lengths")]
    for name in (LOCK, STATIC, BARE, SLOTS):
        rows.append((name, *(f"{median(speeds(c[name])):.0f}" if name in c else "" for c in columns)))
    print_table(rows)


def print_first_tokens(results: Results) -> None:
    same = sum(
        ours.answers[job] == theirs.answers[job]
        for ours, theirs in zip(results[SLOTS], results[LOCK], strict=True)
        for job in theirs.answers
    )
    print("\nat 16 callers:")
    print_table(
        [(f"time to first token, {name}", f"{median(firsts(results[name])):.2f} s") for name in (LOCK, SLOTS)]
        + [(f"decode alone, {name}", f"{median(decoding(results[name])):.0f} tokens/s") for name in (BARE, SLOTS)]
        + [("answers of slots equal to generate's", f"{same} of {sum(len(one.answers) for one in results[LOCK])}")]
    )


def marks(even: Results, mixed: Results) -> list[Mark]:
    """What issue 4 asks of the engine."""
    slots = speeds(even[SLOTS])
    return [
        Mark("16 callers: slots over lock, tokens/s", ratio(slots, speeds(even[LOCK])), "least", 5),
        Mark("16 callers: slots over bare loop, prompts included", ratio(slots, speeds(even[BARE])), "least", 0.85),
        Mark(
            "16 callers: slots over bare loop, decode alone",
            ratio(decoding(even[SLOTS]), decoding(even[BARE])),
            "least",
            0.85,
        ),
        Mark(
            "16 mixed: slots over static batches, tokens/s",
            ratio(speeds(mixed[SLOTS]), speeds(mixed[STATIC])),
            "least",
            1.5,
        ),
        Mark(
            "16 callers: slots' first token, of lock's time",
            ratio(firsts(even[SLOTS]), firsts(even[LOCK])),
            "most",
            0.1,
        ),
    ]


def speeds(outcomes: list[Outcome]) -> list[float]:
    return [outcome.tokens_per_sec for outcome in outcomes]


def decoding(outcomes: list[Outcome]) -> list[float]:
    return [outcome.decode_tokens_per_sec for outcome in outcomes]


def firsts(outcomes: list[Outcome]) -> list[float]:
    return [outcome.first_token for outcome in outcomes]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    main(parser.parse_args().rounds)
