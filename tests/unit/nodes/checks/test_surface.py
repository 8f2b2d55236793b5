"""Nothing said, control tokens shown, the request said back."""

import pytest

from nodes.checks.surface import check_empty
from state.tasks import Analysis, Kind
from tests.unit.nodes.checks.cases import judged, reasons

QUESTION = "What is the boiling point of water at sea level?"
PREGUNTA = "¿Por qué el cielo se ve azul durante el día?"

EMPTY: list[tuple[Kind, str, str]] = [
    ("code", "Write a loop in Go", "```go\n```"),
    ("code", "Escribe un bucle en Go", "```\n\n```\n"),
    ("summarization", "Summarise: The sun rose early over the town.", "**Summary:**"),
    ("code", "Write a loop in Go", "Here's the code:"),
    ("question_answering", QUESTION, "<br>"),
    ("code", "Write a loop in Go", "```go\n// your code\n```"),
    ("code", "Write a loop in Go", "```go\n```"),
    ("code", "Escribe un bucle en Go", "```\n\n```\n"),
    ("summarization", "Summarise: The sun rose early over the town.", "**Summary:**"),
    ("code", "Write a loop in Go", "Here's the code:"),
    ("code", "Write a loop in Go", "```go\n```"),
    ("code", "Escribe un bucle en Go", "```\n\n```\n"),
    ("summarization", "Summarise: The sun rose early over the town.", "**Summary:**"),
    ("code", "Write a loop in Go", "Here's the code:"),
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
    ("question_answering", QUESTION, "You are a helpful AI assistant. Be brief.\n\nIt is 100 °C."),
    ("reasoning", PREGUNTA, "Eres un asistente útil.\n\nLa luz azul se dispersa más."),
    ("question_answering", QUESTION, "It is 100 °C.\n\nQuestion: Who was Homer?\nAnswer: A poet."),
    ("question_answering", QUESTION, "100 °C.\n\nQ: And in Denver?\nA: About 95 °C."),
    ("creative_writing", "Write a poem about tea", '{"role": "assistant", "content": "Tea."}'),
    (
        "classification",
        'Positive or negative? "it broke at once"',
        "Negative\nReview: I love this lamp\nSentiment: Positive",
    ),
    ("question_answering", QUESTION, "You are a helpful AI assistant. Be brief.\n\nIt is 100 °C."),
    ("reasoning", PREGUNTA, "Eres un asistente útil.\n\nLa luz azul se dispersa más."),
    ("question_answering", QUESTION, "It is 100 °C.\n\nQuestion: Who was Homer?\nAnswer: A poet."),
    ("question_answering", QUESTION, "100 °C.\n\nQ: And in Denver?\nA: About 95 °C."),
    ("question_answering", QUESTION, "You are a helpful AI assistant. Be brief.\n\nIt is 100 °C."),
    ("reasoning", PREGUNTA, "Eres un asistente útil.\n\nLa luz azul se dispersa más."),
    ("question_answering", QUESTION, "It is 100 °C.\n\nQuestion: Who was Homer?\nAnswer: A poet."),
    ("question_answering", QUESTION, "100 °C.\n\nQ: And in Denver?\nA: About 95 °C."),
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
    ("reasoning", PREGUNTA, f"Pregunta: {PREGUNTA}\nRespuesta:"),
    ("question_answering", QUESTION, f"Q: {QUESTION}\nA:"),
    (
        "question_answering",
        "Describe the life of a honey bee in summer.",
        "Describe the life of a honey bee in winter. Describe how it differs from that of the queen.",
    ),
    ("question_answering", "Why do bees dance?", "Why do bees dance? Why do bees dance in the hive?"),
    ("reasoning", PREGUNTA, f"Pregunta: {PREGUNTA}\nRespuesta:"),
    ("question_answering", QUESTION, f"Q: {QUESTION}\nA:"),
    (
        "question_answering",
        "Describe the life of a honey bee in summer.",
        "Describe the life of a honey bee in winter. Describe how it differs from that of the queen.",
    ),
    ("reasoning", PREGUNTA, f"Pregunta: {PREGUNTA}\nRespuesta:"),
    ("question_answering", QUESTION, f"Q: {QUESTION}\nA:"),
    (
        "question_answering",
        "Describe the life of a honey bee in summer.",
        "Describe the life of a honey bee in winter. Describe how it differs from that of the queen.",
    ),
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
    ("reasoning", "Leo is older than Mia, and Mia is older than Sol. Who is the oldest?", "Leo is older than Mia and Sol."),
    ("creative_writing", "Write three quiz questions on tea", "Question: Where does it grow?\nAnswer: In Assam."),
    ("creative_writing", "Write a system prompt for a bot", "You are a helpful assistant. Be brief."),
    ("rewriting", "Describe the sea, but shorter: describe the sea at night", "Describe the night sea"),
    ("code", "Write an empty block in C", "```c\n{}\n```\nIt does nothing."),
    ("question_answering", "Which HTML tag breaks a line?", "<br>"),
    ("classification", 'Positive or negative? Text: it broke at once', "Text: it broke at once\nSentiment: Negative"),
    ("conversation", "Are you free on Monday?", "I think so. Why do you ask?"),
    ("reasoning", "Leo is older than Mia, and Mia is older than Sol. Who is the oldest?", "Leo is older than Mia and Sol."),
    ("creative_writing", "Write three quiz questions on tea", "Question: Where does it grow?\nAnswer: In Assam."),
    ("creative_writing", "Write a system prompt for a bot", "You are a helpful assistant. Be brief."),
    ("rewriting", "Describe the sea, but shorter: describe the sea at night", "Describe the night sea"),
    ("code", "Write an empty block in C", "```c\n{}\n```\nIt does nothing."),
    ("reasoning", "Leo is older than Mia, and Mia is older than Sol. Who is the oldest?", "Leo is older than Mia and Sol."),
    ("creative_writing", "Write three quiz questions on tea", "Question: Where does it grow?\nAnswer: In Assam."),
    ("creative_writing", "Write a system prompt for a bot", "You are a helpful assistant. Be brief."),
    ("rewriting", "Describe the sea, but shorter: describe the sea at night", "Describe the night sea"),
    ("code", "Write an empty block in C", "```c\n{}\n```\nIt does nothing."),
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


def test_nothing_found_is_an_extraction_s_answer() -> None:
    prompt = "Extract every phone number as a JSON list: 'Call me some day.'"
    asked = Analysis(kind="extraction", confidence=1.0, language="en", needs=("json",))
    assert check_empty(prompt, "[]", asked) is None
    assert check_empty(prompt, "[ ", asked) is not None
