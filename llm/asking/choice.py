"""What a call says of tools and of its answer's form, in OpenAI's spelling, read and checked. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llm.grammar.lark import Calls, Grammar, Schema
from state.errors import BadRequest

ANY_TOOL = ("any", "required", True)
NO_WISH = (None, "auto", False)


@dataclass(frozen=True)
class Tools:
    """Tools that a call offers, each in OpenAI's schema.

    `forced`: names of which one must be called; empty: none. `parallel`: whether one answer may hold several calls.
    """

    offered: tuple[dict[str, Any], ...] = ()
    forced: tuple[str, ...] = ()
    parallel: bool = True

    @property
    def names(self) -> frozenset[str]:
        """Of all offered tools."""
        return frozenset(tool["function"]["name"] for tool in self.offered)


@dataclass(frozen=True)
class JsonAnswer:
    """The answer must be JSON. `schema` None: any object. `told`: whether the prompt says so, schema included."""

    schema: Schema | None = None
    told: bool = True


def read_tools(tools: object, choice: object, *, parallel: bool = True) -> Tools:
    """The tools of a call, none where `choice` is "none". Raises BadRequest for what is not in OpenAI's shape."""
    offered = tuple(_tool(tool, number) for number, tool in enumerate(_sequence(tools)))
    name = _named(choice)
    if choice == "none" or (not offered and name is None and choice in NO_WISH):
        return Tools(parallel=parallel)
    known = [tool["function"]["name"] for tool in offered]
    if name is not None and name not in known:
        raise BadRequest(f"tool_choice names the tool '{name}'; offered are: {', '.join(known) or 'none'}")
    if not offered:
        raise BadRequest(f"tool_choice {choice!r} needs tools; bind some")
    if name is not None:
        return Tools(offered, (name,), parallel=False)
    return Tools(offered, () if choice in NO_WISH else tuple(known), parallel)


def _sequence(tools: object) -> Sequence[Any]:
    if tools is None:
        return ()
    if isinstance(tools, Sequence) and not isinstance(tools, str):
        return tools
    raise BadRequest(f"tools must be a list, not {type(tools).__name__}")


def _tool(tool: Any, number: int) -> dict[str, Any]:
    function = tool.get("function") if isinstance(tool, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str) or not function["name"]:
        raise BadRequest(f'tools[{number}] is not {{"type": "function", "function": {{"name": …, "parameters": …}}}}')
    if not isinstance(function.get("parameters") or {}, Mapping):
        raise BadRequest(f"tools[{number}]: 'parameters' must be a JSON schema object")
    return {**tool, "type": "function", "function": dict(function)}


def _named(choice: object) -> str | None:
    """The one tool that a choice names, as text or in OpenAI's or Anthropic's dict; None: it names none."""
    if isinstance(choice, Mapping):
        function = choice.get("function")
        name = function.get("name") if isinstance(function, Mapping) else choice.get("name")
        if isinstance(name, str):
            return name
        raise BadRequest(f'tool_choice {dict(choice)!r} is not {{"type": "function", "function": {{"name": …}}}}')
    if isinstance(choice, str) and choice not in (*ANY_TOOL, "auto", "none"):
        return choice
    if choice is None or isinstance(choice, str | bool):
        return None
    raise BadRequest(f"tool_choice {choice!r} is not supported; use 'auto', 'none', 'any' or a tool's name")


def read_response_format(given: object) -> JsonAnswer | None:
    """`{"type": "text" | "json_object" | "json_schema", …}` as OpenAI's clients send it. None: plain text.

    `{"type": "json_schema", "json_schema": {"schema": …, "strict": …}}`; `strict` false passes over keywords that
    cannot be followed, otherwise they are refused. `"told": false`, of ours, keeps it out of the prompt.
    Raises BadRequest.
    """
    kind = given.get("type") if isinstance(given, Mapping) else None
    if given is None or kind == "text":
        return None
    if kind == "json_object":
        return JsonAnswer()
    if kind == "json_schema":
        assert isinstance(given, Mapping)
        body = given.get("json_schema")
        schema = body.get("schema") if isinstance(body, Mapping) else None
        if isinstance(body, Mapping) and isinstance(schema, Mapping):
            return JsonAnswer(Schema(dict(schema), strict=body.get("strict") is not False), told=body.get("told", True))
        raise BadRequest('response_format: json_schema must be {"name": …, "schema": {…}}')
    raise BadRequest("response_format must have the type 'text', 'json_object' or 'json_schema'")


def choose_grammar(tools: Tools, answer: JsonAnswer | None) -> Grammar | None:
    """What the answer may look like; None: anything, which is faster. Tools and a JSON answer together mean either."""
    if tools.forced:
        picked = [tool for tool in tools.offered if tool["function"]["name"] in tools.forced]
        return Grammar(_calls(picked, parallel=tools.parallel))
    calls = _calls(tools.offered, parallel=tools.parallel) if tools.offered else None
    if answer is not None:
        return Grammar(calls, answer.schema or Schema({"type": "object"}))
    if any(tool["function"].get("strict") for tool in tools.offered):
        return Grammar(calls, text=True)
    return None


def _calls(tools: Sequence[dict[str, Any]], *, parallel: bool) -> Calls:
    return Calls(tuple((tool["function"]["name"], _arguments(tool["function"])) for tool in tools), many=parallel)


def _arguments(function: Mapping[str, Any]) -> Schema:
    given = function.get("parameters") or {"properties": {}}
    return Schema({"type": "object", **given}, strict=bool(function.get("strict")))


def instructions(answer: JsonAnswer | None) -> str:
    """What the prompt says of the answer's form; small models keep to a form that they have read."""
    if answer is None or not answer.told:
        return ""
    if answer.schema is None:
        return "Answer with a JSON object and nothing else."
    text = json.dumps(answer.schema.json, ensure_ascii=False, separators=(",", ":"))
    return f"Answer with JSON of this schema and nothing else:\n{text}"
