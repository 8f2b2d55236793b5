"""An answer beside the text it was made from: a summary's length, a translation's language, a common subject."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Protocol

from nodes.checks.languages import NAMED, surely
from nodes.checks.reading import FENCE, plain, prose, read_request, sentences, stems, words
from nodes.language import UNDETERMINED, detect
from state.tasks import Analysis, Kind, Reason

_OF_A_TEXT: frozenset[Kind] = frozenset(
    {"summarization", "extraction", "rewriting", "question_answering", "classification"}
)
_ABOUT_SOMETHING: frozenset[Kind] = frozenset(
    {"question_answering", "reasoning", "creative_writing", "other", "code", "math"}
)
OFF_TOPIC_COSINE = 0.08
"""Sentence embedders of the usual kind put a question and its answer above .3 and strangers near 0."""
_TARGET = re.compile(r"\b(?:to|into|in|al|a|en)\s+(?:the |el |idioma |'|\"|\*)*(\w+)", re.IGNORECASE)
_EXPANDS = re.compile(
    r"\b(bullet\w*|points?|key ideas|detailed|expand\w*|explain\w*|table|puntos?|ideas clave|detallad\w+|ampl[ií]\w+"
    r"|explica\w*|tabla|title|t[ií]tulo)\b",
    re.IGNORECASE,
)


_SHORTEN = re.compile(
    r"\b(?:shorten|shorter|condense|more concise(?:ly)?|trim|abbreviate|acort[ae]\w*|abrevi[ae]\w*"
    r"|m[aá]s (?:cort[oa]|breve"
    r"|concis[oa])|condens[ae]\w*)\b",
    re.IGNORECASE,
)
_LENGTHEN = re.compile(
    r"\b(?:lengthen|longer|expand|alarg[au]\w*|ampl[ií][ae]\w*|m[aá]s (?:larg[oa]|extens[oa]))\b", re.IGNORECASE
)
_SAYING = re.compile(
    r"\W*(?:how (?:do|would|can) (?:you|i|we) (?:say|write|spell)|what(?:'s| is) the \w+ (?:word|term|phrase"
    r"|expression)"
    r"|c[oó]mo se (?:dice|escribe)|c[oó]mo (?:digo|dir[ií]as)|qu[eé] significa|what does)\b",
    re.IGNORECASE,
)
_EMPHASIS = re.compile(r"\"[^\"\n]{2,80}\"|“[^”\n]{2,80}”|«[^»\n]{2,80}»|\*[^*\n]{2,80}\*")


_LEAD_IN = re.compile(r"\A[^:\n]{0,80}\b(?:translat\w+|traducci[oó]n|traducid[oa]\w*)\b[^:\n]{0,60}:\s+", re.IGNORECASE)
"""`Here is the translation:` is in a language of its own."""


class Embed(Protocol):
    """Vectors of texts, all of one length: a semantic embedder, since a hashing one knows no meaning."""

    def __call__(self, texts: list[str]) -> Sequence[Sequence[float]]: ...


def check_summary(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """Longer than its source, or the source itself."""
    if analysis.kind != "summarization":
        return None
    source = read_request(prompt).material
    length, said = len(words(source)), len(words(answer))
    if (
        length < 8
        or (length < 15 and said < 2.5 * length)
        or (length < 30 and said < 1.5 * length)
        or (_EXPANDS.search(read_request(prompt).instruction) and length < 40)
    ):
        return None
    if said > length:
        return Reason(name="long_summary", evidence=f"{said} words about {length}", weight=0.6)
    if said > 0.9 * length and length >= 40 and _copied(answer, source) > 0.8:
        return Reason(name="long_summary", evidence="the source is repeated, not summarised", weight=0.6)
    if said > 0.9 * length and length >= 40:
        return Reason(name="long_summary", evidence=f"{said} words about {length}", weight=0.3)
    return None


def check_resized(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """Longer than the text that was to be shortened, or shorter than the one to be lengthened."""
    if analysis.kind != "rewriting":
        return None
    request = read_request(prompt)
    source, said = len(words(request.material)), len(words(answer))
    shorten, lengthen = _SHORTEN.search(request.instruction), _LENGTHEN.search(request.instruction)
    if source < 6 or bool(shorten) == bool(lengthen):
        return None
    if said > source + 1 if shorten else said < source:
        evidence = f"{said} words, where {source} were to be made {'fewer' if shorten else 'more'}"
        return Reason(name="broken_constraint", evidence=evidence, weight=0.5)
    return None


def _copied(answer: str, source: str) -> float:
    """The share of the answer's runs of four words that the source has."""
    said, given = words(answer), words(source)
    runs = set(zip(given, given[1:], given[2:], given[3:], strict=False))
    own = list(zip(said, said[1:], said[2:], said[3:], strict=False))
    return sum(run in runs for run in own) / len(own) if own else 0.0


def target_language(prompt: str) -> str | None:
    """The language that a translation is asked into, where it is named with its preposition."""
    request = read_request(prompt)
    for text in (request.instruction, request.material[-200:], prompt[:300]):
        named = [
            code
            for word in reversed(_TARGET.findall(text[:600]))
            for code, pattern in NAMED.items()
            if pattern.fullmatch(word)
        ]
        if named:
            return named[0]
    return None


def check_translation(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """The original handed back, or a text in another language than the one asked for."""
    if analysis.kind != "translation":
        return None
    source = read_request(prompt).material
    target = target_language(prompt)
    answer = _LEAD_IN.sub("", answer)
    said, given = words(prose(answer)), words(source)
    if len(given) >= 3 and len(said) >= 3 and _same_words(said, given) and _translates_away(source, target):
        return Reason(name="untranslated", evidence="the text is the original", weight=0.8)
    language, sure = detect(answer[:4_000])
    if target is None and len(said) >= 4 and len(given) >= 4 and sure >= 0.7:
        original, clear = detect(source[:4_000])
        if language == original and clear >= 0.7:
            return Reason(name="untranslated", evidence=f"the text is still in {language}", weight=0.6)
    if target is None or len(said) < 3:
        return None
    least = 0.9 if len(said) < 5 else surely(language, (target,), len(said))
    if language in (target, UNDETERMINED) or sure < least:
        return None
    original, _ = detect(source[:4_000])
    if original == target and len(given) >= 5:
        return None
    if target not in ("en", "es") and language not in ("en", "es", original, analysis.language) and sure < 0.9:
        return None
    if _SAYING.match(prompt) and (_EMPHASIS.search(answer) or _has_script(answer, target)):
        return None  # a word in the one language, explained in the other
    evidence = f"the text is in {language}, asked for was {target}"
    return Reason(name="untranslated", evidence=evidence, weight=0.6)


def _has_script(answer: str, target: str) -> bool:
    """Letters of the target's own script, where it has one."""
    strange = "".join(char for char in answer[:4_000] if char.isalpha() and char > "\u02ff")
    return len(strange) >= 2 and detect(strange)[0] in (target, *(("zh",) if target == "ja" else ()))


def _same_words(said: list[str], given: list[str]) -> bool:
    common = len(set(said) & set(given))
    return common >= 0.85 * len(set(said)) and common >= 0.5 * len(set(given)) and len(said) >= 0.5 * len(given)


def _translates_away(source: str, target: str | None) -> bool:
    language, sure = detect(source[:4_000])
    if language == UNDETERMINED:
        return len(words(source)) >= 6  # names and words that are the same in both
    return target is None or language != target or sure < 0.5


def check_topic(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """Not a word in common with the text that it should be about, both in one language."""
    request = read_request(prompt)
    said = stems(answer[:6_000])
    if analysis.kind in _OF_A_TEXT and len(words(request.material)) >= 25:
        given = stems(prompt[:20_000])
        least = 3 if analysis.kind in ("extraction", "summarization") else 6
        if len(said) >= least and _one_language(request.material, answer) and analysis.kind != "classification":
            shared = len(said & given) / len(said)
            if shared < (0.15 if analysis.kind in ("summarization", "extraction") else 0.05):
                weight = 0.3 if analysis.kind in ("question_answering", "rewriting") else 0.5
                return Reason(name="off_topic", evidence=f"{shared:.0%} of its words are the text's", weight=weight)
        return None
    return _unrelated(prompt, answer, said, analysis)


def _unrelated(prompt: str, answer: str, said: set[str], analysis: Analysis) -> Reason | None:
    """A longer answer with none of the request's content words."""
    asked = stems(prompt[:4_000])
    if analysis.kind not in _ABOUT_SOMETHING or len(said) < 12 or len(asked) < 3 or FENCE.search(answer):
        return None
    if said & asked or not _one_language(prompt, answer) or _related(asked, answer):
        return None
    plain_question = analysis.kind in ("question_answering", "reasoning", "math") and len(prompt.split()) <= 25
    weight = 0.35 if plain_question and len(said) >= 15 else 0.25  # more is not sure enough to reject
    return Reason(name="off_topic", evidence="it shares no word with the request", weight=weight)


def _related(asked: set[str], answer: str) -> bool:
    """A request's word is in the answer inside another (`photosynthesis`, `synthesis`), or a shorter form."""
    text = plain(answer[:6_000])
    return any(stem[:4] in text for stem in asked if len(stem) >= 4)


def _one_language(first: str, second: str) -> bool:
    one, sure = detect(first[:4_000])
    other, other_sure = detect(second[:4_000])
    return one == other or UNDETERMINED in (one, other) or min(sure, other_sure) < 0.3


def far_apart(prompt: str, answer: str, analysis: Analysis, embed: Embed) -> Reason | None:
    """By embeddings, where a semantic embedder is at hand: the answer lies near nothing that was asked."""
    if analysis.kind in ("classification", "code", "math", "conversation", "translation") or len(words(answer)) < 8:
        return None
    request = read_request(prompt)
    texts = [text[:2_000] for text in (request.instruction, request.material) if text]
    *asked, said = embed([*texts, " ".join(sentences(answer)[:8])[:2_000]])
    cosine = max(_cosine(vector, said) for vector in asked)
    if cosine >= OFF_TOPIC_COSINE:
        return None
    return Reason(name="off_topic", evidence=f"similarity {cosine:.2f} to the request", weight=0.5)


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    norms = math.sqrt(sum(x * x for x in one)) * math.sqrt(sum(x * x for x in other))
    return sum(x * y for x, y in zip(one, other, strict=True)) / norms if norms else 0.0
