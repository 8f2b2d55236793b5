"""The recipe of `weights.safetensors`, the same from the same data. The data of others is named, never shipped.

    python -m nodes.kinds.train [--real FILE.jsonl] [--out weights.safetensors]

Fits a multinomial logistic regression on our corpus, on what `generate.py` makes and, if named, on real labelled
requests; prints what it reaches on requests whose source (or whose instruction's template) it has not seen.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file
from scipy.sparse import csr_matrix, vstack
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold, KFold

from nodes.kinds.classifier import KINDS, WEIGHTS
from nodes.kinds.features import BUCKETS, features, hashed
from nodes.kinds.generate import Example, generate

CORPUS = Path(__file__).parent / "corpus"
PENALTY = 3.0
"""`C` of scikit-learn: 1 to 6 were within a point of each other."""
GENERATED_WEIGHT = 0.3
"""What a generated request counts against a written one; there are four times as many. 0.15 loses a point."""
FOLDS = 8

Sparse = Any  # scipy has no types
Scores = npt.NDArray[np.float64]


def main() -> None:
    """Read, cross-validate, fit on everything, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, help='lines {"prompt", "task", "lang", "source"}')
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="default: the shipped weights, which it replaces")
    options = parser.parse_args()
    made, corpus = generate(), [row for path in sorted(CORPUS.glob("*.jsonl")) for row in read_examples(path)]
    real = read_examples(options.real) if options.real else []
    print(f"{len(made)} generated, {len(corpus)} written by us, {len(real)} real")
    temperature = cross_validate(made, corpus, real)
    everything = [*made, *corpus, *real]
    fitted = _fit(_matrix(everything), everything, _weights(made, corpus + real))
    save_file(
        {
            "weights": np.ascontiguousarray(fitted.coef_.T.astype(np.float16)),
            "bias": fitted.intercept_.astype(np.float32),
            "temperature": np.array([temperature], np.float32),
        },
        options.out,
    )
    print(f"{options.out}: {options.out.stat().st_size:,} bytes")


def read_examples(path: Path) -> list[Example]:
    """One labelled request a line."""
    rows = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip()]
    return [Example(row["prompt"], row["task"], row["lang"], row["source"]) for row in rows]


def source_of(example: Example) -> str:
    """What must not stand on both sides of a fold: the source, for a text under an instruction the instruction.

    The same tasks in several programming languages are one source.
    """
    if not example.source.startswith("text:"):
        return "humaneval" if "humaneval" in example.source else example.source.split("#")[0]
    named = re.search(r"library file id (\d+)", example.source)
    last = example.prompt.rstrip().rsplit("\n", 1)[-1]
    return named[1] if named else last if last.endswith(":") else " ".join(example.prompt.split()[:3])


def cross_validate(made: list[Example], corpus: list[Example], real: list[Example]) -> float:
    """Print figures on unseen sources; the temperature that makes those answers as sure as they are right."""
    ours = _unseen(corpus, KFold(FOLDS, shuffle=True, random_state=0), None, made, real)
    _report("ours, by line", corpus, ours)
    if not real:
        return _temperature(ours, corpus)
    theirs = _unseen(real, GroupKFold(FOLDS), [source_of(one) for one in real], made, corpus)
    _report("real, by source", real, theirs)
    alone = _fit(_matrix(made + corpus), made + corpus, _weights(made, corpus))
    _report("real, trained on ours alone", real, alone.decision_function(_matrix(real)))
    return _temperature(np.vstack([ours, theirs]), corpus + real)


def _unseen(
    tested: list[Example], folds: Any, groups: list[str] | None, made: list[Example], besides: list[Example]
) -> Scores:
    """Scores of each example by a classifier that was fitted without its fold: (examples, kinds)."""
    x_always, x_tested = _matrix(made + besides), _matrix(tested)
    scores = np.zeros((len(tested), len(KINDS)))
    for train, test in folds.split(x_tested, groups=groups):
        seen = [tested[at] for at in train]
        fitted = _fit(vstack([x_always, x_tested[train]]), [*made, *besides, *seen], _weights(made, besides + seen))
        scores[test] = fitted.decision_function(x_tested[test])
    return scores


def _weights(made: Sequence[Example], written: Sequence[Example]) -> list[float]:
    return [GENERATED_WEIGHT] * len(made) + [1.0] * len(written)


def _matrix(examples: Sequence[Example]) -> Sparse:
    rows = [hashed(features(example.prompt)) for example in examples]
    starts = np.cumsum([0, *(len(buckets) for buckets, _ in rows)])
    flat = ([value for _, values in rows for value in values], [at for buckets, _ in rows for at in buckets], starts)
    matrix = csr_matrix(flat, shape=(len(rows), BUCKETS), dtype=np.float64)
    matrix.sum_duplicates()
    return matrix


def _fit(matrix: Sparse, examples: Sequence[Example], weights: list[float]) -> Any:
    """Columns of the fitted are in the order of `KINDS`."""
    return LogisticRegression(C=PENALTY, max_iter=300, tol=1e-3).fit(matrix, _truth(examples), sample_weight=weights)


def _truth(examples: Sequence[Example]) -> npt.NDArray[np.int64]:
    numbers = {str(kind): number for number, kind in enumerate(KINDS)}
    return np.array([numbers[example.task] for example in examples])


def _report(name: str, tested: Sequence[Example], scores: Scores) -> None:
    truth, said, langs = _truth(tested), scores.argmax(1), np.array([one.lang for one in tested])
    english, spanish = ((said == truth)[langs == lang].mean() for lang in ("en", "es"))
    macro = f1_score(truth, said, average="macro", labels=sorted(set(truth)))
    print(f"{name}: {len(truth)} lines, accuracy {(said == truth).mean():.3f}, macro-F1 {macro:.3f}, ", end="")
    print(f"English {english:.3f}, Spanish {spanish:.3f}")


def _temperature(logits: Scores, tested: Sequence[Example]) -> float:
    """The one at which the mean confidence is nearest to the accuracy."""
    accuracy = (logits.argmax(1) == _truth(tested)).mean()
    grid = np.arange(0.5, 2.0, 0.01)
    gaps = [abs(_confidence(logits / temperature) - accuracy) for temperature in grid]
    best = float(grid[int(np.argmin(gaps))])
    print(f"temperature {best:.2f}: mean confidence {_confidence(logits / best):.3f} at accuracy {accuracy:.3f}")
    return best


def _confidence(logits: Scores) -> float:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return float((powers.max(1) / powers.sum(1)).mean())


if __name__ == "__main__":
    main()
