"""Tool calls out of streamed text, in every family's spelling."""

import json
import random
import time

import pytest

from llm.tools import FORMATS, BadCall, Call, Piece, Text, guess_format
from state.models import ToolFormat

NAMES = frozenset({"add", "now"})
ADD, NOW = Call("add", '{"a": 1}'), Call("now", "{}")
CALL = '{"name": "add", "arguments": {"a": 1}}'
LLAMA = '{"name": "add", "parameters": {"a": 1}}'


def parse(form: ToolFormat, *texts: str) -> list[Piece]:
    parser = FORMATS[form].parser(NAMES)
    return joined([piece for text in texts for piece in parser.feed(text)] + parser.finish())


def joined(pieces: list[Piece]) -> list[Piece]:
    made: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, Text) and made and isinstance(made[-1], Text):
            made[-1] = Text(made[-1].text + piece.text)
        else:
            made.append(piece)
    return made


PLAIN = ["plain text", "a < b and [TOOL is no tag", "ends with <tool_c", "ends with [TOOL", "  indented\n\n", "\n", ""]
OTHER_JSON = [
    '{"city": "Lima", "name": "add"}',
    '{"name": "Ada", "arguments": {"a": 1}}',
    "[1, 2, 3]",
    "{not json}",
    '{"name": "Ada"',
]
TEXTS: dict[ToolFormat, list[str]] = {
    "hermes": [*PLAIN, *OTHER_JSON],
    "mistral": [*PLAIN, *OTHER_JSON],
    "llama3": [*PLAIN, *OTHER_JSON, f"So: {LLAMA}", "<|python"],
    "json": [*PLAIN, *OTHER_JSON, f"So: {CALL}", '```python\nprint("{}")\n```', "```json\n[1]\n```", "``", "```json"],
}


@pytest.mark.parametrize(("form", "text"), [(form, text) for form, texts in TEXTS.items() for text in texts])
def test_what_is_no_call_is_text(form: ToolFormat, text: str) -> None:
    assert parse(form, text) == ([Text(text)] if text else [])


CALLS: list[tuple[ToolFormat, str, list[Piece]]] = [
    ("hermes", f"<tool_call>{CALL}</tool_call>", [ADD]),
    ("hermes", f"<tool_call>\n{CALL}\n</tool_call>\n", [ADD]),
    ("hermes", f"See. <tool_call>{CALL}</tool_call> Done.", [Text("See. "), ADD, Text(" Done.")]),
    ("hermes", f'<tool_call>{CALL}</tool_call>\n<tool_call>{{"name": "now"}}</tool_call>', [ADD, NOW]),
    ("hermes", '<tool_call>{"name": "add", "arguments": "{\\"a\\": 1}"}</tool_call>', [ADD]),
    ("hermes", f'<tool_call>[{CALL}, {{"name": "now"}}]</tool_call>', [ADD, NOW]),
    ("hermes", '<tool_call>{"name": "f", "arguments": {"t": "día 🙂"}}</tool_call>', [Call("f", '{"t": "día 🙂"}')]),
    ("mistral", f"[TOOL_CALLS][{CALL}]", [ADD]),
    ("mistral", f'[TOOL_CALLS] [{CALL}, {{"name": "now"}}] ', [ADD, NOW]),
    ("mistral", f"See. [TOOL_CALLS] {CALL}", [Text("See. "), ADD]),
    ("mistral", '[TOOL_CALLS]add[ARGS]{"a": 1}', [ADD]),
    ("mistral", '[TOOL_CALLS]add[CALL_ID]x1y2[ARGS]{"a": 1}[TOOL_CALLS]now[ARGS]{} Done.', [ADD, NOW, Text(" Done.")]),
    ("mistral", '[TOOL_CALLS]add{"a": 1}', [ADD]),
    ("mistral", '[TOOL_CALLS]add[ARGS]{"t": "]}\\"[TOOL_CALLS]"}', [Call("add", '{"t": "]}\\"[TOOL_CALLS]"}')]),
    ("llama3", LLAMA, [ADD]),
    ("llama3", f"\n<|python_tag|>{LLAMA}", [ADD]),
    ("llama3", f'{LLAMA}; {{"name": "now", "parameters": {{}}}}', [ADD, NOW]),
    ("llama3", f'{LLAMA}\n{{"type": "function", "name": "now"}} ok', [ADD, NOW, Text("ok")]),
    ("llama3", f"See. <|python_tag|>{LLAMA}", [Text("See. "), ADD]),
    ("json", CALL, [ADD]),
    ("json", f"```json\n{CALL}\n```", [ADD]),
    ("json", f"See.\n```\n[{CALL}]\n```\nDone.", [Text("See.\n"), ADD, Text("\nDone.")]),
    ("json", f'See.\n  {CALL}\n{{"name": "now"}}', [Text("See.\n"), ADD, NOW]),
    ("json", '{"type": "function", "function": {"name": "add", "arguments": "{\\"a\\": 1}"}}', [ADD]),
    ("json", f"```json\n{CALL}", [ADD]),
]


@pytest.mark.parametrize(("form", "text", "pieces"), CALLS)
def test_calls_are_told_from_text_wherever_the_stream_is_cut(form: ToolFormat, text: str, pieces: list[Piece]) -> None:
    for cut in range(len(text) + 1):
        assert parse(form, text[:cut], text[cut:]) == pieces
    assert parse(form, *text) == pieces


BAD: list[tuple[ToolFormat, str, str]] = [
    ("hermes", "<tool_call>{broken}</tool_call>", "not JSON"),
    ("hermes", '<tool_call>{"name": "f", "argu', "ended before"),
    ("hermes", "<tool_call>", "ended before"),
    ("hermes", '<tool_call>{"arguments": {}}</tool_call>', "needs a 'name'"),
    ("hermes", "<tool_call>42</tool_call>", "needs a 'name'"),
    ("hermes", "<tool_call></tool_call>", "not JSON"),
    ("hermes", '<tool_call>{"name": "f", "arguments": [1]}</tool_call>', "not an object"),
    ("hermes", '<tool_call>{"name": "f", "arguments": "x"}</tool_call>', "not JSON"),
    ("hermes", "<tool_call>" + "[" * 100_000 + "</tool_call>", "not JSON"),
    ("mistral", "[TOOL_CALLS]", "ended before"),
    ("mistral", "[TOOL_CALLS][{", "ended before"),
    ("mistral", "[TOOL_CALLS]add[ARGS]", "ended before"),
    ("mistral", "[TOOL_CALLS]add[ARGS]{'a': 1}", "not JSON"),
    ("mistral", "[TOOL_CALLS]no name at all{}", "no tool's name"),
    ("mistral", "[TOOL_CALLS][" + "[" * 100_000, "ended before"),
    ("llama3", '{"name": "add", "parameters": {"a": 1', "last brace"),
    ("llama3", '{"name": "add", \'parameters\': {}}', "not JSON"),
    ("llama3", '<|python_tag|>brave_search.call(query="x")', "no call of an offered tool"),
    ("json", '```json\n{"name": "add", "arguments": {"a": ', "last brace"),
    ("json", '{"name": "add", "arguments": [1]}', "not an object"),
]


@pytest.mark.parametrize(("form", "text", "error"), BAD)
def test_what_was_meant_as_a_call_and_is_none_is_kept_with_the_reason(form: ToolFormat, text: str, error: str) -> None:
    [piece] = parse(form, text)
    assert isinstance(piece, BadCall)
    assert error in piece.error


FRAGMENTS = [
    *"{}[]\"\\`;,: \n\t<|aé🙂",
    '"name"', '"arguments"', '"parameters": {}', "add", "now", '{"name": "add", ', CALL, LLAMA, '{"name": "Ada"}',
    "<tool_call>", "</tool_call>", "<tool", "[TOOL_CALLS]", "[TOOL", "[ARGS]", "[CALL_ID]", "add[ARGS]{",
    "<|python_tag|>", "```", "```json\n", "\n```", "; ", "\n\n", "text ", "function",
]  # fmt: skip


@pytest.mark.no_cover
@pytest.mark.parametrize("form", FORMATS)
def test_any_text_gives_the_same_pieces_however_it_is_cut(form: ToolFormat) -> None:
    dice = random.Random(7)
    for _ in range(1_500):
        text = "".join(dice.choices(FRAGMENTS, k=dice.randint(1, 12)))
        whole = parse(form, text)
        cuts = sorted(dice.choices(range(len(text) + 1), k=dice.randint(1, 6)))
        parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert parse(form, *parts) == whole, (text, parts)
        assert parse(form, *text) == whole, text
        for piece in whole:
            if isinstance(piece, Call):
                assert isinstance(json.loads(piece.arguments), dict)


@pytest.mark.parametrize("form", FORMATS)
def test_text_that_cannot_be_a_call_is_shown_at_once(form: ToolFormat) -> None:
    parser = FORMATS[form].parser(NAMES)
    shown = joined([piece for letter in 'Sure: {"x": 1}' for piece in parser.feed(letter)])
    assert shown == [Text('Sure: {"x": 1}')]


@pytest.mark.parametrize("form", ["llama3", "json"])
def test_json_is_held_back_only_while_it_may_be_a_call(form: ToolFormat) -> None:
    parser = FORMATS[form].parser(NAMES)
    assert parser.feed('{"na') == []
    assert joined(parser.feed('tion": "Peru')) == [Text('{"nation": "Peru')]


@pytest.mark.parametrize(
    ("form", "opens", "closes"),
    [
        ("hermes", "<tool_call>", "</tool_call>"),
        ("mistral", "[TOOL_CALLS][", "]"),
        ("llama3", "", ""),
        ("json", "", ""),
    ],
)
def test_a_long_call_costs_time_in_proportion_to_its_length(form: ToolFormat, opens: str, closes: str) -> None:
    text = opens + json.dumps({"name": "add", "arguments": {"code": 'if x["a"]: {}\n' * 3_000}}) + closes
    began = time.process_time()
    [call] = parse(form, *text)
    assert isinstance(call, Call)
    assert time.process_time() - began < 5  # 50,000 characters, one at a time; .5 s here


def test_a_template_shows_its_format() -> None:
    assert guess_format("…[TOOL_CALLS]…") == "mistral"
    assert guess_format("…<tool_call>…") == "hermes"
    assert guess_format("…<|start_header_id|>…") == "llama3"
    assert guess_format("…[INST]…") == "json"
