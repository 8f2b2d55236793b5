"""The language of the answer: that of the request, of its text, or the one that is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from nodes.checks.reading import plain, prose, read_request, sentences, words
from nodes.language import UNDETERMINED, detect
from state.tasks import Analysis, Reason

_ROMANCE = frozenset({"es", "pt", "ca", "it", "fr", "gl", "ro"})
_SCRIPTS = frozenset({"ru", "zh", "ja", "ko", "ar", "el", "he", "hi", "th"})
_LANGUAGES = {
    "en": ("english", "ingl[eé]s"),
    "es": ("spanish|castilian", "castellano|español|espanol"),
    "fr": ("french", "franc[eé]s"),
    "de": ("german", "alem[aá]n"),
    "it": ("italian", "italiano"),
    "pt": ("portuguese", "portugu[eé]s"),
    "ca": ("catalan", "catal[aá]n"),
    "ru": ("russian", "ruso"),
    "zh": ("chinese|mandarin", "chino|mandar[ií]n"),
    "ja": ("japanese", "japon[eé]s"),
    "ko": ("korean", "coreano"),
    "ar": ("arabic", "[aá]rabe"),
    "el": ("greek", "griego"),
    "he": ("hebrew", "hebreo"),
    "hi": ("hindi", "hindi"),
    "th": ("thai", "tailand[eé]s"),
}
"""How the instruction calls a language, in English and in Spanish."""
NAMED = {code: re.compile(rf"\b(?:{en}|{es})\b", re.IGNORECASE) for code, (en, es) in _LANGUAGES.items()}
_SAYING_EN = (
    r"answer|respond|reply|write|say|explain|summari[sz]e|speak|tell|give|result|output|version|translat\w+|poem|story"
    r"|email|letter"
)
_SAYING_ES = (
    r"respond\w*|contesta\w*|escrib\w+|redact\w+|di|dime|explica\w*|resum\w+|habla\w*|traduc\w+|p[aá]sa\w*|versi[oó]n"
    r"|poema|carta|correo|cuento"
)
_MARKS = r"(?:the |el |idioma |lengua |'|\"|\*)*"
_ASKED_IN = {
    code: re.compile(
        rf"\b(?:{_SAYING_EN})\b[^.\n:]{{0,60}}?\b(?:in|into|to)\s+{_MARKS}(?:{en})\b"
        rf"|\b(?:{_SAYING_ES})\b[^.\n:]{{0,60}}?\b(?:en|al|a)\s+{_MARKS}(?:{es})\b"
        rf"|\A\s*in\s+(?:{en})\b|\A\s*en\s+(?:{es})\b|\bin\s+(?:{en})\W*(?:\Z|\n|:)|\ben\s+(?:{es})\W*(?:\Z|\n|:)",
        re.IGNORECASE,
    )
    for code, (en, es) in _LANGUAGES.items()
}


def check_language(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """Only where both languages are clear, and the answer's is neither the request's, nor its text's, nor named."""
    wanted = wanted_languages(prompt, analysis)
    if analysis.kind == "translation":
        return None  # has a check of its own
    if not wanted or (analysis.kind == "code" and "```" not in answer and len(words(answer)) < 12):
        return None
    text = prose(answer)
    if _is_names(text) or answer.lstrip()[:1] in ("{", "["):
        return None
    language, sure = detect(text[:4_000])
    count = sum(word[0].isalpha() for word in words(text))
    script = language in _SCRIPTS  # told by its letters: a word is enough
    if language == UNDETERMINED or (count < (4 if sure > 0.9 else 5) and not script):
        return None
    if language not in wanted and sure >= surely(language, wanted, count) and not _is_quoted_material(text, prompt):
        asked = " or ".join(sorted(wanted))
        return Reason(name="wrong_language", evidence=f"answered in {language}, asked in {asked}", weight=0.5)
    if analysis.kind not in ("translation", "code", "extraction") and (other := _switched(text, wanted, prompt)):
        return Reason(name="wrong_language", evidence=f"goes on in {other}", weight=0.45)
    return None


@lru_cache(maxsize=4)
def _asked_in(prompt: str) -> frozenset[str]:
    """Languages that the instruction says the answer should be in."""
    instruction = read_request(prompt).instruction[:2_000]
    return frozenset(code for code, pattern in _ASKED_IN.items() if pattern.search(instruction))


def wanted_languages(prompt: str, analysis: Analysis) -> frozenset[str]:
    """Languages a good answer may be in; empty when that cannot be told."""
    if asked := _asked_in(prompt):
        return asked
    if analysis.language == UNDETERMINED or analysis.kind == "translation" or analysis.second_kind == "translation":
        return frozenset()
    if analysis.language not in ("en", "es") and len(words(prompt)) < 8:
        return frozenset()  # too little to tell it from its neighbours
    if len(words(prompt)) < 8 and detect(prompt)[1] < 0.2:
        return frozenset()  # a formula or names
    request = read_request(prompt)
    own, own_sure = detect(request.instruction[:4_000])
    if (
        analysis.kind == "summarization"
        and own_sure >= 0.5
        and own in ("en", "es")
        and len(words(request.instruction)) >= 4
    ):
        return frozenset({own})
    if any(pattern.search(request.instruction[:2_000]) for pattern in NAMED.values()):
        return frozenset()
    allowed = {analysis.language}
    for part in (request.instruction, request.material):
        language, sure = detect(part[:4_000])
        if language != UNDETERMINED and sure >= 0.3:
            allowed.add(language)
    if request.material and analysis.kind in ("extraction", "classification", "rewriting") and len(allowed) > 1:
        return frozenset()
    return frozenset(allowed)


def surely(language: str, others: Iterable[str], count: int) -> float:
    """How sure the detector must be that `count` words are not in one of the other languages.

    Between neighbours, such as Spanish and Catalan, it must be surer, and over a few words.
    """
    near = any((language in _ROMANCE) == (other in _ROMANCE) for other in others)
    return 0.3 if count >= 8 and not near else 0.5


def _is_names(text: str) -> bool:
    """Words between commas, or lines of a few words each: names, labels, commands."""
    lines = [line for line in text.splitlines() if line.strip()]
    if text.count(",") >= 2 and text.count(",") * 2 >= len(words(text)) - 2:
        return True
    return len(lines) >= 3 and max(len(words(line)) for line in lines) <= 5


def _is_quoted_material(text: str, prompt: str) -> bool:
    """A title or a quotation from the request stays in its language."""
    return plain(" ".join(words(text))) in plain(" ".join(words(prompt[:20_000])))


def _switched(text: str, wanted: frozenset[str], prompt: str) -> str | None:
    """The other language, when a run of whole sentences is in it."""
    parts = [part for part in sentences(text[:6_000]) if len(words(part)) >= 6]
    if len(parts) < 2:
        return None
    strange = []
    for part in parts:
        language, sure = detect(part)
        if (
            language not in wanted
            and language in ("en", "es")
            and sure >= 0.7
            and not _is_quoted_material(part, prompt)
        ):
            strange.append(language)
    return (
        strange[0]
        if (len(strange) >= 2 and len(strange) * 3 >= len(parts)) or (len(strange) * 2 >= len(parts) and strange)
        else None
    )
