"""Text statistics and operations: what people count, and no surprise whatever the text."""

import pytest

from nodes.tools.text_operation import Operation, operate, operation_named, text_operation
from nodes.tools.text_statistics import count_in, describe, text_statistics
from tests.unit.nodes.tools.calls import call
from tests.unit.nodes.tools.odd import ODD


@pytest.mark.parametrize(
    ("text", "what", "said"),
    [
        ("banana", "letters", "6 letters"),
        ("I", "letters", "1 letter"),
        ("canción", "letras", "7 letters"),
        ("cancio\u0301n", "letters", "7 letters"),
        ("don't stop, well-known 42", "words", "4 words"),
        ("Hola. ¿Qué tal? ¡Bien!", "oraciones", "3 sentences"),
        ("It costs 3.50 euros. Really", "sentences", "2 sentences"),
        ("a\nb\nc", "líneas", "3 lines"),
        ("a b", "characters", "3 characters"),
        ("Murciélago", "vocales", "5 vowels"),
        ("rhythm", "vowels", "0 vowels"),
        ("abc", "consonants", "2 consonants"),
        ("a1b22", "dígitos", "3 digits"),
        ("strawberry", "r", "'r' 3 times"),
        ("Strawberry RR", "R", "'R' 5 times"),
        ("the cat and the other", "the", "'the' 2 times, and once inside other words"),
        ("words, words", '"words"', "'words' 2 times"),
        ("aaa", "zebra", "'zebra' 0 times"),
        ("a.b (c", "(", "'(' once"),
        ("strawberry", "the letter r", "'r' 3 times"),
        ("manzana", "la letra 'a'", "'a' 3 times"),
        ("the letter r", '"the letter r"', "'the letter r' once"),
        ("new york, New York", "new york", "'new york' 2 times"),
    ],
)
def test_kinds_letters_and_words_are_counted(text: str, what: str, said: str) -> None:
    assert count_in(text, what) == said


def test_a_text_is_described_in_one_line() -> None:
    assert describe("The cat sat. It purred!") == (
        "5 words, 17 letters, 23 characters, 2 sentences, 1 line; longest word: purred; reading time: 2 s"
    )
    assert describe("word " * 2_000).endswith("reading time: 10 min")
    assert describe("") == "0 words, 0 letters, 0 characters, 0 sentences, 0 lines; reading time: 0 s"


@pytest.mark.parametrize(
    ("operation", "text", "result"),
    [
        ("reverse", "house", "esuoh"),
        ("reverse", "canción", "nóicnac"),
        ("reverse", "cancio\u0301n", "nóicnac"),
        ("reverse", "👩‍👩‍👧ab👍🏽", "👍🏽ba👩‍👩‍👧"),
        ("reverse", "🇪🇸🇫🇷x", "x🇫🇷🇪🇸"),
        ("reverse", "a b", "b a"),
        ("reverse_words", "one two  three", "three two one"),
        ("sort", "pear, Apple, fig", "Apple, fig, pear"),
        ("sort", "10, 9, 100", "9, 10, 100"),
        ("sort", "[3, -1, 2.5]", "-1, 2.5, 3"),
        ("sort", "3,000, 20, 1,500.5", "20, 1,500.5, 3,000"),
        ("sort", "10,5; 9,2; 10", "9,2; 10; 10,5"),
        ("sort", "3,1,2", "1, 2, 3"),
        ("sort", "b,a, 2", "2, a, b"),
        ("sort", "nube, ñu, oso, niño", "niño, nube, ñu, oso"),
        ("sort", "zorro, árbol, casa", "árbol, casa, zorro"),
        ("sort", "b a c", "a b c"),
        ("sort", "two words; a thing", "a thing; two words"),
        ("sort", "b\na", "a\nb"),
        ("sort", "10, nine, 8", "10, 8, nine"),
        ("sort_descending", "1, 3, 2", "3, 2, 1"),
        ("unique", "a, b, a", "a, b"),
        ("uppercase", "straße ñ", "STRASSE Ñ"),
        ("lowercase", "ÁRBOL", "árbol"),
        ("capitalize", "it's john's McDonald", "It's John's McDonald"),
    ],
)
def test_texts_are_changed_exactly(operation: Operation, text: str, result: str) -> None:
    assert operate(operation, text) == result


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("Upper", "uppercase"),
        ("mayúsculas", "uppercase"),
        ("lower case", "lower case"),
        ("Ordenar", "sort"),
        ("al revés", "al revés"),
        ("title-case", "capitalize"),
        ("sort_descending", "sort_descending"),
        (7, 7),
        ("x" * 100_000, "x" * 100_000),
    ],
)
def test_usual_names_of_operations_are_taken(name: object, operation: object) -> None:
    assert operation_named(name) == operation


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("operation", ["reverse", "reverse_words", "sort", "unique", "uppercase", "capitalize"])
def test_odd_texts_are_changed_too(operation: Operation, text: str) -> None:
    assert isinstance(operate(operation, text), str)


@pytest.mark.parametrize("text", ODD)
def test_odd_texts_are_counted(text: str) -> None:
    assert "words" in describe(text) or "word" in describe(text)
    assert count_in("some text", text)
    assert count_in(text, "a")


async def test_models_call_them_and_are_told_what_is_wrong() -> None:
    tools = [text_statistics(), text_operation()]
    assert (await call(tools, "text_statistics", text="banana", count="letters")).text == "6 letters"
    assert (await call(tools, "text_statistics", text="Hi")).text.startswith("1 word, 2 letters")
    assert (await call(tools, "text_operation", operation="upper", text="hi")).text == "HI"
    wrong = await call(tools, "text_operation", operation="rot13", text="hi")
    assert wrong.status == "error" and "'reverse'" in wrong.text and "\n" not in wrong.text
    long = await call(tools, "text_operation", operation="reverse", text="x" * 200_001)
    assert long.text == "Error: the text has 200001 characters, 200000 are allowed"
    assert (await call(tools, "text_statistics", text="x" * 200_001)).status == "error"
