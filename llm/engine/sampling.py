"""Choosing the next token from logits, for one row. Imports torch; each request brings its own generator.

`generate` draws from torch's global generator, so that one request's seed would change the draws of every other. Here
the draw is made by a logits processor with a private generator, which leaves `generate` only the drawn token to pick.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from state.errors import Broken
from state.models import Sampling


def make_generator(sampling: Sampling, device: torch.device) -> torch.Generator | None:
    """A private source of randomness; None when nothing is drawn (temperature 0)."""
    if sampling.temperature == 0:
        return None
    generator = torch.Generator(device)
    if sampling.seed is None:
        generator.seed()
    else:
        generator.manual_seed(sampling.seed)
    return generator


def next_token(ids: Sequence[int], logits: torch.Tensor, sampling: Sampling, generator: torch.Generator | None) -> int:
    """The next token. `ids`: prompt and answer so far; `logits`: (vocabulary,), any float dtype.

    The order is Hugging Face's: repetition penalty, temperature, top-k, top-p. Raises Broken for logits that are not
    numbers, which a damaged or overflowing model gives.
    """
    logits = logits.float()
    if not bool(torch.isfinite(logits.max())):
        raise Broken("the model's output holds no finite numbers (NaN or infinity)")
    if sampling.repetition_penalty != 1.0:
        seen = torch.tensor(ids, dtype=torch.long, device=logits.device)
        logits = _penalise(seen, logits, sampling.repetition_penalty)
    if generator is None:
        return int(logits.argmax())
    logits = logits / sampling.temperature
    if 0 < sampling.top_k < logits.numel():
        logits = logits.masked_fill(logits < logits.topk(sampling.top_k).values[-1], float("-inf"))
    probabilities = logits.softmax(dim=-1)
    if sampling.top_p < 1.0:
        probabilities = _nucleus(probabilities, sampling.top_p)
    return int(torch.multinomial(probabilities, 1, generator=generator))


def _penalise(ids: torch.Tensor, logits: torch.Tensor, penalty: float) -> torch.Tensor:
    """CTRL's penalty (arXiv:1909.05858) on every token that was already seen, prompt included."""
    scores = logits[ids]  # a token seen twice is written twice, with the same value
    return logits.index_put((ids,), torch.where(scores < 0, scores * penalty, scores / penalty))


def _nucleus(probabilities: torch.Tensor, top_p: float) -> torch.Tensor:
    """The smallest set of likeliest tokens whose probabilities reach `top_p`; at least one stays."""
    ordered, order = probabilities.sort(descending=True)
    outside = ordered.cumsum(dim=-1) - ordered >= top_p
    return probabilities.index_fill(0, order[outside], 0.0)
