"""Tool calls out of streamed text."""

import json

import pytest

from llm.tools import FORMATS, BadCall, Call, Piece, Text, ToolCallParser

ONE = '<tool_call>{"name": "calculator", "arguments": {"expression": "17 + 25"}}</tool_call>'
CALL = Call("calculator", '{"expression": "17 + 25"}')


def parse(*texts: str) -> list[Piece]:
    parser = ToolCallParser(FORMATS["hermes"])
    pieces = [piece for text in texts for piece in parser.feed(text)] + parser.finish()
    joined: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, Text) and joined and isinstance(joined[-1], Text):
            joined[-1] = Text(joined[-1].text + piece.text)
        else:
            joined.append(piece)
    return joined


CASES = [
    ("plain text", [Text("plain text")]),
    (ONE, [CALL]),
    (f"Let me see. {ONE} Done.", [Text("Let me see. "), CALL, Text(" Done.")]),
    (f"{ONE}\n{ONE}", [CALL, Text("\n"), CALL]),
    ("<tool_call>\n" + ONE[11:-12] + "\n</tool_call>", [CALL]),
    ('<tool_call>{"name": "now"}</tool_call>', [Call("now", "{}")]),
    ('<tool_call>{"name": "f", "arguments": "{\\"a\\": 1}"}</tool_call>', [Call("f", '{"a": 1}')]),
    ('<tool_call>[{"name": "f"}, {"name": "g"}]</tool_call>', [Call("f", "{}"), Call("g", "{}")]),
    ('<tool_call>{"name": "f", "arguments": {"t": "día 🙂"}}</tool_call>', [Call("f", '{"t": "día 🙂"}')]),
    ("a < b and <tool is no tag", [Text("a < b and <tool is no tag")]),
    ("ends with <tool_c", [Text("ends with <tool_c")]),
]


@pytest.mark.parametrize(("text", "pieces"), CASES)
def test_calls_and_text_are_told_apart_wherever_the_stream_is_cut(text: str, pieces: list[Piece]) -> None:
    for cut in range(len(text) + 1):
        assert parse(text[:cut], text[cut:]) == pieces
    assert parse(*text) == pieces


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("<tool_call>{broken}</tool_call>", "not JSON"),
        ('<tool_call>{"name": "f", "argu', "ended before"),
        ("<tool_call>", "ended before"),
        ('<tool_call>{"arguments": {}}</tool_call>', "needs a 'name'"),
        ("<tool_call>42</tool_call>", "needs a 'name'"),
        ("<tool_call></tool_call>", "not JSON"),
        ('<tool_call>{"name": "f", "arguments": [1]}</tool_call>', "not an object"),
        ('<tool_call>{"name": "f", "arguments": "x"}</tool_call>', "not JSON"),
        ("<tool_call>" + "[" * 100_000 + "</tool_call>", "not JSON"),
    ],
)
def test_what_is_not_a_call_is_kept_as_a_bad_call(text: str, error: str) -> None:
    [piece] = parse(text)
    assert isinstance(piece, BadCall)
    assert error in piece.error


def test_arguments_are_json() -> None:
    [call] = parse(ONE)
    assert isinstance(call, Call)
    assert json.loads(call.arguments) == {"expression": "17 + 25"}
