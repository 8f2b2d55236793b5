"""The tool formats: which scanner reads a family's calls, and how a call that is forced is spelled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from llm.tools.hermes import HermesScanner
from llm.tools.llama3 import Llama3Scanner
from llm.tools.mistral import MistralScanner
from llm.tools.parser import Scanner, ToolCallParser
from llm.tools.plain_json import JsonScanner
from state.models import ToolFormat

GAP = "\0gap"
"""Part of a shape: an optional line break."""
NAME = "\0name"
"""Part of a shape: the tool's name."""


@dataclass(frozen=True)
class Shape:
    """How calls are spelled, in parts: `first`, then `head`, arguments, `tail` of each call with `between`, `last`.

    A part that is a tag of the tokenizer stands for its token.
    """

    head: tuple[str, ...]
    tail: tuple[str, ...] = ("}",)
    between: tuple[str, ...] = ("\n",)
    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    key: str = "arguments"
    """What a call without a tag, which is one JSON object, names its arguments."""

    @property
    def opens(self) -> str:
        """What a call, or the list of them, begins with."""
        return (*self.first, *self.head)[0]

    @property
    def bare(self) -> bool:
        """Whether calls have no tag: they begin like any other JSON."""
        return self.opens.startswith("{")


@dataclass(frozen=True)
class Format:
    """One family's way. `scanner` is given the names of the offered tools."""

    name: ToolFormat
    scanner: Callable[[frozenset[str]], Scanner]
    shape: Shape
    tags: tuple[str, ...] = ()
    """What opens and closes calls; stays visible when an answer is decoded."""
    newer_shape: Shape | None = None
    """For tokenizers that have all of `tags`."""

    def parser(self, names: frozenset[str]) -> ToolCallParser:
        """A parser for one answer."""
        return ToolCallParser(self.scanner(names))

    def shape_for(self, has_tag: Callable[[str], bool]) -> Shape:
        """The spelling that a tokenizer with these tags was trained on."""
        return self.newer_shape if self.newer_shape and all(map(has_tag, self.tags)) else self.shape


_JSON_HEAD = ('{"name": "', NAME, '", "arguments": ')

FORMATS: dict[ToolFormat, Format] = {
    "hermes": Format(
        "hermes",
        lambda _: HermesScanner(),
        Shape(("<tool_call>", GAP, *_JSON_HEAD), ("}", GAP, "</tool_call>"), (GAP,), last=(GAP,)),
        ("<tool_call>", "</tool_call>"),
    ),
    "mistral": Format(
        "mistral",
        lambda _: MistralScanner(),
        Shape(_JSON_HEAD, between=(", ",), first=("[TOOL_CALLS]", "["), last=("]",)),
        ("[TOOL_CALLS]", "[ARGS]"),
        newer_shape=Shape(("[TOOL_CALLS]", NAME, "[ARGS]"), (), ()),
    ),
    "llama3": Format(
        "llama3",
        Llama3Scanner,
        Shape(('{"name": "', NAME, '", "parameters": '), between=("; ",), key="parameters"),
        ("<|python_tag|>",),
    ),
    "json": Format("json", JsonScanner, Shape(_JSON_HEAD)),
}

TAG_TEXTS: tuple[str, ...] = tuple(dict.fromkeys(tag for each in FORMATS.values() for tag in each.tags))
"""Tags that stay visible when an answer is decoded."""


def guess_format(template: str) -> ToolFormat:
    """The format that a chat template shows, for a model without a card."""
    if "[TOOL_CALLS]" in template:
        return "mistral"
    if "<tool_call>" in template:
        return "hermes"
    if "<|python_tag|>" in template or "<|start_header_id|>" in template:
        return "llama3"
    return "json"
