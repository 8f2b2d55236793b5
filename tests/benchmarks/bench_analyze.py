"""What the analyzer costs: time a request, against the hashing embedder on the same requests in the same rounds.

    python -m tests.benchmarks.bench_analyze [--rounds 15]

The held-out requests, and one of 100 KB; one thread. The embedder, the cheapest look at a text that the project has,
remembers words from the first round on, as it does in a server.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from statistics import median

from llm.embeddings import HashingEmbeddings
from nodes.analyze import analyze
from nodes.kinds.evaluate import HELD_OUT, read_lines
from tests.benchmarks.rounds import Mark, in_turn, print_marks, print_table, ratio

LONG = "Summarise this: " + "the old boat lay on the sand all winter. " * 2_500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    prompts = [line.prompt for line in read_lines(HELD_OUT)]
    results = in_turn(
        {
            "analyze": partial(median_millis, prompts, analyze),
            "hashing embedder": partial(median_millis, prompts, lambda text: HashingEmbeddings().embed_query(text)),
            "analyze, 100 KB": partial(median_millis, [LONG] * 20, analyze),
        },
        options.rounds,
    )
    print_table([("", "p50 ms"), *((name, f"{median(times):.2f}") for name, times in results.items())])
    print_marks(
        [
            Mark("analyze, p50", median(results["analyze"]), "most", 2.0, "ms"),
            Mark("analyze, 100 KB, p50", median(results["analyze, 100 KB"]), "most", 20.0, "ms"),
            Mark("analyze / hashing embedder", ratio(results["analyze"], results["hashing embedder"]), "most", 10.0),
        ]
    )


def median_millis(prompts: list[str], act: Callable[[str], object], number: int) -> float:
    """The middle of the times that `act` takes for one request, in milliseconds."""
    times = []
    for prompt in prompts:
        began = time.perf_counter()
        act(f"{prompt} ({number})")
        times.append((time.perf_counter() - began) * 1e3)
    return median(times)


if __name__ == "__main__":
    main()
