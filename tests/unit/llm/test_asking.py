"""From a call to a request, for a model of each family."""

import json
from typing import Any

import pytest
import torch
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from llm.asking.call import settle_call
from llm.asking.prepare import count_tokens, prepare
from llm.asking.prompt import Takes, to_template
from llm.engine.base import Request
from llm.tools import FORMATS, Call
from state.errors import BadRequest
from state.models import ModelCard, ToolFormat
from tests.unit.llm.fakes import card
from tests.unit.llm.families import family_codec

ADD: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds two numbers.",
        "parameters": {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]},
    },
}
ROUND = [
    SystemMessage("be brief"),
    HumanMessage("1+1?"),
    AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "call_123456"}]),
    ToolMessage("2", tool_call_id="call_123456", name="add"),
]


def card_of(form: ToolFormat) -> ModelCard:
    return card("m", context_length=4096, capabilities=("chat", "tools"), tool_format=form)


def prompt_of(form: ToolFormat, **given: Any) -> str:
    codec, model = family_codec(form), card_of(form)
    call = settle_call({}, model, None, {"tools": [ADD], "include_prompt": True, **given})
    asked = prepare(codec, model, to_template(ROUND), call)
    assert asked.prompt is not None
    assert count_tokens(codec, model, to_template(ROUND), call) == len(asked.request.prompt)
    return asked.prompt


def test_what_a_template_takes_is_found_by_rendering() -> None:
    assert family_codec("hermes").takes == Takes()
    assert family_codec("llama3").takes == Takes()
    assert family_codec("mistral").takes == Takes(system=False)
    assert family_codec("json").takes == Takes(system=False, tools=False)
    assert [family_codec(form).guessed_format for form in FORMATS] == ["hermes", "mistral", "llama3", "json"]


@pytest.mark.parametrize("form", FORMATS)
def test_every_familys_template_is_told_of_tools_rules_calls_and_results(form: ToolFormat) -> None:
    prompt = prompt_of(form)
    for part in ("be brief", "1+1?", "Adds two numbers.", '"name": "add"', "2"):
        assert part in prompt
    assert "call_123456" not in prompt


@pytest.mark.parametrize("form", FORMATS)
def test_a_json_answer_is_told_in_the_prompt(form: ToolFormat) -> None:
    schema = {"type": "object", "properties": {"zq": {"type": "string"}}}
    answer = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert json.dumps(schema, separators=(",", ":")) in prompt_of(form, tools=None, response_format=answer)


@pytest.mark.parametrize("form", FORMATS)
def test_tags_survive_decoding_and_other_control_tokens_do_not(form: ToolFormat) -> None:
    codec = family_codec(form)
    for tag in FORMATS[form].tags:
        number = codec.tag_id(tag)
        assert (codec.decode([65, number]) == f"{codec.decode([65])}{tag}") if number is not None else tag == "[ARGS]"
    assert codec.decode([257, 256]) == ""


@pytest.mark.parametrize("form", FORMATS)
def test_a_forced_call_goes_through_the_models_own_tokens(form: ToolFormat) -> None:
    codec, model = family_codec(form), card_of(form)
    call = settle_call({}, model, None, {"tools": [ADD], "tool_choice": "add"})
    asked = prepare(codec, model, to_template(ROUND[:2]), call)
    assert asked.parser is not None
    said = codec.decode(first_allowed(asked.request))
    pieces = asked.parser.feed(said) + asked.parser.finish()
    assert pieces == [Call("add", '{"a": 1}')]


def first_allowed(request: Request) -> list[int]:
    """The answer of a model that always takes the allowed token with the highest number, tags first."""
    assert request.constraint is not None
    said: list[int] = []
    while len(said) < 200:
        allowed = torch.isfinite(request.constraint.mask(torch.zeros(270))).nonzero().flatten().tolist()
        # Digits are in order, so the smallest byte is the 1 of the two values; white space is left out where it may be.
        printable = [token for token in allowed if token > 257 or token < 220] or allowed
        said.append(max(printable) if max(printable) > 257 else min(printable))
        if request.constraint.accept(said[-1]):
            return said
    raise AssertionError("it never ended")


def test_a_newer_mistral_is_held_to_its_newer_spelling() -> None:
    codec, model = family_codec("mistral", more_tags=("[ARGS]",)), card_of("mistral")
    call = settle_call({}, model, None, {"tools": [ADD], "tool_choice": "any", "parallel_tool_calls": False})
    said = codec.decode(first_allowed(prepare(codec, model, to_template(ROUND[:2]), call).request))
    assert said == '[TOOL_CALLS]add[ARGS]{"a":1}'


def test_a_free_answer_has_no_constraint_and_no_prompt() -> None:
    codec, model = family_codec("hermes"), card_of("hermes")
    asked = prepare(codec, model, to_template(ROUND), settle_call({}, model, None, {"caller": "me"}))
    assert (asked.request.constraint, asked.request.caller) == (None, "me")
    assert (asked.parser, asked.prompt) == (None, None)


def test_what_a_template_refuses_is_told_with_its_words() -> None:
    codec, model = family_codec("json"), card_of("json")
    call = settle_call({}, model, None, {})
    with pytest.raises(BadRequest, match="the chat template of json refuses these messages: turns must alternate"):
        prepare(codec, model, to_template([AIMessage("hi")]), call)
