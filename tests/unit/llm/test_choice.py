"""What a call says of tools and of its answer's form."""

from typing import Any

import pytest

from llm.asking.choice import JsonAnswer, Tools, choose_grammar, instructions, read_response_format, read_tools
from llm.grammar.lark import Calls, Grammar, Schema
from state.errors import BadRequest

ADD_SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
ADD: dict[str, Any] = {"type": "function", "function": {"name": "add", "parameters": ADD_SCHEMA}}
NOW: dict[str, Any] = {"type": "function", "function": {"name": "now"}}
BOTH = [ADD, NOW]


@pytest.mark.parametrize(
    ("choice", "tools"),
    [
        (None, Tools((ADD, NOW))),
        ("auto", Tools((ADD, NOW))),
        (False, Tools((ADD, NOW))),
        ("none", Tools()),
        ("any", Tools((ADD, NOW), ("add", "now"))),
        ("required", Tools((ADD, NOW), ("add", "now"))),
        (True, Tools((ADD, NOW), ("add", "now"))),
        ("now", Tools((ADD, NOW), ("now",), parallel=False)),
        ({"type": "function", "function": {"name": "now"}}, Tools((ADD, NOW), ("now",), parallel=False)),
        ({"type": "tool", "name": "now"}, Tools((ADD, NOW), ("now",), parallel=False)),
    ],
)
def test_every_spelling_of_a_choice_is_read(choice: object, tools: Tools) -> None:
    assert read_tools(BOTH, choice) == tools


def test_no_tools_is_no_tools() -> None:
    for tools in (None, [], ()):
        for choice in (None, "auto", "none", False):
            assert read_tools(tools, choice) == Tools()


@pytest.mark.parametrize(
    ("tools", "choice", "message"),
    [
        ([], "any", "tool_choice 'any' needs tools"),
        (BOTH, "sub", "names the tool 'sub'; offered are: add, now"),
        ([], "sub", "offered are: none"),
        (BOTH, {"type": "any"}, "tool_choice"),
        (BOTH, 5, "tool_choice 5 is not supported"),
        ("add", None, "tools must be a list"),
        ([{}], None, r"tools\[0\] is not"),
        ([ADD, {"type": "function", "function": {"name": ""}}], None, r"tools\[1\] is not"),
        ([{"type": "function", "function": {"name": "x", "parameters": []}}, NOW], "x", None),
        ([{"type": "function", "function": {"name": "x", "parameters": [1]}}], None, "'parameters' must be"),
    ],
)
def test_what_is_not_in_openais_shape_is_refused(tools: Any, choice: object, message: str | None) -> None:
    if message is None:
        assert read_tools(tools, choice).forced == ("x",)
        return
    with pytest.raises(BadRequest, match=message):
        read_tools(tools, choice)


SHAPE = {"type": "json_schema", "json_schema": {"name": "x", "schema": ADD_SCHEMA}}


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, JsonAnswer()),
        (SHAPE, JsonAnswer(Schema(ADD_SCHEMA))),
        (
            {"type": "json_schema", "json_schema": {"schema": ADD_SCHEMA, "strict": False, "told": False}},
            JsonAnswer(Schema(ADD_SCHEMA, strict=False), told=False),
        ),
    ],
)
def test_response_formats_are_read_as_openais_clients_send_them(given: object, answer: JsonAnswer | None) -> None:
    assert read_response_format(given) == answer


@pytest.mark.parametrize("given", [{}, "json", {"type": "xml"}, {"type": "json_schema"}, {**SHAPE, "json_schema": {}}])
def test_other_response_formats_are_refused(given: object) -> None:
    with pytest.raises(BadRequest, match="response_format"):
        read_response_format(given)


CALLS = Calls(
    (("add", Schema(ADD_SCHEMA, strict=False)), ("now", Schema({"type": "object", "properties": {}}, strict=False)))
)
STRICT = {**ADD, "function": {**ADD["function"], "strict": True}}


@pytest.mark.parametrize(
    ("tools", "answer", "grammar"),
    [
        (Tools(), None, None),
        (Tools((ADD, NOW)), None, None),
        (Tools((ADD, NOW), ("add", "now")), None, Grammar(CALLS)),
        (Tools((ADD, NOW), ("add", "now"), parallel=False), None, Grammar(Calls(CALLS.tools, many=False))),
        (Tools((ADD, NOW), ("now",), parallel=False), None, Grammar(Calls(CALLS.tools[1:], many=False))),
        (Tools((STRICT, NOW)), None, Grammar(Calls((("add", Schema(ADD_SCHEMA)), CALLS.tools[1])), text=True)),
        (Tools(), JsonAnswer(), Grammar(answer=Schema({"type": "object"}))),
        (Tools((ADD, NOW)), JsonAnswer(Schema(ADD_SCHEMA)), Grammar(CALLS, Schema(ADD_SCHEMA))),
        (Tools((ADD, NOW), ("add", "now")), JsonAnswer(), Grammar(CALLS)),
    ],
)
def test_an_answer_is_held_to_a_form_only_where_one_is_asked_for(
    tools: Tools, answer: JsonAnswer | None, grammar: Grammar | None
) -> None:
    assert choose_grammar(tools, answer) == grammar


def test_the_prompt_tells_the_form() -> None:
    assert instructions(None) == instructions(JsonAnswer(Schema(ADD_SCHEMA), told=False)) == ""
    assert "JSON object" in instructions(JsonAnswer())
    assert '{"type":"object","properties":{"a":{"type":"integer"}}' in instructions(JsonAnswer(Schema(ADD_SCHEMA)))
