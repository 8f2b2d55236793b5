"""Answers with a form: JSON objects, lists, one label out of those given."""

import json
from random import Random

from llm.demo.item import Item, Lang, assistant, listed, user
from llm.demo.lexicon import ADJECTIVES, CATEGORIES, CITIES, COLOURS, JOBS, NAMES, NOUNS, any_word
from llm.demo.tasks.phrasing import say

_KEYS: dict[Lang, dict[str, str]] = {
    "en": {"name": "name", "age": "age", "city": "city", "job": "job", "color": "color"},
    "es": {"name": "nombre", "age": "edad", "city": "ciudad", "job": "oficio", "color": "color"},
}
_FACTS: dict[Lang, dict[str, list[str]]] = {
    "en": {
        "age": ["{name} is {age} years old", "{name} is {age}", "{name}, {age} years old"],
        "city": ["lives in {city}", "is from {city}"],
        "job": ["works as a {job}", "is a {job}"],
        "color": ["likes {color}", "prefers the color {color}"],
    },
    "es": {
        "age": ["{name} tiene {age} años", "{name} tiene {age}", "{name}, de {age} años"],
        "city": ["vive en {city}", "es de {city}"],
        "job": ["trabaja como {job}", "es {job}"],
        "color": ["le gusta el {color}", "prefiere el color {color}"],
    },
}
_JSON = {
    "en": [
        "{s} Answer with JSON with the keys {k}.",
        "Extract {k} as JSON: {s}",
        "Return a JSON object with {k}. {s}",
        "{s} Give me JSON with {k}",
        "JSON with the keys {k}: {s}",
        "Text: {s}\nKeys: {k}\nAnswer with JSON only.",
    ],
    "es": [
        "{s} Responde con JSON con las claves {k}.",
        "Extrae {k} como JSON: {s}",
        "Devuelve un objeto JSON con {k}. {s}",
        "{s} Dame JSON con {k}",
        "JSON con las claves {k}: {s}",
        "Texto: {s}\nClaves: {k}\nResponde solo con JSON.",
    ],
}
_BOUGHT = {
    "en": [
        "I bought {w}.",
        "We need {w}.",
        "There are {w} on the table.",
        "Please bring {w} tomorrow.",
        "{who} likes {w}.",
        "I can see {w}.",
    ],
    "es": [
        "Compré {w}.",
        "Necesitamos {w}.",
        "Hay {w} en la mesa.",
        "Trae {w} mañana.",
        "A {who} le gustan {w}.",
        "Puedo ver {w}.",
    ],
}
_LIST = {
    "en": [
        "List the things in this text: {s}",
        "Extract the things as a list: {s}",
        "Which things are named? {s}",
        "Extract the items: {s}",
    ],
    "es": [
        "Enumera las cosas de este texto: {s}",
        "Extrae las cosas como lista: {s}",
        "¿Qué cosas se nombran? {s}",
        "Extrae los elementos: {s}",
    ],
}
_JSON_LIST = {
    "en": [
        "Extract the things as a JSON list: {s}",
        "Answer with a JSON list of the things: {s}",
        "JSON list of the items: {s}",
    ],
    "es": [
        "Extrae las cosas como lista JSON: {s}",
        "Responde con una lista JSON de las cosas: {s}",
        "Lista JSON de los elementos: {s}",
    ],
}
_NUMBERS = {
    "en": ["Extract the numbers: {s}", "Which numbers are in this text? {s}", "List the numbers: {s}"],
    "es": ["Extrae los números: {s}", "¿Qué números hay en este texto? {s}", "Enumera los números: {s}"],
}
_MOODS: dict[Lang, dict[str, list[str]]] = {
    "en": {
        "positive": listed("great wonderful excellent good beautiful fantastic nice lovely perfect happy amazing"),
        "negative": listed("bad terrible awful horrible sad boring ugly broken poor dreadful disappointing"),
    },
    "es": {
        "positivo": listed("bueno maravilloso excelente genial bonito fantástico perfecto alegre estupendo increíble"),
        "negativo": listed("malo terrible horrible pésimo triste aburrido feo roto pobre espantoso"),
    },
}
_OPINION = {
    "en": [
        "The {n} is {a}.",
        "What a {a} {n}!",
        "I think the {n} was {a}.",
        "The {n} was really {a}",
        "It was a {a} {n}.",
    ],
    "es": [
        "Esto es {a}: {n}.",
        "El servicio de {n} fue {a}.",
        "Me parece {a} este {n}.",
        "Todo fue {a}, también: {n}",
        "Un día {a} con {n}.",
    ],
}
_CLASSIFY = {
    "en": [
        "Classify as {l}: {s}",
        "Is this {l}? {s}",
        "Choose one label ({c}): {s}",
        "Labels: {c}. Text: {s}",
        "{s}\nClassify it as {l}.",
    ],
    "es": [
        "Clasifica como {l}: {s}",
        "¿Esto es {l}? {s}",
        "Elige una etiqueta ({c}): {s}",
        "Etiquetas: {c}. Texto: {s}",
        "{s}\nClasifícalo como {l}.",
    ],
}


def json_answer(rng: Random, lang: Lang) -> Item:
    """Only the keys asked for, in the order asked for."""
    person: dict[str, object] = {
        "name": rng.choice(NAMES) if rng.random() < 0.7 else any_word(rng, lang).capitalize(),
        "age": rng.randint(1, 99),
        "city": rng.choice(CITIES),
        "job": rng.choice(JOBS[lang]),
        "color": rng.choice(COLOURS[lang]),
    }
    told = ["age", *rng.sample(["city", "job", "color"], rng.randint(0, 2))]
    parts = [rng.choice(_FACTS[lang][fact]).format(**person) for fact in told]
    joint = {"en": " and ", "es": " y "}[lang]
    sentence = joint.join([", ".join(parts[:-1]), parts[-1]]) + "." if len(parts) > 1 else f"{parts[0]}."
    wanted = rng.sample(["name", *told], rng.randint(1, len(told) + 1))
    keys = _KEYS[lang] if rng.random() < 0.9 else _KEYS["en"]
    text = say(rng, lang, _JSON[lang], s=sentence, k=", ".join(keys[k] for k in wanted))
    answer = json.dumps({keys[k]: person[k] for k in wanted}, ensure_ascii=False)
    return Item("json_answer", lang, f"{person['name']} {person['age']}", (user(text),), assistant(answer))


def list_extraction(rng: Random, lang: Lang) -> Item:
    if rng.random() < 0.3:
        numbers = [str(rng.randint(0, rng.choice((9, 99, 999)))) for _ in range(rng.randint(2, 4))]
        text = say(rng, lang, _NUMBERS[lang], s=" ".join(f"{any_word(rng, lang)} {n}" for n in numbers))
        return Item("list_extraction", lang, " ".join(numbers), (user(text),), assistant(", ".join(numbers)))
    column = 0 if lang == "en" else 1
    drawn = [rng.choice(NOUNS)[column] if rng.random() < 0.6 else any_word(rng, lang) for _ in range(rng.randint(2, 4))]
    things = list(dict.fromkeys(drawn))
    things = things if len(things) > 1 else [*things, rng.choice(NAMES)]
    rng.shuffle(things)
    joint = {"en": " and ", "es": " y "}[lang]
    sentence = rng.choice(_BOUGHT[lang]).format(w=", ".join(things[:-1]) + joint + things[-1], who=rng.choice(NAMES))
    as_json = rng.random() < 0.5
    text = say(rng, lang, (_JSON_LIST if as_json else _LIST)[lang], s=sentence)
    answer = json.dumps(things, ensure_ascii=False) if as_json else ", ".join(things)
    return Item("list_extraction", lang, " ".join(sorted(things)), (user(text),), assistant(answer))


def choose_label(rng: Random, lang: Lang, labels: list[str], sentence: str) -> str:
    """The request to pick one of `labels` for `sentence`; their order is shuffled in place."""
    rng.shuffle(labels)
    joint = {"en": " or ", "es": " o "}[lang]
    choice = ", ".join(labels[:-1]) + joint + labels[-1]
    return say(rng, lang, _CLASSIFY[lang], l=choice, c=", ".join(labels), s=sentence)


def label(rng: Random, lang: Lang) -> Item:
    """The mood of a sentence, or the category of a word; the labels stand in the request."""
    if rng.random() < 0.5:
        right = rng.choice(list(_MOODS[lang]))
        noun, adjective = rng.choice(NOUNS)[0 if lang == "en" else 1], rng.choice(_MOODS[lang][right])
        text = choose_label(rng, lang, list(_MOODS[lang]), rng.choice(_OPINION[lang]).format(n=noun, a=adjective))
        return Item("label", lang, f"{noun} {adjective}", (user(text),), assistant(right))
    right, wrong = rng.sample(list(CATEGORIES[lang]), 2)
    word = rng.choice([w for w in CATEGORIES[lang][right] if w not in CATEGORIES[lang][wrong]])
    labels = [right, wrong]
    if rng.random() < 0.4:
        labels += [rng.choice([c for c in CATEGORIES[lang] if c not in labels and word not in CATEGORIES[lang][c]])]
    text = choose_label(rng, lang, labels, word)
    return Item("label", lang, f"{word} {sorted(labels)}", (user(text),), assistant(right))


def coloured(rng: Random, lang: Lang) -> tuple[str, str]:
    """A noun and an adjective for it, for other tasks' sentences."""
    noun, sustantivo, gender = rng.choice(NOUNS)
    adjective, adjetivo = rng.choice(ADJECTIVES)
    if lang == "en":
        return noun, adjective
    return sustantivo, adjetivo[:-1] + "a" if gender == "f" and adjetivo.endswith("o") else adjetivo
