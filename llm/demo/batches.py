"""Turns conversations into fixed-size batches of token ids, for as long as anyone asks."""

from collections.abc import Callable, Iterator
from random import Random

import torch
from transformers import PreTrainedTokenizerFast

from llm.demo.conversation import Conversation, Lesson, sample_conversation
from llm.demo.tokenizer import END, MAX_TOKENS, PAD, START, token_id

POOL = 256
"""Conversations sorted by length at a time, so that the rows of a batch need little padding."""
IGNORED = -100

Row = tuple[list[int], list[int], list[float]]
"""Token ids, labels, and the weight of each label, all of one length."""
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""The same, [rows, width] each."""


class Encoder:
    """Renders a conversation through the chat template and marks the answers that are to be learnt."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast):
        self._tokenizer = tokenizer
        self._header = tokenizer.encode(f"{START}assistant\n", add_special_tokens=False)
        self._end = token_id(tokenizer, END)

    def __call__(self, conversation: Conversation) -> Row:
        """Ids, labels and weights; a label is the id itself inside a learnt answer and its end mark, else `IGNORED`.

        An answer of n tokens weighs sqrt(n), so that the short answers are not drowned by the long ones.
        """
        text = self._tokenizer.apply_chat_template(
            list(conversation.messages), tools=list(conversation.tools) or None, tokenize=False
        )
        ids = self._tokenizer.encode(str(text), add_special_tokens=False)
        labels, weights = [IGNORED] * len(ids), [0.0] * len(ids)
        learnt, start = iter(conversation.learnt), self._header[0]
        for at, token in enumerate(ids):
            if token == start and ids[at : at + len(self._header)] == self._header:
                first = at + len(self._header)
                last = ids.index(self._end, first) + 1
                if next(learnt):
                    labels[first:last] = ids[first:last]
                    weights[first:last] = [(last - first) ** -0.5] * (last - first)
        return ids, labels, weights


def make_batches(
    tokenizer: PreTrainedTokenizerFast, seed: int, batch_tokens: int, lesson: Callable[[], Lesson]
) -> Iterator[Batch]:
    """Endless pairs of [rows, width] ids and labels, padded on the right; what is too long for the context is left out.

    `lesson` is asked anew before each pool.
    """
    encode, rng = Encoder(tokenizer), Random(seed)
    pad = token_id(tokenizer, PAD)
    while True:
        encoded = (encode(sample_conversation(rng, lesson())) for _ in range(POOL))
        pool = sorted((row for row in encoded if len(row[0]) <= MAX_TOKENS), key=lambda row: len(row[0]))
        batches = list(_cut(pool, batch_tokens))
        rng.shuffle(batches)
        for rows in batches:
            width = max(len(ids) for ids, _, _ in rows)
            yield (
                torch.tensor([ids + [pad] * (width - len(ids)) for ids, _, _ in rows]),
                torch.tensor([labels + [IGNORED] * (width - len(labels)) for _, labels, _ in rows]),
                torch.tensor([weights + [0.0] * (width - len(weights)) for _, _, weights in rows]),
            )


def _cut(pool: list[Row], batch_tokens: int) -> Iterator[list[Row]]:
    """Neighbours in length together, as many as keep to `batch_tokens` with their padding, at least two."""
    rows: list[Row] = []
    for row in pool:
        if len(rows) > 1 and (len(rows) + 1) * len(row[0]) > batch_tokens:
            yield rows
            rows = []
        rows.append(row)
    if rows:
        yield rows
