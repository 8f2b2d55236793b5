"""Nothing said, control tokens shown, the request said back."""

import pytest

from state.tasks import Kind
from tests.unit.nodes.checks.cases import judged, reasons

QUESTION = "What is the boiling point of water at sea level?"
PREGUNTA = "¿Por qué el cielo se ve azul durante el día?"

EMPTY: list[tuple[Kind, str, str]] = [
    ("question_answering", QUESTION, ""),
    ("question_answering", QUESTION, " \n\t"),
    ("creative_writing", "Write a poem about tea", "..."),
    ("creative_writing", "Write a poem about tea", "[empty]"),
    ("conversation", "Hello, how are you?", "N/A"),
    ("rewriting", "Rewrite politely: go away", "null"),
    ("summarization", "Resume: El sol salió temprano sobre el pueblo.", "Respuesta:"),
    ("reasoning", PREGUNTA, "—"),
]
LEAKS: list[tuple[Kind, str, str]] = [
    ("question_answering", QUESTION, "It is 100 °C.<|im_end|>"),
    ("question_answering", QUESTION, "<|start_header_id|>assistant<|end_header_id|>\n\nIt is 100 °C."),
    ("question_answering", QUESTION, "[INST] What is it? [/INST] It is 100 °C."),
    ("question_answering", QUESTION, "It is 100 °C.</s>"),
    ("question_answering", QUESTION, "It is 100 °C.<end_of_turn>"),
    ("question_answering", QUESTION, "<think>The user asks about water.</think> It is 100 °C."),
    ("question_answering", QUESTION, "It is 100 °C.\n\n### Instruction:\nName a metal."),
    ("question_answering", QUESTION, "It is 100 °C.\nUser: And in Denver?\nAssistant: About 95 °C."),
    ("question_answering", QUESTION, "Human: What is it?\nAssistant: It is 100 °C."),
    ("question_answering", QUESTION, "ĠIt Ġis Ġ100"),
    ("conversation", "Hola", "Hola {{user_input}}"),
    ("conversation", "Hola", "<｜Assistant｜>Hola"),
]
ECHOES: list[tuple[Kind, str, str]] = [
    ("question_answering", QUESTION, QUESTION),
    ("question_answering", QUESTION, f"Sure! {QUESTION}"),
    ("question_answering", QUESTION, "You want to know the boiling point of water at sea level."),
    ("question_answering", QUESTION, "The boiling point of water at sea level."),
    ("reasoning", PREGUNTA, "Me preguntas por qué el cielo se ve azul durante el día."),
    ("reasoning", PREGUNTA, "Claro, ¿por qué el cielo se ve azul durante el día?"),
    (
        "code",
        "Write a function that removes duplicates from a list.",
        "Write a function that removes duplicates from a list",
    ),
    (
        "creative_writing",
        "Write a short poem about the winter sea.",
        "You asked me to write a short poem about the winter sea.",
    ),
    (
        "translation",
        "Translate the following sentence into Spanish: The train was late again.",
        "Translate the following sentence into Spanish: The train was late again.",
    ),
    (
        "classification",
        "Is this spam or not? Text: You have won a free cruise today",
        "You have won a free cruise today",
    ),
]
FINE: list[tuple[Kind, str, str]] = [
    ("question_answering", QUESTION, "The boiling point of water at sea level is 100 °C."),
    ("question_answering", "What does <|im_end|> mean?", "<|im_end|> ends a turn."),
    ("question_answering", "Is Paris the capital of France?", "Yes, Paris is the capital of France."),
    ("question_answering", "Which is heavier, gold or silver?", "Gold is heavier."),
    ("question_answering", "What sign means approximately equal?", "≈"),
    ("conversation", "Did it work?", "👍"),
    ("extraction", "Extract the phone number: call me tomorrow", "None"),
    ("rewriting", "Fix the spelling: The cat sat on the mat.", "The cat sat on the mat."),
    ("rewriting", "Capitalise: the lord of the rings is long", "The Lord Of The Rings Is Long"),
    ("rewriting", "Repeat after me: the sun is warm today", "the sun is warm today"),
    ("creative_writing", "Write a chat between a user and a bot", "User: Hi!\nBot: Hello."),
    ("question_answering", "How do I bake bread?", "### Ingredients\nFlour.\n\n### Instructions\nMix and bake it.\n\n### Tips\nWait."),
    ("code", "Write HTML with a struck word", "```html\n<p><s>old</s></p>\n```"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "case"), [
    *[("empty", case) for case in EMPTY],
    *[("template_leak", case) for case in LEAKS],
    *[("echo", case) for case in ECHOES],
])  # fmt: skip
def test_a_surface_fault_is_named_and_rejected(name: str, case: tuple[Kind, str, str]) -> None:
    verdict = judged(*case)
    assert name in [reason.name for reason in verdict.reasons] and not verdict.passed


@pytest.mark.parametrize("case", FINE)
def test_what_looks_like_a_surface_fault_passes(case: tuple[Kind, str, str]) -> None:
    assert reasons(*case) == []
