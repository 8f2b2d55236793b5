"""Turns a template into what a person might type: politeness, case, missing punctuation, stray spaces."""

from collections.abc import Sequence
from random import Random

from llm.demo.item import Lang

_POLITE: dict[Lang, list[str]] = {"en": ["Please, ", "please ", "Could you "], "es": ["Por favor, ", "por favor "]}
_POLITE_END: dict[Lang, list[str]] = {"en": [", please", " please"], "es": [", por favor", " por favor"]}


def say(rng: Random, lang: Lang, templates: Sequence[str], **slots: object) -> str:
    """Pick a template, roughen it a little, and fill its `{slots}`; the slots' values stay as they are."""
    return fill(rng, lang, rng.choice(templates), **slots)


def fill(rng: Random, lang: Lang, template: str, **slots: object) -> str:
    """Like `say`, for a template that is already chosen."""
    return roughen(rng, lang, template).format(**slots)


def roughen(rng: Random, lang: Lang, template: str) -> str:
    """About half of the templates come back as they were."""
    text = template
    question = "?" in text or text.startswith("{")
    if not question and rng.random() < 0.12:
        text = rng.choice(_POLITE[lang]) + text[0].lower() + text[1:]
    elif not question and text[-1] not in ":}" and rng.random() < 0.08:
        text = text.rstrip(".") + rng.choice(_POLITE_END[lang])
    if rng.random() < 0.12 and not text.startswith("{"):
        text = text[0].lower() + text[1:]
    if rng.random() < 0.12:
        text = text.removesuffix(".").removesuffix("?").replace("¿", "").replace("¡", "")
    if rng.random() < 0.04:
        text = rng.choice((" ", "\n", "")) + text + rng.choice((" ", "\n"))
    return text


def quoted(rng: Random, text: str) -> str:
    """The payload as people delimit it; mostly not at all."""
    mark = rng.choice(("", "", "", "", '"', "'", "«"))
    return f"{mark}{text}{'»' if mark == '«' else mark}"
