"""Small rewritings, and one-sentence summaries."""

from random import Random

from llm.demo.item import Item, Lang, assistant, user
from llm.demo.lexicon import NAMES, NOUNS, REGULAR_VERBS, invented_word
from llm.demo.tasks.phrasing import say
from llm.demo.tasks.structure import coloured

_POLITE = {
    "en": ["Make this polite: {s}", "Rewrite politely: {s}", "Say this politely: {s}", "Write a polite form of: {s}"],
    "es": [
        "Hazlo cortés: {s}",
        "Reescribe con cortesía: {s}",
        "Di esto de forma cortés: {s}",
        "Escribe una forma cortés de: {s}",
    ],
}
_EXCLAIM = {
    "en": [
        "Make this an exclamation: {s}",
        "Turn into an exclamation: {s}",
        "Add excitement: {s}",
        "Rewrite as an exclamation: {s}",
    ],
    "es": [
        "Conviértelo en exclamación: {s}",
        "Hazlo exclamativo: {s}",
        "Ponlo entre exclamaciones: {s}",
        "Reescribe como exclamación: {s}",
    ],
}
_PAST = {
    "en": [
        "Put in the past tense: {s}",
        "Rewrite in the past tense: {s}",
        "Past tense: {s}",
        "Change to the past: {s}",
    ],
    "es": ["Pon en pasado: {s}", "Reescribe en pasado: {s}", "Pasado: {s}", "Cambia al pasado: {s}"],
}
_ORDERS = {
    "en": [
        ("open", "the {n}"),
        ("close", "the {n}"),
        ("bring me", "the {n}"),
        ("give me", "the {n}"),
        ("clean", "the {n}"),
        ("look at", "the {n}"),
    ],
    "es": [("abre", "{n}"), ("cierra", "{n}"), ("trae", "{n}"), ("dame", "{n}"), ("limpia", "{n}"), ("mira", "{n}")],
}
_SUMMARY = {
    "en": [
        "Summarize: {s}",
        "Summarise in one sentence: {s}",
        "What is this text about? {s}",
        "Give a one-sentence summary: {s}",
        "Summary of: {s}",
        "Text: {s}\nWhat is it about?",
    ],
    "es": [
        "Resume: {s}",
        "Resume en una frase: {s}",
        "¿De qué trata este texto? {s}",
        "Haz un resumen de una frase: {s}",
        "Resumen de: {s}",
        "Texto: {s}\n¿De qué trata?",
    ],
}
_EVENTS = {
    "en": [
        "{c} lives in a {m}.",
        "{c} likes {m}s.",
        "Every day {c} sees a {m}.",
        "{c} has a {m}.",
        "A {m} belongs to {c}.",
        "{c} works near the {m}.",
        "People like {c}.",
        "{c} is old and {a}.",
        "{c} is very {a}.",
        "Last year {c} found a {m}.",
    ],
    "es": [
        "{c} vive cerca de {m}.",
        "{c} tiene {m}.",
        "Cada día {c} ve {m}.",
        "A {c} le gusta {m}.",
        "Mucha gente conoce a {c}.",
        "{c} trabaja junto a {m}.",
        "{c} es {a}.",
        "{c} es muy {a}.",
        "El año pasado {c} encontró {m}.",
    ],
}


def _the(rng: Random, lang: Lang) -> str:
    """A noun with its Spanish article, or bare in English."""
    noun, sustantivo, gender = rng.choice(NOUNS)
    return noun if lang == "en" else f"{'la' if gender == 'f' else 'el'} {sustantivo}"


def rewriting(rng: Random, lang: Lang) -> Item:
    kind = rng.randrange(3)
    if kind == 0:
        verb, rest = rng.choice(_ORDERS[lang])
        order = f"{verb} {rest.format(n=_the(rng, lang))}"
        answer = {"en": f"Could you please {order}?", "es": f"Por favor, {order}."}[lang]
        given, templates = order[0].upper() + order[1:] + rng.choice((".", "", "!")), _POLITE[lang]
    elif kind == 1:
        noun, adjective = coloured(rng, lang)
        given = f"The {noun} is {adjective}" if lang == "en" else f"{_article(noun)} {noun} es {adjective}"
        answer = {"en": f"{given}!", "es": f"¡{given}!"}[lang]
        given, templates = given + rng.choice((".", "")), _EXCLAIM[lang]
    else:
        base, past = rng.choice(REGULAR_VERBS[lang])
        thing, who = (
            _the(rng, lang),
            rng.choice([*NAMES, {"en": "She", "es": "Ella"}[lang], {"en": "He", "es": "Él"}[lang]]),
        )
        if lang == "en":
            given, answer = f"{who} {_third_person(base)} the {thing}.", f"{who} {past} the {thing}."
        else:
            given, answer = f"{who} {base[:-2]}a {thing}.", f"{who} {past} {thing}."
        templates = _PAST[lang]
    return Item("rewriting", lang, answer, (user(say(rng, lang, templates, s=given)),), assistant(answer))


def _article(noun: str) -> str:
    return "La" if next(g for _, es, g in NOUNS if es == noun) == "f" else "El"


def _third_person(verb: str) -> str:
    return verb + ("es" if verb.endswith(("sh", "ch", "s", "x")) else "s")


def summary(rng: Random, lang: Lang) -> Item:
    """Names the subject that two to four sentences share."""
    subject = rng.choice((rng.choice(NAMES), invented_word(rng, lang).capitalize(), ""))
    if not subject:
        subject = f"the {_the(rng, lang)}" if lang == "en" else _the(rng, lang)
    text = []
    for event in rng.sample(_EVENTS[lang], rng.randint(2, 4)):
        sentence = event.format(
            c=subject,
            m=_the(rng, lang),
            a=rng.choice({"en": ["kind", "big", "happy"], "es": ["amable", "grande", "feliz"]}[lang]),
        )
        text.append(sentence[0].upper() + sentence[1:])
    # "de el" and "a el" contract in Spanish
    story = " ".join(text).replace(" de el ", " del ").replace("A el ", "Al ").replace(" a el ", " al ")
    answer = {"en": f"The text is about {subject}.", "es": f"El texto trata de {subject}.".replace("de el ", "del ")}[
        lang
    ]
    return Item(
        "summary", lang, f"{subject} {story[:40]}", (user(say(rng, lang, _SUMMARY[lang], s=story)),), assistant(answer)
    )
