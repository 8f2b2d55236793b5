"""What the validator costs: time an answer, against the hashing embedder on the same answers in the same rounds.

    python -m tests.benchmarks.bench_validate [--rounds 15]

The held-out answers, and one of 100 KB; one thread.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

from llm.embeddings import HashingEmbeddings
from nodes.analyze import analyze
from nodes.checks.evaluate import HELD_OUT, Line, read_lines
from nodes.validate import validate
from state.tasks import Analysis
from tests.benchmarks.rounds import Mark, in_turn, print_marks, print_table, ratio

LONG = "The old boat lay on the sand all winter, and in spring it was painted green. " * 1_300

Case = tuple[Line, Analysis]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    cases = [
        (line, analyze(line.prompt).model_copy(update={"kind": line.task}))
        for line in read_lines(HELD_OUT)
        if line.answer
    ]
    long = cases[0][0]._replace(answer=LONG), cases[0][1]
    results = in_turn(
        {
            "validate": partial(median_millis, cases, check),
            "hashing embedder": partial(median_millis, cases, embed),
            "validate, 100 KB": partial(median_millis, [long] * 10, check),
        },
        options.rounds,
    )
    print_table([("", "p50 ms"), *((name, f"{median(times):.2f}") for name, times in results.items())])
    print_marks(
        [
            Mark("validate, p50", median(results["validate"]), "most", 5.0, "ms"),
            Mark("validate, 100 KB, p50", median(results["validate, 100 KB"]), "most", 500.0, "ms"),
            Mark("validate / hashing embedder", ratio(results["validate"], results["hashing embedder"]), "most", 40.0),
        ]
    )


def check(case: Case) -> object:
    line, analysis = case
    return validate(line.prompt, line.answer, analysis)


def embed(case: Case) -> object:
    return HashingEmbeddings().embed_query(case[0].answer)


def median_millis(cases: Sequence[Case], act: Callable[[Case], object], number: int) -> float:
    """The middle of the times that `act` takes for one answer, in milliseconds."""
    times = []
    for case in cases:
        began = time.perf_counter()
        act(case)
        times.append((time.perf_counter() - began) * 1e3)
    return median(times)


if __name__ == "__main__":
    main()
