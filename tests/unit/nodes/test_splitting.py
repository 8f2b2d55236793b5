"""A request with several parts, and everything that only looks like one."""

import pytest

from nodes.planning.splitting import join_answers, split_request


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("1. What is 2+2?\n2. Name the capital of France.", ("What is 2+2?", "Name the capital of France.")),
        ("Answer these questions:\n1) Who wrote Hamlet?\n2) When?", ("Who wrote Hamlet?", "When?")),
        ("a) What is 2+2? b) What is 3+3?", ("What is 2+2?", "What is 3+3?")),
        ("Responde a las preguntas: a) ¿Qué es 2? b) ¿Y 3?", ("¿Qué es 2?", "¿Y 3?")),
        (
            "Translate each word to Spanish:\n1. cat\n2. dog",
            ("Translate each word to Spanish:\ncat", "Translate each word to Spanish:\ndog"),
        ),
        (
            "Answer in French:\n1. Who?\n2. Where?\n\nBe brief.",
            ("Answer in French:\nWho?\nBe brief.", "Answer in French:\nWhere?\nBe brief."),
        ),
        ("¿Cuál es la capital de Francia? ¿Y la de Italia?", ("¿Cuál es la capital de Francia?", "¿Y la de Italia?")),
        (
            "I have 3 apples. How many do I have? Are they red?",
            ("I have 3 apples. How many do I have?", "I have 3 apples. Are they red?"),
        ),
        ("Write a haiku and then translate it.", ("Write a haiku", "Translate it.")),
        ("Traduce 'casa' y luego escribe una frase.", ("Traduce 'casa'", "Escribe una frase.")),
    ],
)
def test_a_request_is_split_where_it_clearly_has_parts(prompt: str, parts: tuple[str, ...]) -> None:
    assert split_request(prompt) == parts


@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "What is the capital of France?",
        "Sort these: 1) pear 2) fig 3) apple",
        "Summarise the list:\n1. Rain fell.\n2. Snow fell.",
        'Translate: "Who are you? Where are you?"',
        "Who are you? That is what he said. Continue the story.",
        "If it rains and then snows, what happens?",
        "Fix this:\n```\n1. print?\n2. say?\n```",
        "\n".join(f"{number}. Who?" for number in range(1, 12)),
        "Who? " * 1_000,
        "1. \n2. \n3. ",
        "\ud800? \udc00? \x00?",
    ],
)
def test_what_is_not_clearly_several_requests_stays_whole(prompt: str) -> None:
    assert split_request(prompt) == ()


def test_answers_are_numbered_as_the_request_was() -> None:
    assert join_answers("1. Who?\n2. Where?", ["Ana ", "Rome"]) == "1. Ana\n2. Rome"
    assert join_answers("Who? Where?", ["Ana", "Rome"]) == "Ana\n\nRome"
