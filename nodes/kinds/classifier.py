"""The fitted classifier: one row of weights a bucket, one column a kind. No model is loaded for it, only 1.6 MB."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple, get_args

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from nodes.kinds.features import features, hashed
from nodes.kinds.rules import certain_kind
from state.tasks import Kind

WEIGHTS = Path(__file__).parent / "weights.safetensors"
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Columns of the weights, in the order of `state.tasks.Kind`."""


class Ranked(NamedTuple):
    """A kind and the probability that it is the right one."""

    kind: Kind
    probability: float


class _Fitted(NamedTuple):
    weights: npt.NDArray[np.float16]
    """(buckets, kinds)."""
    bias: npt.NDArray[np.float32]
    temperature: float
    """Logits are divided by it; fitted on requests of unseen sources, so that confidence tells accuracy."""


def rank_kinds(prompt: str) -> list[Ranked]:
    """All kinds, the likeliest first; equal prompts rank equally on every machine. Never raises.

    A request that a rule settles has probability 1; what it is otherwise like follows with 0.
    """
    ranked = _rank(prompt)
    sure = certain_kind(prompt)
    if sure is None:
        return ranked
    return [Ranked(sure, 1.0), *(Ranked(kind, 0.0) for kind, _ in ranked if kind != sure)]


def _rank(prompt: str) -> list[Ranked]:
    fitted = _fitted()
    buckets, values = hashed(features(prompt))
    scores = np.asarray(values, np.float32) @ fitted.weights[buckets].astype(np.float32) + fitted.bias
    powers = np.exp((scores - scores.max()) / fitted.temperature)
    shares = powers / powers.sum()
    return [Ranked(KINDS[at], float(shares[at])) for at in np.argsort(-shares, kind="stable")]


@cache
def _fitted() -> _Fitted:
    """Read once a process; 1.6 MB from the package, some milliseconds."""
    tensors = load_file(WEIGHTS)
    return _Fitted(tensors["weights"], tensors["bias"], float(tensors["temperature"][0]))
