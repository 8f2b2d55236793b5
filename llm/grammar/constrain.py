"""Grammars compiled for one tokenizer, and the masks that keep an answer to them. Imports no torch.

llguidance and not xgrammar: no dependencies against torch, triton and a runtime of its own; a schema of six fields over
64,000 tokens compiles in .8 ms against 865, its masks take 66 µs a token against 212 (one core, DECISIONS.md).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import numpy as np
from llguidance import LLMatcher, LLParserLimits, LLTokenizer

from state.errors import BadRequest, Broken

MOST_KEPT = 64
"""Compiled grammars kept for one tokenizer, the least recently used leave; one takes some 10 to 100 kB."""

LIMITS = LLParserLimits(verbose_errors=False)
"""The library's own bounds of work a step and of size: what a hostile schema could take is an error instead."""


class Grammars:
    """Compiles grammars for one tokenizer. May be used by several threads at once."""

    def __init__(self, tokenizer_json: str, eos_ids: Iterable[int], *, name: str) -> None:
        """`tokenizer_json`: a tokenizer of the tokenizers library; reading 64,000 tokens takes .4 s.

        Raises BadRequest for a tokenizer of a kind that llguidance does not know.
        """
        self._eos_ids = frozenset(eos_ids)
        try:
            self._tokenizer = LLTokenizer(tokenizer_json, eos_token=sorted(self._eos_ids))
        except (ValueError, RuntimeError) as error:
            raise BadRequest(
                f"answers of {name} cannot be kept to a form: {_first_line(error)}; ask for plain text"
            ) from error
        self._kept: OrderedDict[str, LLMatcher] = OrderedDict()
        self._lock = threading.Lock()

    def constraint(self, lark: str) -> TokenConstraint:
        """A fresh constraint. The first for a grammar takes about a millisecond, the next ones 10 µs.

        Raises BadRequest, with what is not supported, for a schema that cannot be followed.
        """
        with self._lock:
            matcher = self._kept.get(lark)
            if matcher is not None:
                self._kept.move_to_end(lark)
        if matcher is None:
            matcher = LLMatcher(self._tokenizer, lark, log_level=0, limits=LIMITS)
            if matcher.is_error():
                raise BadRequest(f"this schema cannot be followed: {_reason(matcher)}")
            with self._lock:
                self._kept[lark] = matcher
                while len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
        return TokenConstraint(matcher.deep_copy(), self._tokenizer.vocab_size, self._eos_ids)


class TokenConstraint:
    """One answer's; see `Constraint` of the engines."""

    def __init__(self, matcher: LLMatcher, vocabulary: int, eos_ids: frozenset[int]) -> None:
        self._matcher = matcher
        self._vocabulary = vocabulary
        self._eos_ids = eos_ids

    def mask(self, logits: Any) -> Any:
        """See `Constraint`. Raises BadRequest when nothing may follow, which a schema without an end leads to."""
        bits = np.unpackbits(np.frombuffer(self._matcher.compute_bitmask(), np.uint8), bitorder="little")
        if self._matcher.is_error() or not bits.any():
            raise BadRequest(f"this schema leaves no way to go on: {_reason(self._matcher) or 'it has no end'}")
        allowed = np.zeros(logits.shape[-1], bool)  # models have logits for more tokens than their tokenizers
        known = min(len(allowed), self._vocabulary)
        allowed[:known] = bits[:known]
        # A bool tensor without torch at hand: made by a comparison, filled on the logits' own device.
        mask = (logits[:0] == 0).new_tensor(allowed)
        return logits.masked_fill(~mask, float("-inf"))

    def accept(self, token: int) -> bool:
        """See `Constraint`. Raises Broken for a token that the mask had ruled out."""
        if token in self._eos_ids and self._matcher.is_accepting():
            return True
        if not self._matcher.consume_token(token):
            raise Broken(f"token {token} does not fit the answer's form: {_reason(self._matcher)}")
        return bool(self._matcher.is_stopped())


def _reason(matcher: LLMatcher) -> str:
    """The library's error without the place in our grammar and the grammar itself, which repeats the user's schema."""
    line = _first_line(matcher.get_error())
    _, found, reason = line.partition("failed to compile JSON schema: ")
    return (reason if found else line)[:300]


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or [""])[0]
