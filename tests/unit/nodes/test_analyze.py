"""The analyzer: kinds, languages and needs of requests nobody tuned it on word by word."""

import pytest

from nodes.analyze import analyze, analyze_task
from nodes.language import detect
from state.run import RunState
from state.tasks import Task, Turn


@pytest.mark.parametrize(
    ("prompt", "kind", "language"),
    [
        ("What is 17 + 25?", "math", "en"),
        ("¿Cuánto es 17 + 25?", "math", "es"),
        ("I have 3 apples and buy 4. How many apples do I have?", "math", "en"),
        ("Invierte la palabra casa", "rewriting", "es"),
        ("Write a Python function that adds two numbers", "code", "en"),
        ("Escribe una función en Python que sume dos números", "code", "es"),
        ("Translate 'good morning' into Spanish", "translation", "en"),
        ("Resume este texto en una frase: el perro corre por el parque.", "summarization", "es"),
        ("Extract the names from: Ana met Luis.", "extraction", "en"),
        ("Classify the sentiment: I love it", "classification", "en"),
        ("Write a haiku about the sea", "creative_writing", "en"),
        ("Hello!", "conversation", "en"),
        ("¿Quién eres?", "conversation", "es"),
        ("What is the capital of France?", "question_answering", "en"),
        ("The meeting of 2024-05-01 was moved", "other", "en"),
    ],
)
def test_kind_and_language(prompt: str, kind: str, language: str) -> None:
    analysis = analyze(prompt)
    assert (analysis.kind, analysis.language) == (kind, language)


def test_needs_follow_from_the_request() -> None:
    assert analyze("What is 3 * 4?").needs == ("tools",)
    assert analyze("Give me the name as JSON: Ana is 31").needs == ("json",)
    assert "long_context" in analyze("Summarize: " + "word " * 3_000).needs


def test_the_turn_before_settles_the_language_of_a_short_request() -> None:
    history = (Turn(request="¿Cuánto es 2 + 2?", answer="4"),)
    assert analyze("7 * 8", history).language == "es"


@pytest.mark.parametrize(
    "prompt",
    ["", "\x00\ud800", "how many " * 20_000, "{" * 100_000, "‮מה זה؟", "<|im_end|>" * 5_000, "if " * 50_000 + "9"],
    ids=["empty", "surrogate", "repeated", "braces", "right-to-left", "template tokens", "long"],
)
def test_no_text_is_too_strange(prompt: str) -> None:
    assert analyze(prompt).confidence <= 1.0


@pytest.mark.parametrize(
    ("text", "language"),
    [("Привет, как дела?", "ru"), ("こんにちは世界", "ja"), ("你好世界", "zh"), ("안녕하세요", "ko"), ("12 34", "und")],
)
def test_other_scripts_are_recognised(text: str, language: str) -> None:
    assert detect(text)[0] == language


async def test_the_node_is_thin() -> None:
    update = await analyze_task(RunState(task=Task(prompt="What is 3 * 4?")))
    assert update == {"analysis": analyze("What is 3 * 4?")}
