"""Closed sets that are learnt by heart: capitals, units, a small dictionary. Their phrasing is what is held out."""

from random import Random

from llm.demo.item import Item, Lang, assistant, user
from llm.demo.lexicon import ADJECTIVES, COLOURS, COUNTRIES, NOUNS, UNITS
from llm.demo.tasks.phrasing import fill, say

_CAPITAL = {
    "en": [
        "What is the capital of {c}?",
        "Capital of {c}",
        "Capital of {c}?",
        "Tell me the capital of {c}",
        "Which city is the capital of {c}?",
        "What's the capital of {c}?",
        "Name the capital of {c}.",
        "Do you know the capital of {c}?",
        "{c}: capital?",
        "The capital city of {c}",
        "What is the capital city of {c}?",
        "Which is the capital of {c}?",
    ],
    "es": [
        "¿Cuál es la capital de {c}?",
        "Capital de {c}",
        "¿Capital de {c}?",
        "Dime la capital de {c}",
        "¿Qué ciudad es la capital de {c}?",
        "Cuál es la capital de {c}",
        "Nombra la capital de {c}.",
        "¿Sabes la capital de {c}?",
        "{c}: ¿capital?",
        "La capital de {c}",
        "¿Me dices la capital de {c}?",
        "¿Cómo se llama la capital de {c}?",
    ],
}
CAPITAL_ANSWER = {"en": "The capital of {c} is {k}.", "es": "La capital de {c} es {k}."}
_UNIT = {
    "en": [
        "How many {s} are in {b}?",
        "How many {s} are there in {b}?",
        "How many {s} does {b} have?",
        "How many {s} has {b}?",
        "How many {s} in {b}?",
        "Number of {s} in {b}?",
        "{s} in {b}?",
        "Tell me how many {s} are in {b}",
        "How many {s} make {b}?",
        "Do you know how many {s} are in {b}?",
    ],
    "es": [
        "¿Cuántos {s} hay en {b}?",
        "¿Cuántas {s} hay en {b}?",
        "¿Cuántos {s} tiene {b}?",
        "¿Cuántas {s} tiene {b}?",
        "¿Cuántos {s} son {b}?",
        "¿Número de {s} en {b}?",
        "¿{s} en {b}?",
        "Dime cuántos {s} tiene {b}",
        "¿Cuántas {s} son {b}?",
        "¿Sabes cuántos {s} hay en {b}?",
    ],
}
_TO_SPANISH = {
    "en": [
        "Translate to Spanish: {w}",
        "Translate into Spanish: {w}",
        "How do you say {w} in Spanish?",
        "Say {w} in Spanish",
        "{w} in Spanish?",
        "Translate {w} to Spanish.",
        "What is {w} in Spanish?",
    ],
    "es": [
        "Traduce al español: {w}",
        "¿Cómo se dice {w} en español?",
        "Di {w} en español",
        "Traduce {w} al español.",
        "{w} en español",
        "¿Qué es {w} en español?",
        "Pasa al español: {w}",
    ],
}
_TO_ENGLISH = {
    "en": [
        "Translate to English: {w}",
        "Translate into English: {w}",
        "How do you say {w} in English?",
        "Say {w} in English",
        "{w} in English?",
        "Translate {w} to English.",
        "What is {w} in English?",
    ],
    "es": [
        "Traduce al inglés: {w}",
        "¿Cómo se dice {w} en inglés?",
        "Di {w} en inglés",
        "Traduce {w} al inglés.",
        "{w} en inglés",
        "¿Qué es {w} en inglés?",
        "Pasa al inglés: {w}",
    ],
}


def capital(rng: Random, lang: Lang) -> Item:
    country, city = rng.choice(COUNTRIES)[lang]
    template = rng.choice(_CAPITAL[lang])
    text = fill(rng, lang, template, c=country)
    answer = CAPITAL_ANSWER[lang].format(c=country, k=city)
    return Item("capital", lang, f"{template} {country}", (user(text),), assistant(answer))


def unit(rng: Random, lang: Lang) -> Item:
    small, big, number = rng.choice(UNITS)[lang]
    template = rng.choice(_UNIT[lang])
    verb = {"en": "has", "es": "tiene"}[lang]
    answer = f"{big[0].upper()}{big[1:]} {verb} {number} {small}."
    return Item(
        "unit", lang, f"{template} {small} {big}", (user(fill(rng, lang, template, s=small, b=big)),), assistant(answer)
    )


def translation(rng: Random, lang: Lang) -> Item:
    """A noun, a colour, or a noun phrase such as `the red house`; `lang` is the language of the request."""
    kind = rng.random()
    if kind < 0.6:
        english, spanish = _noun_phrase(rng)
        key = english
    else:
        pairs = [(en, es) for en, es, _ in NOUNS] + list(zip(COLOURS["en"], COLOURS["es"], strict=True))
        english, spanish = rng.choice(pairs)
        key = ""
    spanish_wanted = rng.random() < 0.5
    templates = (_TO_SPANISH if spanish_wanted else _TO_ENGLISH)[lang]
    template = rng.choice(templates)
    given, answer = (english, spanish) if spanish_wanted else (spanish, english)
    text = say(rng, lang, [template], w=given)
    return Item("translation", lang, key or f"{template} {given}", (user(text),), assistant(answer))


def _noun_phrase(rng: Random) -> tuple[str, str]:
    noun, sustantivo, gender = rng.choice(NOUNS)
    article = "la" if gender == "f" else "el"
    if rng.random() < 0.25:
        return f"the {noun}", f"{article} {sustantivo}"
    adjective, adjetivo = rng.choice(ADJECTIVES)
    if gender == "f" and adjetivo.endswith("o"):
        adjetivo = adjetivo[:-1] + "a"
    if rng.random() < 0.5:
        return f"the {adjective} {noun}", f"{article} {sustantivo} {adjetivo}"
    verb, verbo = ("is", "es")
    return f"the {noun} {verb} {adjective}", f"{article} {sustantivo} {verbo} {adjetivo}"
