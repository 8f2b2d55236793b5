"""Answers that stop too early, and those that only end without a full stop."""

import pytest

from state.tasks import Kind
from tests.unit.nodes.checks.cases import judged, reasons

CUT: list[tuple[Kind, str, str]] = [
    ("math", "If 2x = 8, what is x?", "To find x, we divide both sides by"),
    ("question_answering", "Where is Rome?", "Rome is the capital of Italy and lies on the"),
    (
        "question_answering",
        "What is tea?",
        "Tea is a drink. It is made from the leaves of a plant that grows in warm reg",
    ),
    ("question_answering", "¿Qué es el té?", "El té es una bebida. Se prepara con hojas que se"),
    ("question_answering", "What is tea?", "Tea is a drink, and people have"),
    ("question_answering", "What is tea?", "Tea has many kinds:"),
    ("question_answering", "What is tea?", "There are many kinds of tea, such as green tea (which is"),
    (
        "reasoning",
        "Why is the sky blue?",
        "Light is scattered by air. Blue light is scattered more strongly than red light because it",
    ),
    ("summarization", "Summarise: The dog ran home. It was late.", "The dog ran home because it was late and"),
    ("code", "Write a Python function", "```python\ndef add(a, b):\n    return a +"),
    ("code", "Write a JavaScript function", "function add(a, b) {\n  return a + b"),
    (
        "creative_writing",
        "Write an email",
        "Dear Ana,\n\nThank you for your message. I am writing to let you know that we",
    ),
    ("creative_writing", "Write a story", 'Once upon a time there was a dog. He said, "'),
    ("other", "Compare them in a table", "| a | b |\n|---|---|\n| 1 | 2 |\n| 3 | 4"),
    ("question_answering", "How do I sleep better?", "1. Go to bed early.\n2. Avoid screens at night.\n3. Keep the ro"),
    (
        "question_answering",
        "How do I sleep better?",
        "- **Light**: keep it dark.\n- **Noise**: keep it quiet.\n- **Tem",
    ),
]
UNFINISHED: list[tuple[Kind, str, str]] = [
    ("question_answering", "How do I sleep better?", "1. Go to bed early.\n2. Avoid screens.\n3."),
    ("question_answering", "How do I sleep better?", "- Go to bed early.\n- Avoid screens.\n-"),
    ("question_answering", "Give tips", "Here are five tips:\n1. Sleep.\n2. Eat.\n3. Run."),
    ("question_answering", "Da consejos", "Aquí tienes cuatro consejos:\n\n- Duerme bien.\n- Come bien."),
    ("other", "Plan a day", "Morning: run\n1. Run: five km\n2. Eat: fruit\n3. Work:"),
]
WHOLE: list[tuple[Kind, str, str]] = [
    ("code", "Delete the logs in one command", "find /var/log -name '*.gz' -exec rm {} +"),
    ("code", "Read the page from the pipe", "curl -s example.org | tar -xzf -"),
    (
        "question_answering",
        "What is a garden?",
        "### Kinds\n\n- **Flower garden:** one that is grown for the colours of its beds\n"
        "- **Kitchen garden:** one that is grown for the cook of the house\n\n### Tools\n\n- Spade\n- Rake",
    ),
    ("code", "Delete the logs in one command", "find /var/log -name '*.gz' -exec rm {} +"),
    ("code", "Read the page from the pipe", "curl -s example.org | tar -xzf -"),
    (
        "question_answering",
        "What is a garden?",
        "### Kinds\n\n- **Flower garden:** one that is grown for the colours of its beds\n"
        "- **Kitchen garden:** one that is grown for the cook of the house\n\n### Tools\n\n- Spade\n- Rake",
    ),
    ("code", "Delete the logs in one command", "find /var/log -name '*.gz' -exec rm {} +"),
    ("code", "Read the page from the pipe", "curl -s example.org | tar -xzf -"),
    (
        "question_answering",
        "What is a garden?",
        "### Kinds\n\n- **Flower garden:** one that is grown for the colours of its beds\n"
        "- **Kitchen garden:** one that is grown for the cook of the house\n\n### Tools\n\n- Spade\n- Rake",
    ),
    ("classification", "Positive or negative? I love it", "positive"),
    ("extraction", "Which names are there?", "Ana, Luis and Eva"),
    ("question_answering", "Who wrote Hamlet?", "William Shakespeare"),
    ("question_answering", "What is the capital of Spain?", "The capital of Spain is Madrid"),
    (
        "creative_writing",
        "Write a title for a book on tea",
        "The Leaf That Travelled the World and Came Home to the Cup",
    ),
    (
        "creative_writing",
        "Write an email to Ana",
        "Dear Ana,\n\nThank you for your help. I will call you.\n\nBest regards,\nLuis Pérez",
    ),
    (
        "creative_writing",
        "Escribe un correo a Ana",
        "Hola, Ana:\n\nGracias por tu ayuda. Te llamo mañana.\n\nUn saludo,\nLuis",
    ),
    ("creative_writing", "Write a haiku", "Old pond in the wood\na frog leaps into the deep\nthe sound of water"),
    ("creative_writing", "Write a tweet on tea", "Tea is the answer. Whatever the question was! #tea #TeaTime"),
    ("translation", "Translate to Spanish: good morning to all of my friends", "buenos días a todos mis amigos"),
    ("code", "Write a Python function", "Here it is:\n\n```python\ndef add(a, b):\n    return a + b\n```"),
    ("other", "Make a list of fruit", "- apples\n- pears\n- plums"),
    ("math", "Solve 2x = 8", "Divide both sides by 2:\n\nx = 4"),
    ("question_answering", "What do you look for?", "It depends on what you are looking for."),
    ("question_answering", "Plans?", "In two steps: first this, then that.\n\n1. This.\n2. That."),
    ("question_answering", "Give tips", "Here are 3 tips:\n1. Sleep.\n2. Eat.\n3. Run."),
    ("question_answering", "What is new in 10 years?", "In 10 years:\n- More heat.\n- Less ice."),
]


@pytest.mark.parametrize("case", CUT)
def test_a_cut_answer_is_rejected(case: tuple[Kind, str, str]) -> None:
    verdict = judged(*case)
    assert {"truncated", "malformed_code"} & {reason.name for reason in verdict.reasons} and not verdict.passed


@pytest.mark.parametrize("case", UNFINISHED)
def test_an_unfinished_list_is_rejected(case: tuple[Kind, str, str]) -> None:
    verdict = judged(*case)
    assert "unfinished_list" in [reason.name for reason in verdict.reasons] and not verdict.passed


@pytest.mark.parametrize("case", WHOLE)
def test_a_whole_answer_may_end_in_many_ways(case: tuple[Kind, str, str]) -> None:
    assert reasons(*case) == []
