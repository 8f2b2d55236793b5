"""Answering again after a rejection, in the words that the orchestrator uses."""

from dataclasses import replace
from random import Random

from llm.demo.item import Generator, Item, Lang, Message, assistant, calls, user
from llm.demo.lexicon import phrase
from llm.demo.tasks import beyond, code, facts, letters, numbers, order, structure, tools, writing

_REJECTED = {
    "en": [
        "Your last answer was rejected: {r}. Answer the request again.",
        "Your last answer was rejected: {r}. Answer the request again.",
        "Your last answer was rejected because {r}. Try again.",
    ],
    "es": [
        "Tu última respuesta fue rechazada: {r}. Responde otra vez a la petición.",
        "Tu última respuesta fue rechazada: {r}. Responde otra vez a la petición.",
        "Rechacé tu última respuesta: {r}. Inténtalo de nuevo.",
    ],
}
_REASONS = {
    "en": [
        "it is empty",
        "it is not valid JSON",
        "the answer is wrong",
        "no tool was called",
        "the language is not the one of the request",
        "it repeats the request",
        "the code does not compile",
        "it is too long",
        "a key is missing",
        "it does not answer the question",
        "expected {w}",
        "score 0.{n} is below 0.{m}",
        "no fenced code block",
        "it is incomplete; it is off topic",
        "{w} {w2}",
    ],
    "es": [
        "está vacía",
        "no es JSON válido",
        "la respuesta es incorrecta",
        "no se llamó a ninguna herramienta",
        "el idioma no es el de la petición",
        "repite la petición",
        "el código no compila",
        "es demasiado larga",
        "falta una clave",
        "no contesta a la pregunta",
        "se esperaba {w}",
        "la nota 0.{n} es menor que 0.{m}",
        "no hay bloque de código",
        "está incompleta; no viene al caso",
        "{w} {w2}",
    ],
}
RETRIED: list[Generator] = [
    letters.reverse,
    letters.upper_lower,
    letters.echo,
    numbers.calculator_call,
    order.sort_numbers,
    order.compare,
    numbers.calculator_result,
    facts.capital,
    facts.unit,
    facts.translation,
    structure.json_answer,
    structure.list_extraction,
    structure.label,
    code.code,
    writing.rewriting,
    writing.summary,
    tools.tool_call,
    letters.first_last,
    beyond.unknown,
    tools.tool_answer,
    numbers.small_sum,
]


def retry(rng: Random, lang: Lang) -> Item:
    """A bad answer, its rejection, and the original request to answer again."""
    base = rng.choice(RETRIED)(rng, lang)
    reason = rng.choice(_REASONS[lang]).format(
        w=phrase(rng, lang, 1, 1), w2=phrase(rng, lang, 1, 3), n=rng.randint(1, 5), m=rng.randint(6, 9)
    )
    messages = [*base.messages, _bad_answer(rng, lang, base), user(rng.choice(_REJECTED[lang]).format(r=reason))]
    return replace(base, task="retry", messages=tuple(messages), learn_history=False)


def _bad_answer(rng: Random, lang: Lang, base: Item) -> Message:
    """Empty, damaged, off topic, or, since a judge can be wrong, right."""
    kind, right = rng.random(), base.expected
    if kind < 0.15:
        return assistant("")
    if kind < 0.3 and not base.tools:
        return calls("calculator", {"expression": f"{rng.randint(1, 99)} + {rng.randint(1, 99)}"})
    if kind < 0.5:
        return assistant(phrase(rng, lang, 1, 6))
    if kind < 0.65:
        return assistant(beyond.DO_NOT_KNOW[rng.choice((lang, lang, "en", "es"))])
    if kind < 0.9 and len(right) > 3:
        cut = rng.randint(1, len(right) - 1)
        return assistant(
            rng.choice((right[:cut], right[:cut] + rng.choice("aeiou01 ") + right[cut + 1 :], right[cut:]))
        )
    return base.answer
