"""The first load under strategy `optimized`, which quantises and saves, beside the next, which reads what was saved.

    python -m tests.benchmarks.bench_quantised [--rounds 3]

0.3 B random weights in bf16 (640 MB), in matrices of 2 to 4 M: the reload costs transformers a fixed time a matrix, and
those of a 7 B model have 17 M and more. Both loads find the files in the page cache. Each round starts without anything
saved. bitsandbytes is imported before. The reload's logits must be the first load's, bit for bit.
"""

from __future__ import annotations

import argparse
import gc
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from llm.catalog import Catalog
from llm.loading.base import Loaded
from llm.loading.local import LocalLoader
from tests.benchmarks.models import NAME, Prompts, make_tokenizer, save_model, write_catalog
from tests.benchmarks.rounds import Mark, print_marks, print_table, ratio

SMALL = "small"


def load(catalog: Catalog, name: str, quantised: Path) -> tuple[float, Loaded]:
    """Seconds of a load, and the model."""
    loader = LocalLoader(catalog, "cpu", "float32", quantised_dir=quantised)
    gc.collect()
    started = time.perf_counter()
    loaded = loader.load(catalog.card(name), "optimized")
    return time.perf_counter() - started, loaded


@torch.inference_mode()
def logits(loaded: Loaded) -> torch.Tensor:
    prompt = torch.tensor([Prompts(make_tokenizer(), "quantised").ids(8)])
    result: torch.Tensor = loaded.model(prompt).logits
    return result


def main(rounds: int) -> None:
    first, again = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_model(folder / SMALL, layers=1)
        load(write_catalog(folder, SMALL), SMALL, folder / "imports")
        save_model(folder / NAME, hidden=1280, intermediate=3456, layers=16, heads=20, dtype=torch.bfloat16)
        catalog, quantised = write_catalog(folder, parameters=322_000_000), folder / "quantised"
        for _ in range(rounds):
            seconds, loaded = load(catalog, NAME, quantised)
            first.append(seconds)
            expected = logits(loaded)
            del loaded
            seconds, loaded = load(catalog, NAME, quantised)
            again.append(seconds)
            if not torch.equal(logits(loaded), expected):
                raise RuntimeError("the reloaded model computes something else")
            del loaded
            shutil.rmtree(quantised)
    print("load of 0.3 B weights as nf4:")
    print_table(
        [
            ("first, quantised and saved", f"{median(first):.2f} s"),
            ("again, from what was saved", f"{median(again):.2f} s"),
        ]
    )
    print_marks([Mark("first load over reload, time", ratio(first, again), "least", 20)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    main(parser.parse_args().rounds)
