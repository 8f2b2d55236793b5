"""Tokens to text as a stream."""

from collections.abc import Callable, Sequence

import pytest

from llm.engine.decode import AnswerText, StopScanner, TextDecoder, held_back


def decode_bytes(ids: Sequence[int]) -> str:
    return bytes(ids).decode("utf-8", errors="replace")


def decode_fallback(ids: Sequence[int]) -> str:
    """As SentencePiece's byte fallback does: one U+FFFD for each byte of a half character."""
    try:
        return bytes(ids).decode()
    except UnicodeDecodeError as error:
        return bytes(ids[: error.start]).decode() + "\ufffd" * (len(ids) - error.start)


@pytest.mark.parametrize("decode", [decode_bytes, decode_fallback])
@pytest.mark.parametrize("text", ["plain", "ñandú", "日本語", "a🙂b", "🙂🙂", "é", ""])
def test_no_half_character_is_shown_and_nothing_is_lost(text: str, decode: Callable[[Sequence[int]], str]) -> None:
    decoder = TextDecoder(decode)
    pieces = [decoder.push(byte) for byte in text.encode()]
    assert "".join(pieces) == text
    assert not any("\ufffd" in piece for piece in pieces)


def test_bytes_that_are_no_text_come_as_replacement_marks_and_do_not_stop_the_rest() -> None:
    decoder = TextDecoder(decode_bytes)
    assert "".join(decoder.push(byte) for byte in b"a\xff\xff\xff\xff\xffb") == "a\ufffd\ufffd\ufffd\ufffd\ufffdb"


@pytest.mark.parametrize("decode", [decode_bytes, decode_fallback])
def test_a_long_row_of_such_bytes_is_not_decoded_over_and_over(decode: Callable[[Sequence[int]], str]) -> None:
    longest = 0

    def watched(ids: Sequence[int]) -> str:
        nonlocal longest
        longest = max(longest, len(ids))
        return decode(ids)

    decoder = TextDecoder(watched)
    text = "".join(decoder.push(byte) for byte in b"a" + b"\xff" * 200 + b"b")
    assert longest <= 20
    assert text.replace("\ufffd", "") == ("ab" if decode is decode_bytes else "a")
    assert abs(text.count("\ufffd") - 200) <= 3


def test_a_word_is_decoded_with_the_one_before_it() -> None:
    words = ["▁hello", "▁big", "▁world"]  # SentencePiece drops the space at the start of a text only
    decoder = TextDecoder(lambda ids: "".join(words[number] for number in ids).replace("▁", " ").removeprefix(" "))
    assert [decoder.push(number) for number in range(3)] == ["hello", " big", " world"]


@pytest.mark.parametrize(
    ("text", "stops", "size"),
    [
        ("abc<", ["<end>"], 1),
        ("abc<en", ["<end>"], 3),
        ("abc", ["<end>"], 0),
        ("", ["x"], 0),
        ("aab", ["abc", "bx"], 2),
    ],
)
def test_the_start_of_a_stop_string_is_held_back(text: str, stops: list[str], size: int) -> None:
    assert held_back(text, stops) == size


@pytest.mark.parametrize(
    ("text", "stops", "shown", "stopped"),
    [
        ("one two three", ["two"], "one ", True),
        ("one tw", ["two"], "one tw", False),
        ("aaab", ["aab"], "a", True),
        ("a<b<end>c", ["<end>"], "a<b", True),
        ("xyz", [""], "xyz", False),
        ("say stop or halt", ["halt", "stop"], "say ", True),
        ("stop", ["stop"], "", True),
    ],
)
def test_a_stop_string_ends_the_text_wherever_it_is_cut(text: str, stops: list[str], shown: str, stopped: bool) -> None:
    for cut in range(len(text) + 1):
        scanner = StopScanner(stops)
        got = scanner.push(text[:cut]) + scanner.push(text[cut:]) + scanner.finish()
        assert (got, scanner.stopped) == (shown, stopped)
    letters = StopScanner(stops)
    assert "".join(map(letters.push, text)) + letters.finish() == shown


def test_a_character_cut_off_by_the_length_is_dropped() -> None:
    text = AnswerText(decode_bytes, ["<end>"])
    assert "".join(text.push(byte) for byte in b"ab<e" + "é".encode()[:1]) + text.finish() == "ab<e"
