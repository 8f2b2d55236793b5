"""Repetition and gibberish: what a model that has lost its way writes, and what only looks like it."""

import pytest

from state.tasks import Kind
from tests.unit.nodes.checks.cases import judged, reasons

Q = "What is a dog?"
P = "¿Cómo se hace el pan?"
LOOPS: list[tuple[Kind, str, str]] = [
    ("code", "Write a function", "```python\n" + "def double(x):\n    return 2 * x\n\n" * 3 + "```"),
    (
        "question_answering",
        "What is solar power?",
        "Solar power is the kind of solar power that solar power makes when solar power turns into solar power.",
    ),
    (
        "question_answering",
        Q,
        "A dog is a lovely pet, lovely friend, lovely guard, lovely animal, lovely thing, lovely all.",
    ),
    ("code", "Write a function", "```python\n" + "def double(x):\n    return 2 * x\n\n" * 3 + "```"),
    (
        "question_answering",
        "What is solar power?",
        "Solar power is the kind of solar power that solar power makes when solar power turns into solar power.",
    ),
    ("code", "Write a function", "```python\n" + "def double(x):\n    return 2 * x\n\n" * 3 + "```"),
    (
        "question_answering",
        "What is solar power?",
        "Solar power is the kind of solar power that solar power makes when solar power turns into solar power.",
    ),
    ("question_answering", Q, "A dog is a " + "very " * 30 + "good animal."),
    ("question_answering", Q, "A dog is an animal. " * 5),
    ("question_answering", Q, "A dog barks.\n" * 8),
    ("question_answering", Q, "A dog is an animal that lives with people and it is an animal " * 6),
    ("question_answering", Q, "A dog is a mammal" + "ha" * 40),
    ("question_answering", P, "Se mezcla la harina con agua. Se amasa la masa un rato. " * 4),
    ("extraction", "List the animals: dog, cat, cow, hen", "1. dog\n2. dog\n3. dog\n4. dog\n5. dog"),
    ("summarization", "Summarise: The dog ran home.", "The dog ran. The dog ran. The dog ran. The dog ran."),
    ("creative_writing", "Write a story about a dog", "The dog walked. " * 40),
    ("code", "Write Python code", "```python\n" + "x = x + 1\n" * 40 + "```"),
    (
        "reasoning",
        P,
        "Primero hay que esperar, y luego hay que esperar, y luego hay que esperar, y luego hay que esperar.",
    ),
]
NOISE: list[tuple[Kind, str, str]] = [
    ("math", "What is 6 * 9?", "6 * 9 = * 9 6 = = 6 * + 54 9 = * 6"),
    ("math", "What is 6 * 9?", "6 * 9 = * 9 6 = = 6 * + 54 9 = * 6"),
    ("math", "What is 6 * 9?", "6 * 9 = * 9 6 = = 6 * + 54 9 = * 6"),
    ("question_answering", Q, "asdf jkl qwer uiop zxcv bnm"),
    ("question_answering", Q, "florbin gratz melpo tindle vrax opsi nublar quent mirzo"),
    ("question_answering", Q, "lkjh sdfkj weoiru xmcnv qpwoe zmxnb"),
    ("question_answering", Q, "x9$k2 @@#pl qq!!4 zz8%a %%r4t tt__7$ k#9d0!"),
    ("question_answering", Q, "It of the was on went a mouse the are by cat so for running and of the is"),
    (
        "question_answering",
        Q,
        "dog the sky green lamp walking zebra purple tuesday window seven cheese mountain pencil",
    ),
    ("question_answering", P, "La de que pan el con harina los una y mezcla se agua para horno en la del es"),
    ("question_answering", P, "MamÃ¡ hace pan con azÃºcar y limÃ³n"),
    ("question_answering", Q, "The 是的 dog это собака 한국어 is สวัสดี an animal"),
    ("conversation", "Hola", "jfkdls ñlkasd qwoieur zmxnbv"),
]
FINE: list[tuple[Kind, str, str]] = [
    ("other", "Escribe «debo callar en clase» siete veces", "debo callar en clase\n" * 7),
    ("other", 'Write "I must not talk" ten times', "I must not talk. " * 10),
    ("reasoning", "If all zibs are morks and all morks are trunds, are zibs trunds?", "Yes: every zib is a mork, every mork a trund."),
    ("math", "Solve x + 3 = 1 and y * 2 = -4", "x = -2 and y = -2, since -2 * 2 = -4"),
    ("translation", "Traduce al inglés: Perdona, ahora no puedo ayudarte con eso.", "Sorry, I can't help you with that right now."),
    ("other", "List courses on ceramics", "\n".join(f"- Studio ceramics {part}" for part in ("one", "two", "glazes", "kilns", "wheels", "tiles"))),
    ("rewriting", "Write the word for saint in Old English", "The word is hālig, and a friend is ġefēra."),
    ("other", "Escribe «debo callar en clase» siete veces", "debo callar en clase\n" * 7),
    ("other", 'Write "I must not talk" ten times', "I must not talk. " * 10),
    ("reasoning", "If all zibs are morks and all morks are trunds, are zibs trunds?", "Yes: every zib is a mork, every mork a trund."),
    ("math", "Solve x + 3 = 1 and y * 2 = -4", "x = -2 and y = -2, since -2 * 2 = -4"),
    ("other", "Escribe «debo callar en clase» siete veces", "debo callar en clase\n" * 7),
    ("other", 'Write "I must not talk" ten times', "I must not talk. " * 10),
    ("reasoning", "If all zibs are morks and all morks are trunds, are zibs trunds?", "Yes: every zib is a mork, every mork a trund."),
    ("math", "Solve x + 3 = 1 and y * 2 = -4", "x = -2 and y = -2, since -2 * 2 = -4"),
    ("creative_writing", "Write a song about home", "Home, sweet home,\nI am coming home.\nHome, sweet home,\nnever more to roam.\n\nHome, sweet home,\nI am coming home."),
    ("creative_writing", "Write a line for a fan", "Very, very, very good!"),
    ("conversation", "Tell me a joke", "Knock, knock! Who's there? Boo. Boo who? No need to cry. Ha, ha, ha!"),
    ("code", "Draw a grid in Python", "```python\nprint('-' * 5)\nprint('|   |')\nprint('|   |')\nprint('-' * 5)\n```"),
    ("extraction", "Which countries are named?", "Argentina, Bolivia, Chile, Colombia, Ecuador, Guyana, Paraguay, Peru, Suriname, Uruguay, Venezuela"),
    ("math", "What is 2 to the power of 40?", "1,099,511,627,776"),
    ("other", "Make a table", "| a | b |\n|---|---|\n| 1 | 1 |\n| 1 | 1 |\n| 1 | 1 |"),
    ("translation", "Translate into German: I am tired today", "Ich bin heute müde."),
    ("translation", "Translate into French: The cat sleeps on the table", "Le chat dort sur la table."),
    ("rewriting", "Reverse the word strengths", "shtgnerts"),
    ("other", "Give me a random password", "x9$Kq2!vR7"),
    ("question_answering", "Who wrote it?", "Krzysztof Wojciechowski and Nguyễn Thị Minh"),
    ("question_answering", Q, "A dog (Canis familiaris) is a domesticated mammal. See https://example.org/wiki/Dog_(animal)."),
    ("classification", "Label it: I love this film", "positive"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "case"), [*[("repetition", case) for case in LOOPS], *[("gibberish", case) for case in NOISE]]
)
def test_a_lost_model_is_noticed(name: str, case: tuple[Kind, str, str]) -> None:
    verdict = judged(*case)
    assert name in [reason.name for reason in verdict.reasons] and not verdict.passed


@pytest.mark.parametrize("case", FINE)
def test_refrains_names_and_tables_pass(case: tuple[Kind, str, str]) -> None:
    assert reasons(*case) == []
