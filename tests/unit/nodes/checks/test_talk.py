"""Refusals and the language of the answer."""

import pytest

from state.tasks import Kind
from tests.unit.nodes.checks.cases import judged, reasons

ASK = "Write a story about a bank robbery"
PIDE = "Explica cómo funciona una cerradura"
REFUSALS: list[tuple[Kind, str, str]] = [
    ("conversation", "Tell me a riddle", "Riddles are outside of what I was designed for."),
    ("conversation", "Tell me a riddle", "That goes beyond what I can do."),
    ("reasoning", PIDE, "Eso está fuera de lo que puedo hacer."),
    ("creative_writing", ASK, "I'm sorry, but writing scenes of that kind isn't something I can do."),
    ("creative_writing", ASK, "That may violate our usage policies."),
    ("reasoning", PIDE, "Esa tarea excede mis capacidades."),
    ("conversation", "Tell me a riddle", "Riddles are outside of what I was designed for."),
    ("conversation", "Tell me a riddle", "That goes beyond what I can do."),
    ("reasoning", PIDE, "Eso está fuera de lo que puedo hacer."),
    ("conversation", "Tell me a riddle", "Riddles are outside of what I was designed for."),
    ("conversation", "Tell me a riddle", "That goes beyond what I can do."),
    ("reasoning", PIDE, "Eso está fuera de lo que puedo hacer."),
    ("creative_writing", ASK, "I'm sorry, but I can't assist with that request."),
    ("creative_writing", ASK, "I cannot fulfill this request."),
    ("creative_writing", ASK, "I'd rather not write about that topic."),
    ("creative_writing", ASK, "As an AI language model, I am not able to create such content."),
    ("creative_writing", ASK, "Unfortunately, I must decline. It would be inappropriate to describe a crime."),
    ("question_answering", "Who won?", "I don't know."),
    ("question_answering", "Who won?", "I'm unable to provide information about that at the moment."),
    ("question_answering", "Who won the race?", "My apologies, that is beyond my capabilities."),
    ("reasoning", PIDE, "Lo siento, pero no puedo ayudarte con eso."),
    ("reasoning", PIDE, "Como modelo de lenguaje, no puedo responder a esa pregunta."),
    ("reasoning", PIDE, "No me es posible proporcionar esa información."),
    ("reasoning", PIDE, "Prefiero no responder. ¿Hablamos de otra cosa?"),
    ("code", "Write a Python function", "Sorry, I can't write code."),
    ("translation", "Translate into English: buenos días", "I'm sorry, but I am unable to translate that."),
    (
        "summarization",
        "Summarise this article: Rain fell on the town all day.",
        "I can't access the article you mention.",
    ),
    ("extraction", "Extract the date: it was May 3", "Please provide the text you would like me to work with."),
]
WRONG: list[tuple[Kind, str, str]] = [
    ("question_answering", "What is the capital of France?", "La capital de Francia es la ciudad de París."),
    ("question_answering", "¿Cuál es la capital de Francia?", "The capital of France is the city of Paris."),
    ("conversation", "Hello, how are you today?", "¡Muy bien, gracias! ¿Y tú cómo estás?"),
    ("reasoning", "Explain why the sky is blue", "天空是蓝色的因为光的散射"),
    ("question_answering", "What is tea?", "Der Tee ist ein Getränk, das aus den Blättern einer Pflanze gemacht wird."),
    (
        "reasoning",
        "¿Por qué llueve?",
        "Llueve porque el agua se evapora y forma nubes. The drops grow until they are too heavy and then they fall.",
    ),
    ("question_answering", "Answer in Spanish: what is a dog?", "A dog is an animal that lives with people."),
    (
        "summarization",
        "Resume en español: The dog ran home because it was late.",
        "The dog ran home since it was late.",
    ),
]
FINE: list[tuple[Kind, str, str]] = [
    ("math", "integrate x e^x dx", "Integrating by parts with u = x, the value is (x - 1) e^x + C"),
    ("math", "integrate x e^x dx", "Integrating by parts with u = x, the value is (x - 1) e^x + C"),
    ("math", "integrate x e^x dx", "Integrating by parts with u = x, the value is (x - 1) e^x + C"),
    ("conversation", "My cat died yesterday", "I'm so sorry to hear that. Losing a cat is hard."),
    ("creative_writing", "Write a letter declining an invitation", "Dear Ana, I'm sorry, but I can't come on Friday. Luis"),
    ("creative_writing", "Write a poem about doubt", "I cannot tell the night from day,\nI cannot find the words to say\nwhat keeps me here, what sends me away."),
    ("translation", "Translate into Spanish: I'm sorry, I can't help you.", "Lo siento, no puedo ayudarte."),
    ("rewriting", "Make it polite: I can't do it", "I'm afraid I am unable to do that."),
    ("question_answering", "Can I eat raw beans?", "No, you can't eat raw kidney beans: they hold a toxin. Boil them for ten minutes first."),
    ("question_answering", "Can penguins fly?", "Penguins cannot fly, but they swim very well."),
    ("reasoning", "Should I quit?", "I can't decide that for you, but here are things to weigh: your savings, your health, and what you would do next. If you have six months of savings, the risk is smaller."),
    ("question_answering", "How do you say dog in Spanish?", "Perro"),
    ("question_answering", "Answer in Spanish: what is a dog?", "Un perro es un animal que vive con las personas."),
    ("question_answering", "How do I order coffee in Spanish?", "Di: «Un café con leche, por favor»."),
    ("translation", "Traduce al inglés: El perro duerme en la casa.", "The dog sleeps in the house."),
    ("question_answering", "Who painted it?", "El Greco"),
    ("code", "Escribe una función de Python que sume", "```python\ndef add(first, second):\n    return first + second\n```"),
    ("extraction", "Extrae los títulos: leyó The Lord of the Rings y The Old Man and the Sea", "The Lord of the Rings, The Old Man and the Sea"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "case"), [*[("refusal", case) for case in REFUSALS], *[("wrong_language", case) for case in WRONG]]
)
def test_an_answer_that_does_not_answer_is_rejected(name: str, case: tuple[Kind, str, str]) -> None:
    verdict = judged(*case)
    assert name in [reason.name for reason in verdict.reasons] and not verdict.passed


@pytest.mark.parametrize("case", FINE)
def test_regret_advice_and_asked_languages_pass(case: tuple[Kind, str, str]) -> None:
    assert reasons(*case) == []
