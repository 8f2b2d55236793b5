"""Tasks about other tasks: obeying a system prompt, and routing a request."""

from dataclasses import replace
from random import Random

from llm.demo.item import Generator, Item, Lang, assistant, system, user
from llm.demo.lexicon import COUNTRIES, NAMES, invented_word
from llm.demo.tasks import beyond, facts, letters, numbers, structure, talk, writing
from llm.demo.tasks import code as codes
from llm.demo.tasks.phrasing import say

_SPANISH = [
    "Answer in Spanish.",
    "Always answer in Spanish.",
    "Responde en español.",
    "Responde siempre en español.",
    "Speak Spanish.",
]
_ENGLISH = [
    "Answer in English.",
    "Always answer in English.",
    "Responde en inglés.",
    "Responde siempre en inglés.",
    "Speak English.",
]
_ONE_WORD = [
    "Answer in one word.",
    "Answer with one word.",
    "One word answers only.",
    "Responde con una palabra.",
    "Responde en una sola palabra.",
]
_CAPITALS = [
    "Answer in capital letters.",
    "Answer in uppercase.",
    "Write in capital letters.",
    "Responde en mayúsculas.",
    "Escribe en mayúsculas.",
]
_ENDING = ["End every answer with {w}.", "Finish each answer with the word {w}.", "Termina cada respuesta con {w}."]
_NAMED = [
    "Your name is {w}.",
    "You are called {w}.",
    "You are {w}, an assistant.",
    "Te llamas {w}.",
    "Tu nombre es {w}.",
    "Eres {w}, un asistente.",
]
_WHAT_NAME = {
    "en": ["What is your name?", "What's your name?", "Tell me your name."],
    "es": ["¿Cómo te llamas?", "¿Cuál es tu nombre?", "Dime tu nombre."],
}
_MY_NAME = {"en": "My name is {w}.", "es": "Me llamo {w}."}


def system_rule(rng: Random, lang: Lang) -> Item:
    """`lang` is the language of the request; the system prompt may be in the other one."""
    return rng.choice((_other_language, _one_word, _capital_letters, _ending, _named))(rng, lang)


def _ruled(rule: str, item: Item, answer: str) -> Item:
    return replace(item, task="system_rule", messages=(system(rule), *item.messages), answer=assistant(answer))


def _other_language(rng: Random, lang: Lang) -> Item:
    wanted: Lang = rng.choice(("en", "es"))
    rule = rng.choice(_SPANISH if wanted == "es" else _ENGLISH)
    kind = rng.random()
    if kind < 0.3:
        item = beyond.unknown(rng, lang)
        return _ruled(rule, item, beyond.DO_NOT_KNOW[wanted])
    if kind < 0.5:
        text = rng.choice(
            {"en": ["Hello", "Hi", "Hello!", "Good morning"], "es": ["Hola", "¡Hola!", "Buenos días", "Buenas tardes"]}[
                lang
            ]
        )
        return _ruled(rule, Item("", lang, f"greeting {text}", (user(text),), assistant("")), talk.WELCOME[wanted])
    country, item = _capital_of(rng, lang)
    name, city = country[wanted]
    return _ruled(rule, item, facts.CAPITAL_ANSWER[wanted].format(c=name, k=city))


def _capital_of(rng: Random, lang: Lang) -> tuple[dict[Lang, tuple[str, str]], Item]:
    item = facts.capital(rng, lang)
    return next(
        c for c in COUNTRIES if facts.CAPITAL_ANSWER[lang].format(c=c[lang][0], k=c[lang][1]) == item.expected
    ), item


def _one_word(rng: Random, lang: Lang) -> Item:
    country, item = _capital_of(rng, lang)
    return _ruled(rng.choice(_ONE_WORD), item, country[lang][1])


def _plain(rng: Random, lang: Lang) -> Item:
    return rng.choice((facts.capital, talk.greeting, facts.unit, writing.summary, letters.echo))(rng, lang)


def _capital_letters(rng: Random, lang: Lang) -> Item:
    item = _plain(rng, lang)
    return _ruled(rng.choice(_CAPITALS), item, item.expected.upper())


def _ending(rng: Random, lang: Lang) -> Item:
    item, word = _plain(rng, lang), invented_word(rng, "en").upper()
    return _ruled(rng.choice(_ENDING).format(w=word), item, f"{item.expected} {word}")


def _named(rng: Random, lang: Lang) -> Item:
    name = rng.choice((rng.choice(NAMES), invented_word(rng, "en").capitalize()))
    item = Item("", lang, name, (user(say(rng, lang, _WHAT_NAME[lang])),), assistant(""))
    return _ruled(rng.choice(_NAMED).format(w=name), item, _MY_NAME[lang].format(w=name))


_ROUTES: dict[str, tuple[str, list[Generator]]] = {
    "code": ("código", [codes.code]),
    "math": ("matemáticas", [numbers.calculator_call, numbers.small_sum]),
    "translation": ("traducción", [facts.translation]),
    "summary": ("resumen", [writing.summary]),
    "chat": ("charla", [talk.greeting, talk.identity]),
    "data": ("datos", [structure.json_answer]),
    "fact": ("hecho", [facts.capital, facts.unit]),
    "text": ("texto", [letters.reverse, letters.upper_lower, writing.rewriting]),
}
_ROUTE = {
    "en": [
        "Classify the request as {l}. Answer with one word.\nRequest: {s}",
        "Which kind of request is this: {l}?\n{s}",
        "Route this request ({l}): {s}",
        "Request: {s}\nKind ({l}):",
        "What kind of task is it? Choose one of {l}. Task: {s}",
    ],
    "es": [
        "Clasifica la petición como {l}. Responde con una palabra.\nPetición: {s}",
        "¿Qué clase de petición es esta: {l}?\n{s}",
        "Encamina esta petición ({l}): {s}",
        "Petición: {s}\nClase ({l}):",
        "¿Qué clase de tarea es? Elige una de {l}. Tarea: {s}",
    ],
}


def routing(rng: Random, lang: Lang) -> Item:
    """The request to route is another task's request."""
    right = rng.choice(list(_ROUTES))
    labels = [right, *rng.sample([r for r in _ROUTES if r != right], rng.randint(1, 5))]
    rng.shuffle(labels)
    column = 0 if lang == "en" or rng.random() < 0.2 else 1
    names = {kind: (kind, _ROUTES[kind][0])[column] for kind in _ROUTES}
    request = rng.choice(_ROUTES[right][1])(rng, rng.choice((lang, lang, lang, "en", "es")))
    shown = ", ".join(names[kind] for kind in labels)
    text = say(rng, lang, _ROUTE[lang], l=shown, s=request.messages[-1]["content"])
    return Item("routing", lang, request.key, (user(text),), assistant(names[right]))
