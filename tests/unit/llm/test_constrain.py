"""Answers held to a form, with real tokenizers and a model that picks any allowed token."""

import json
import random
from typing import Any

import jsonschema
import pytest
import torch
from tokenizers import Tokenizer, models

from llm.codec import Codec
from llm.engine.base import Constraint
from llm.grammar.constrain import MOST_KEPT, Grammars
from llm.grammar.lark import Calls, Grammar, Schema
from llm.tools import FORMATS, Call, Format, Text, ToolCallParser
from state.errors import BadRequest, Broken
from state.models import ToolFormat
from tests.unit.llm.families import merged_codec, pieces_codec
from tests.unit.llm.tiny import END, START, make_codec

TAGS = ("<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[ARGS]", "<|python_tag|>")


@pytest.fixture(scope="module", params=["bytes", "merged", "merged with tags", "pieces"])
def codec(request: pytest.FixtureRequest) -> Codec:
    if request.param in ("bytes", "pieces"):
        return make_codec() if request.param == "bytes" else pieces_codec()
    return merged_codec(TAGS if "tags" in request.param else ())


def write(codec: Codec, constraint: Constraint, seed: int, width: int = 700, most: int = 400) -> str | None:
    """What a model says that likes all allowed tokens equally but ends values soon; None when it never ends.

    `width`: of the logits, more than the tokenizer has tokens.
    """
    dice = random.Random(seed)
    said: list[int] = []
    closing = [id for mark in ('"', "}", "]") for id in codec.encode(mark)]
    for _ in range(most):
        masked = constraint.mask(torch.zeros(width))
        allowed = torch.isfinite(masked).nonzero().flatten().tolist()
        soon = [token for token in allowed if token in closing or token in codec.eos_ids]
        token = dice.choice(soon if soon and dice.random() < 0.5 else allowed)
        done = constraint.accept(token)
        if token not in codec.eos_ids:
            said.append(token)
        if done:
            return codec.decode(said)
    return None


PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 3},
        "home": {"$ref": "#/$defs/Home"},
        "kind": {"anyOf": [{"const": "x"}, {"type": "null"}]},
    },
    "required": ["name", "age", "home"],
    "$defs": {
        "Home": {
            "type": "object",
            "properties": {"zip": {"type": "string", "pattern": "^[0-9]{5}$"}},
            "required": ["zip"],
        }
    },
}
HERMES = FORMATS["hermes"]


def test_any_answer_is_valid_and_compact(codec: Codec) -> None:
    texts = [write(codec, codec.constraint(Grammar(answer=Schema(PERSON)), HERMES), seed) for seed in range(12)]
    ended = [text for text in texts if text is not None]
    assert len(ended) > 8
    for text in ended:
        jsonschema.validate(json.loads(text), PERSON)
        assert "\n" not in text and "  " not in text.replace(json.loads(text)["name"], "")
        assert START not in text and END not in text


def test_the_end_is_allowed_only_when_the_answer_is_complete(codec: Codec) -> None:
    [end] = codec.eos_ids
    constraint = codec.constraint(Grammar(answer=Schema({"type": "integer"})), HERMES)
    assert constraint.mask(torch.zeros(700))[end] == float("-inf")
    assert not constraint.accept(codec.encode("7")[0])
    assert constraint.mask(torch.zeros(700))[end] == 0
    assert constraint.accept(end)


def test_an_answer_that_can_only_end_is_complete_without_an_end_token(codec: Codec) -> None:
    constraint = codec.constraint(Grammar(answer=Schema({"const": True})), HERMES)
    assert [constraint.accept(token) for token in codec.encode("true")][-1]


def test_logits_keep_their_values_and_dtype() -> None:
    codec = make_codec()
    constraint = codec.constraint(Grammar(answer=Schema({"type": "null"})), HERMES)
    for dtype in (torch.float32, torch.bfloat16):
        logits = torch.randn(300, dtype=dtype)
        before = logits.clone()
        masked = constraint.mask(logits)
        assert torch.equal(logits, before) and masked.dtype == dtype
        [n] = codec.encode("n")
        assert masked[n] == logits[n] and torch.isfinite(masked).sum() == 1


K = {"type": "object", "properties": {"k": {"enum": [1, 2]}}, "required": ["k"]}
ADD = {"type": "object", "properties": {"a": {"$ref": "#/$defs/K"}}, "required": ["a"], "$defs": {"K": K}}
SAY = {"type": "object", "properties": {"t": {"enum": ["}", "</tool_call>", "é"]}}, "required": ["t"]}
TOOLS = (("add", Schema(ADD)), ("now", Schema({"type": "object", "properties": {}})), ("say", Schema(SAY)))
NAMES = frozenset(name for name, _ in TOOLS)


def parsed(form: Format, text: str) -> list[Any]:
    parser: ToolCallParser = form.parser(NAMES)
    return parser.feed(text) + parser.finish()


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
@pytest.mark.parametrize("many", [True, False])
def test_a_forced_call_is_a_call_that_the_familys_parser_reads(codec: Codec, form: Format, many: bool) -> None:
    tools = TOOLS if form.name != "hermes" else TOOLS[:2]  # its parser ends a call at the first closing tag
    ended = 0
    for seed in range(12):
        text = write(codec, codec.constraint(Grammar(Calls(tools, many=many)), form), seed)
        if text is None:
            continue
        ended += 1
        calls = parsed(form, text)
        assert calls and all(isinstance(call, Call) for call in calls), text
        assert many or len(calls) == 1
        for call in calls:
            jsonschema.validate(json.loads(call.arguments), dict(TOOLS)[call.name].json)
    assert ended > 6


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
def test_a_strict_tool_is_held_to_its_schema_in_free_text(codec: Codec, form: Format) -> None:
    tools = TOOLS[:2]
    kinds = set()
    for seed in range(30):
        constraint = codec.constraint(Grammar(Calls(tools), text=True), form)
        start = "" if seed % 2 else _opening(form, codec)
        try:
            for token in _tokens(codec, start):
                constraint.accept(token)
        except Broken as error:
            raise AssertionError(f"{start!r} is not allowed") from error
        text = write(codec, constraint, seed)
        for piece in parsed(form, start + text) if text is not None else []:
            assert isinstance(piece, Call | Text), (start, text)
            kinds.add(type(piece))
            if isinstance(piece, Call):
                jsonschema.validate(json.loads(piece.arguments), dict(TOOLS)[piece.name].json)
    assert kinds == {Call, Text}


def _opening(form: Format, codec: Codec) -> str:
    """What begins a call, after some text where the family allows that."""
    shape = form.shape_for(lambda tag: codec.tag_id(tag) is not None)
    return '{"name": "' if shape.bare else f"See {shape.opens}"


def _tokens(codec: Codec, text: str) -> list[int]:
    """As the model would write it: tags as their own tokens."""
    for tag in TAGS:
        number = codec.tag_id(tag)
        if tag in text and number is not None:
            before, after = text.split(tag, 1)
            return [*_tokens(codec, before), number, *_tokens(codec, after)]
    return codec.encode(text)


def test_json_or_calls_may_both_be_offered(codec: Codec) -> None:
    answer = Schema({"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]})
    for form in FORMATS.values():
        for text in ('{"ok": true}', _call_text(form, codec)):
            constraint = codec.constraint(Grammar(Calls(TOOLS[:2], many=False), answer), form)
            assert [constraint.accept(token) for token in _tokens(codec, text)][-1], (form.name, text)


def _call_text(form: Format, codec: Codec) -> str:
    texts: dict[ToolFormat, str] = {
        "hermes": '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>',
        "mistral": '[TOOL_CALLS][{"name": "now", "arguments": {}}]',
        "llama3": '{"name": "now", "parameters": {}}',
        "json": '{"name": "now", "arguments": {}}',
    }
    return (
        "[TOOL_CALLS]now[ARGS]{}" if form.name == "mistral" and codec.tag_id("[ARGS]") is not None else texts[form.name]
    )


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "object", "properties": {"a": {"not": {}}}}, 'Unimplemented keys: \\["not"\\]'),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"$ref": "https://example.com/x.json"}, "example.com/x.json"),
        ({"type": "wat"}, "Invalid type: wat"),
        ({"type": "string", "pattern": "(?=a)b"}, "look-around|regex"),
        ({"type": "integer", "minimum": 5, "maximum": 4}, "[Uu]nsatisfiable|minimum"),
    ],
)
def test_a_schema_that_cannot_be_followed_is_refused_by_name(schema: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadRequest, match=reason) as caught:
        make_codec().constraint(Grammar(answer=Schema(schema)), HERMES)
    assert "\n" not in str(caught.value) and "x-guidance" not in str(caught.value)


def test_a_lenient_schema_passes_over_what_cannot_be_followed() -> None:
    codec = make_codec()
    schema = {"type": "array", "items": {"enum": [1]}, "uniqueItems": True, "maxItems": 1}
    constraint = codec.constraint(Grammar(answer=Schema(schema, strict=False)), HERMES)
    assert [constraint.accept(token) for token in codec.encode("[1]")][-1]


def test_a_schema_without_an_end_fails_its_request_alone() -> None:
    constraint = make_codec().constraint(Grammar(answer=Schema({"$ref": "#"})), HERMES)
    with pytest.raises(BadRequest, match="leaves no way to go on"):
        constraint.mask(torch.zeros(300))


def test_a_schema_too_deep_to_read_is_refused() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(3_000):
        schema = {"type": "array", "items": schema}
    with pytest.raises(BadRequest, match="cannot be followed"):
        make_codec().constraint(Grammar(answer=Schema(schema)), HERMES)


def test_a_token_that_was_ruled_out_is_a_bug() -> None:
    codec = make_codec()
    constraint = codec.constraint(Grammar(answer=Schema({"type": "null"})), HERMES)
    with pytest.raises(Broken, match="does not fit"):
        constraint.accept(codec.encode("x")[0])


def test_grammars_are_compiled_once_and_answers_do_not_share_state() -> None:
    codec = make_codec()
    [end] = codec.eos_ids
    for text in ("1", "22"):
        constraint = codec.constraint(Grammar(answer=Schema({"type": "integer"})), HERMES)
        for token in codec.encode(text):
            constraint.accept(token)
        assert constraint.accept(end)
    kept = codec._grammars
    assert kept is not None and len(kept._kept) == 1
    for number in range(MOST_KEPT + 5):
        codec.constraint(Grammar(answer=Schema({"const": number})), HERMES)
    assert len(kept._kept) == MOST_KEPT


def test_a_tokenizer_of_an_unknown_kind_is_refused() -> None:
    words = Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]"))
    for text, ends in ((words.to_str(), [0]), ("{}", [0]), (words.to_str(), [])):
        with pytest.raises(BadRequest, match="answers of odd cannot be kept to a form"):
            Grammars(text, ends, name="odd")
