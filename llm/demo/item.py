"""One example of one task, and the rule that decides which examples the model may see while it learns."""

import hashlib
import json
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, Protocol

Lang = Literal["en", "es"]
Split = Literal["train", "test"]
Message = dict[str, Any]
Tool = dict[str, Any]

LANGS: tuple[Lang, ...] = ("en", "es")
TEST_PERCENT = 10
PINNED_TO_TEST = frozenset({"17 + 25", "reverse casa", "case casa", "echo casa"})
"""Examples that the documentation shows, so they must never be learnt by heart."""


@dataclass(frozen=True)
class Item:
    """A conversation that ends before the assistant's turn, and that turn.

    `key` names what was drawn at random (the word, the operands); the split is made on it, so phrasing never leaks it.
    `learn_history` is False where earlier assistant turns are deliberately bad.
    """

    task: str
    lang: Lang
    key: str
    messages: tuple[Message, ...]
    answer: Message
    tools: tuple[Tool, ...] = ()
    learn_history: bool = True

    @property
    def expected(self) -> str:
        """The answer as the model must write it."""
        return "".join(render_call(call) for call in self.answer.get("tool_calls", ())) or str(self.answer["content"])

    def accepts(self, reply: str) -> bool:
        """Whether `reply` is the answer, byte for byte but for outer white space."""
        return reply.strip() == self.expected.strip()


class Generator(Protocol):
    """Draws one item; both splits come from the same function."""

    def __call__(self, rng: Random, lang: Lang) -> Item: ...


def is_test_key(key: str) -> bool:
    """Whether the item with this key is kept from training; stable across machines and versions."""
    return key in PINNED_TO_TEST or hashlib.sha256(key.encode()).digest()[0] * 100 < TEST_PERCENT * 256


def draw(generate: Generator, rng: Random, lang: Lang, split: Split) -> Item:
    """Draw until the item belongs to `split`."""
    while True:
        item = generate(rng, lang)
        if is_test_key(item.key) == (split == "test"):
            return item


def listed(words: str) -> list[str]:
    """The words of a table that is written as one string."""
    return words.split()


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str) -> Message:
    return {"role": "assistant", "content": text}


def system(text: str) -> Message:
    return {"role": "system", "content": text}


def calls(name: str, arguments: dict[str, Any]) -> Message:
    """An assistant turn that calls one tool, in OpenAI's shape."""
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"type": "function", "function": {"name": name, "arguments": arguments}}],
    }


def tool_result(text: str) -> Message:
    return {"role": "tool", "content": text}


def render_call(call: Message) -> str:
    """A tool call as the chat template writes it."""
    return f"<tool_call>{json.dumps(call['function'], ensure_ascii=False)}</tool_call>"


def tool(name: str, arguments: dict[str, str], description: str = "") -> Tool:
    """A function schema in OpenAI's shape; `arguments` maps each name to its JSON type."""
    properties = {key: {"type": kind} for key, kind in arguments.items()}
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}
