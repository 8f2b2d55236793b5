"""What of a conversation is sent: as much as the model's window, and the run's own limit, leave. Pure but for counting.

Counting tokens may read a tokenizer's files, so all of this blocks.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, trim_messages
from langchain_core.tools import BaseTool

from nodes.calling.prompting import related_note
from state.models import Sampling
from state.tasks import Related

LARGE_WINDOW = 4_096
"""Tokens from which a window has room for notes of related runs beside the request."""


@dataclass(frozen=True)
class Window:
    """A model's window of `size` tokens, and what counts them."""

    counter: BaseChatModel
    size: int
    tools: tuple[BaseTool, ...] = ()

    def count(self, messages: Sequence[AnyMessage]) -> int:
        """Tokens of the prompt that these messages make, the offered tools included."""
        return self.counter.get_num_tokens_from_messages(list(messages), tools=list(self.tools) or None)


def choose_way(ways: Sequence[list[AnyMessage]], *, around: Sequence[AnyMessage], window: Window, room: int) -> int:
    """Which way of asking is taken: the first that fits into `room` tokens with what is `around` it, else the last."""
    for number, way in enumerate(ways[:-1]):
        if window.count([*around, *way]) <= room:
            return number
    return len(ways) - 1


def fit_window(
    head: list[AnyMessage],
    history: list[AnyMessage],
    tail: list[AnyMessage],
    *,
    window: Window,
    answer_tokens: int,
    most: int | None = None,
) -> tuple[list[AnyMessage], int, int]:
    """The messages to send, the tokens that `history` takes of them, and those left for the answer.

    Of `history` the oldest turns go first until the answer has its room and no more than `most` tokens are taken;
    `head` and `tail` are never cut, so a request that is too long by itself is refused by the model with its numbers.
    """
    fixed = window.count([*head, *tail])
    room = window.size - answer_tokens - fixed
    room = room if most is None else min(room, most)
    kept: list[AnyMessage] = []
    if history and room > 0:
        kept = trim_messages(  # type: ignore[assignment]  # typed as BaseMessage; it returns what it was given
            history,
            max_tokens=room,
            token_counter=lambda part: window.count([*head, *part, *tail]) - fixed,
            strategy="last",
            start_on="human",
        )
    messages = [*head, *kept, *tail]
    used = window.count(messages) - fixed if kept else 0
    return messages, used, window.size - fixed - used


def fit_notes(related: Sequence[Related], *, window: Window, room: int) -> tuple[str, int]:
    """As many related runs as fit into `room` tokens, the nearest first, as one text, and its tokens.

    A window smaller than `LARGE_WINDOW` gets none.
    """
    if window.size >= LARGE_WINDOW:
        for count in range(len(related), 0, -1):
            note = related_note(related[:count])
            if (taken := window.counter.get_num_tokens(note)) < room:
                return note, taken
    return "", 0


def clip_tokens(sampling: Sampling, room: int) -> Sampling:
    """The same settings with `max_tokens` lowered to what the window leaves; without a limit they stay as they are."""
    if sampling.max_tokens is None or sampling.max_tokens <= room or room <= 0:
        return sampling
    return sampling.model_copy(update={"max_tokens": room})


def sendable(message: AnyMessage) -> AnyMessage:
    """The message without halves of surrogate pairs, which no tokenizer takes: `?` stands for each."""
    content = message.content
    if isinstance(content, str) and (whole := sendable_text(content)) != content:
        message = message.model_copy(update={"content": whole})
    if isinstance(message, AIMessage) and message.tool_calls:
        said = json.dumps(message.tool_calls, ensure_ascii=False)
        if (whole := sendable_text(said)) != said:
            return message.model_copy(update={"tool_calls": json.loads(whole)})
    return message


def sendable_text(text: str) -> str:
    """See `sendable`."""
    return text.encode("utf-8", "replace").decode("utf-8")
