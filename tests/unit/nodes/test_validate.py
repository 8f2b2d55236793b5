"""The validator: each reason fires for its fault and stays silent on a good answer."""

import pytest

from nodes.analyze import analyze
from nodes.validate import validate
from state.tasks import Analysis, Kind

GOOD = [
    ("What is 17 + 25?", "17 + 25 = 42"),
    ("What is 1000000 / 7?", "It is 142857.14."),
    ("Invierte la palabra casa", "asac"),
    ("Repeat: the sun is warm", "the sun is warm"),
    ("Hello!", "Hello! How can I help you today?"),
    ("¿Cuál es la capital de Francia?", "La capital de Francia es París."),
    ("Write a Python function called add", "```python\ndef add(a, b):\n    return a + b\n```"),
    ("Give JSON: Ana is 31", '{"name": "Ana", "age": 31}'),
    ("Give JSON: Ana is 31", '```json\n{"name": "Ana", "age": 31}\n```'),
    ("Translate to Spanish: the house is small and white", "la casa es pequeña y blanca"),
    ("Sort: 3 1 2", "1 2 3"),
    ("What does <|im_end|> mean?", "<|im_end|> ends a turn."),
    ("Is 2 + 2 = 5 right?", "No, 2 + 2 = 4."),
]
BAD = [
    ("What is 17 + 25?", "", "empty"),
    ("What is 17 + 25?", "  ...\n", "empty"),
    ("What is 17 + 25?", "17 + 25 = 43", "wrong_arithmetic"),
    ("¿Cuánto es 12 * 12?", "Son 142.", "wrong_arithmetic"),
    ("Explain sums", "For example 2 + 2 = 5 in this case.", "wrong_arithmetic"),
    ("What is a dog?", "A dog<|im_end|>", "template_leak"),
    ("What is a dog?", '<tool_call>{"name": "dog"}', "template_leak"),
    ("Tell me what a dog is", "Tell me what a dog is", "echo"),
    ("Who are you?", "the cat the cat the cat the cat the cat the cat the cat the cat", "repetition"),
    ("Who are you?", "nananananananananana", "repetition"),
    ("¿Cuál es la capital de Francia?", "The capital of that country is the city of Paris.", "wrong_language"),
    ("What is a dog?", "I'm sorry, I can't do that.", "refusal"),
    ("¿Qué es un perro?", "Lo siento, no puedo.", "refusal"),
    ("Give JSON: Ana is 31", '{"name": "Ana", "age": 31', "malformed_json"),
    ("Write a Python function called add", "```python\ndef add(a, b:\n    return a\n```", "malformed_code"),
    ("Write a Python function called add", "```python\ndef sub(a, b):\n    return a - b\n```", "missing_name"),
    ("Write a Python function called add", "Sure, here it is", "no_code"),
    ("Write Python code", "```python\nprint(1)\n", "truncated"),
]


@pytest.mark.parametrize(("prompt", "answer"), GOOD)
def test_a_good_answer_passes(prompt: str, answer: str) -> None:
    verdict = validate(prompt, answer, analyze(prompt))
    assert verdict.passed and verdict.reasons == ()


@pytest.mark.parametrize(("prompt", "answer", "reason"), BAD)
def test_a_bad_answer_is_named(prompt: str, answer: str, reason: str) -> None:
    verdict = validate(prompt, answer, analyze(prompt))
    assert not verdict.passed
    assert reason in [found.name for found in verdict.reasons]
    assert all(found.evidence for found in verdict.reasons)


def test_reasons_weigh_together() -> None:
    one = validate("¿Qué es un perro?", "Lo siento, no puedo.", analyze("¿Qué es un perro?"))
    two = validate("¿Qué es 2 + 2?", "Lo siento, no puedo.", analyze("¿Qué es 2 + 2?"))
    assert 0 < two.score < one.score < 1


HOSTILE = {
    "control characters": "\x00\x07\x1b[2J\ud800",
    "one letter": "a" * 200_000,
    "brackets": "(" * 100_000,
    "digits": "1" * 100_000,
    "a sum without end": "1 + " * 25_000,
    "fences": "```python\n" * 9_000,
    "nested JSON": '{"a": [' * 12_000,
    "blanks": "x" + " " * 99_000 + "y",
    "lines": "\n" * 100_000,
    "right to left": "مرحبا بالعالم " * 7_000,
    "template tokens": "<|im_start|>assistant\n" * 4_000,
    "articles": "write " + "a " * 50_000 + "two words",
    "quotes": '"' * 100_000,
    "a list without end": "as a, " * 16_000 + "b or c",
    "stars": "**" * 50_000,
}
KINDS: list[Kind] = ["code", "math", "classification"]


@pytest.mark.no_cover
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_is_too_strange(text: str) -> None:
    for prompt in ("Give JSON with the keys a and b", "What is 2 + 2?", text):
        assert 0.0 <= validate(prompt, text, analyze(prompt)).score <= 1.0


@pytest.mark.no_cover
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_long_text_is_judged_in_every_kind(text: str) -> None:
    """One that is quadratic in the text would not end within the test's timeout; bench_validate has the figures."""
    for kind in KINDS:
        analysis = Analysis(kind=kind, confidence=1.0, language="en")
        assert 0.0 <= validate(text[:64_000], text[:64_000], analysis).score <= 1.0
