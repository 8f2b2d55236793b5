"""What an answer may look like, as a grammar in llguidance's dialect of Lark. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llm.grammar.schemas import nest, prepare
from llm.tools import GAP, NAME, Shape

JSON_STYLE = {"item_separator": ", ?", "key_separator": ": ?", "whitespace_flexible": False}
"""One space at most, after `,` and `:`: a small model that may write white space can write it to the end."""


@dataclass(frozen=True)
class Schema:
    """A JSON schema to keep to. Where it is not `strict`, keywords that cannot be followed are passed over."""

    json: dict[str, Any]
    strict: bool = True


@dataclass(frozen=True)
class Calls:
    """Calls of these tools, arguments by their schemas. `many`: one or more, else one."""

    tools: tuple[tuple[str, Schema], ...]
    many: bool = True


@dataclass(frozen=True)
class Grammar:
    """An answer: tool calls, JSON, text, or a choice of these. Text and calls may follow each other."""

    calls: Calls | None = None
    answer: Schema | None = None
    text: bool = False


def to_lark(grammar: Grammar, shape: Shape, tag_id: Callable[[str], int | None]) -> str:
    """The grammar's text. `shape`: how calls are spelled; `tag_id`: the token of a tag, None when it is text.

    Raises RecursionError for a schema that is too deep.
    """
    rules, starts = [], []
    if grammar.answer is not None:
        rules.append(f"json: {_json(grammar.answer)}")
        starts.append("json")
    if grammar.calls is not None:
        rules += _call_rules(grammar.calls, shape, tag_id, in_text=grammar.text, whole=bool(starts) and shape.bare)
        starts.append(("calls ANY" if grammar.calls.many else "calls") if grammar.text and not shape.bare else "calls")
    if grammar.text:
        rules.append(_text(shape, tag_id) if grammar.calls else _ANY)
        starts.append("ANY")
    return "\n".join([f"start: {' | '.join(starts)}", *rules, ""])


_ANY = r"ANY: /(.|\n)*/"
_LINE = r"[ \t]*([^ \t\n{\[`][^\n]*)?"
_PROSE = rf"ANY: /{_LINE}(\n{_LINE})*/"
"""Text in which no line begins like a call that has no tag."""


def _text(shape: Shape, tag_id: Callable[[str], int | None]) -> str:
    """Text beside calls: what is read as the start of a call may stand in no text."""
    if shape.bare:
        return _PROSE
    if tag_id(shape.opens) is None:  # the rule `opens` ends it there
        return _ANY
    return rf"{_ANY} & ~/(?s:.*){re.escape(shape.opens)}(?s:.*)/"


def _call_rules(
    calls: Calls, shape: Shape, tag_id: Callable[[str], int | None], *, in_text: bool, whole: bool
) -> list[str]:
    """`whole`: calls are JSON beside other JSON. Only when both are written as schemas can one begin like the other."""

    def parts(texts: tuple[str, ...], name: str = "") -> str:
        tag = None if shape.bare else shape.opens
        return " ".join("opens" if text == tag else _part(text, name, tag_id) for text in texts)

    more = f"( {parts(shape.between)} call )*" if calls.many else ""
    # A line break that could still follow the only call would cost a step to learn that the answer ends.
    last = shape.last if calls.many else tuple(text for text in shape.last if text != GAP)
    numbers = range(len(calls.tools))
    rules = [
        f"calls: {parts(shape.first)} call {more} {parts(last)}",
        f"call: {' | '.join(f'call_{number}' for number in numbers)}",
    ]
    for number, (name, schema) in enumerate(calls.tools):
        if whole:
            rules.append(f"call_{number}: {_json(_whole_call(name, schema, shape.key))}")
            continue
        rules.append(f"call_{number}: {parts(shape.head, name)} args_{number} {parts(shape.tail, name)}")
        rules.append(f"args_{number}: {_json(schema)}")
    if shape.bare:
        return rules
    # Text up to the first tag. Where the tag is a token of its own no text can hold it; otherwise the text is lazy.
    tag = _part(shape.opens, "", tag_id)
    lazy = "[lazy]" if in_text and tag_id(shape.opens) is None else ""
    return [*rules, f"opens{lazy}: {'ANY ' if in_text else ''}{tag}"]


def _whole_call(name: str, schema: Schema, key: str) -> Schema:
    properties = {"name": {"const": name}, key: nest(schema.json, f"/properties/{key}")}
    return Schema({"type": "object", "properties": properties, "required": ["name", key]}, schema.strict)


def _part(text: str, name: str, tag_id: Callable[[str], int | None]) -> str:
    if text == GAP:
        return r"/\n?/"
    if text == NAME:
        return json.dumps(json.dumps(name, ensure_ascii=False)[1:-1], ensure_ascii=False)
    number = tag_id(text)
    return json.dumps(text, ensure_ascii=False) if number is None else f"<[{number}]>"


def _json(schema: Schema) -> str:
    style = {**JSON_STYLE, **({} if schema.strict else {"lenient": True})}
    return "%json " + json.dumps({**prepare(schema.json), "x-guidance": style}, ensure_ascii=False)
