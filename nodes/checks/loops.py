"""Repetition: the same words, sentences or lines over and over, as a model that has lost its way writes."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

from nodes.checks.reading import FENCE, quotes, read_request, sentences, words
from state.tasks import Analysis, Reason

MAX_WORDS = 6_000
"""A loop shows in far fewer."""
_MARKS = re.compile(r"(.{1,24}?)\1{7,}", re.DOTALL)
_RULE = re.compile(r"[\s\-=_*#|:.~+─═·•]+")
_LEADER = re.compile(r"^[ \t]*(?:[-*•+>]|\d{1,3}[.)]|#+)\s*")
_TIMES = re.compile(
    r"\b(?:\d+|two|three|four|five|six|seven|eight|nine|ten|twenty|fifty|hundred|many|several|dos|tres|cuatro|cinco|seis"
    r"|siete|ocho|nueve|diez|veinte|cincuenta|cien|muchas|varias) (?:times|veces)\b|\brepeat|\brepit",
    re.IGNORECASE,
)
_ASKED = re.compile(
    r"\b(\w+ times|repeat\w*|\w+ veces|repit\w*|refrain|estribillo|chorus|song|poem|lyrics|canci[oó]n|poema|letra"
    r"|mantra|rhyme"
    r"|rima|chant|loop|bucle)\b",
    re.IGNORECASE,
)


def check_repetition(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """Loops of characters, words, phrases, sentences, lines or paragraphs; refrains and asked repetition excepted."""
    if _is_wanted(prompt, answer):
        return None
    verse = analysis.kind == "creative_writing" or _ASKED.search(prompt[:2_000]) is not None
    text = FENCE.sub("\n", answer) if analysis.kind != "code" else answer
    tokens = words(text)[:MAX_WORDS]
    return (
        _marks_in_a_row(prompt, text)
        or _words_in_a_row(tokens, prompt, limit=8 if verse or analysis.kind == "code" else 5)
        or _same_items(text, verse=verse)
        or _same_parts(text, code=analysis.kind == "code", verse=verse)
        or (None if verse else _same_blocks(text))
        or (None if verse or analysis.kind == "code" else _one_subject(text, tokens))
        or _few_phrases(tokens, code=analysis.kind == "code", verse=verse)
    )


def _marks_in_a_row(prompt: str, text: str) -> Reason | None:
    """`nananananananana`: at the beginning or the end, where a loop stays."""
    for piece in (text[:600], text[-600:]):
        found = _MARKS.search(piece)
        if found is None or _RULE.fullmatch(found.group()) or found.group() in prompt:
            continue
        unit = found.group(1).strip()
        # A long number, a drawn line and a laugh are short; ten zeros are a number.
        if unit and len(found.group()) >= (24 if unit.isdigit() or not unit.isalnum() else 12):
            return _repetition(unit, len(found.group()) // len(found.group(1)))
    return None


def _words_in_a_row(tokens: list[str], prompt: str, *, limit: int) -> Reason | None:
    """One to six words said again at once, and again."""
    given = " ".join(words(prompt[:20_000]))
    for size in range(1, 7):
        run = 0
        for place in range(size, len(tokens)):
            run = run + 1 if tokens[place] == tokens[place - size] else 0
            unit = tokens[place - size + 1 : place + 1]
            # A phrase counts sooner than a word: "very, very, very" is a style.
            wanted = size * (limit - 1) if size == 1 else size * (limit - 2 if size < 4 else min(limit - 2, 3))
            if len("".join(unit)) < 2:
                wanted *= 3
            if run >= wanted and not all(word.isdigit() for word in unit):
                return None if " ".join(unit * 3) in given else _repetition(" ".join(unit), run // size + 1)
    return None


def _is_wanted(prompt: str, answer: str) -> bool:
    """The request says that it wants its own words several times."""
    if _TIMES.search(prompt[:2_000]) is None:
        return False
    unit = " ".join(words(max(quotes(prompt[:2_000]), key=len, default=read_request(prompt).material)))
    return bool(unit) and " ".join(words(answer[:2_000])).count(unit) >= 2


def _same_parts(text: str, *, code: bool, verse: bool) -> Reason | None:
    """Sentences and lines that stand several times."""
    lines = [line for line in map(str.strip, text.splitlines()) if line]
    parts = lines if code else [_LEADER.sub("", part).lower() for part in sentences(text)]
    parts = [part for part in parts if len(part.split()) >= (2 if code else 3) and not part.startswith("|")]
    if not parts:
        return None
    part, times = Counter(parts).most_common(1)[0]
    repeated = sum(len(part) for part, times in Counter(parts).items() for _ in range(times - 1))
    share = repeated / sum(map(len, parts))
    long = len(part.split()) >= 8
    in_a_row = 1 + max((sum(1 for _ in run) for run in _runs_of_same(parts)), default=0)
    needed = 6 if code or verse else (2 if long else 4)
    if times >= needed and (share >= (0.5 if verse or code else 0.3) or in_a_row >= (4 if verse or code else 3)):
        return _repetition(part[:60], times)
    if len(part.split()) >= 25 and times >= 2 and not verse:
        return _repetition(part[:60], times)
    return None


def _same_items(text: str, *, verse: bool) -> Reason | None:
    """A list that says one thing again and again, however short it is."""
    items = [_LEADER.sub("", line).strip().lower() for line in text.splitlines() if _LEADER.match(line)]
    items = [item for item in items if any(map(str.isalpha, item))]
    if len(items) < 4 or verse:
        return None
    item, times = Counter(items).most_common(1)[0]
    return _repetition(item[:60], times) if times >= 4 and times * 2 >= len(items) else None


def _same_blocks(text: str) -> Reason | None:
    """Paragraphs, or functions of a program, that stand three times and make half of the text."""
    blocks = [" ".join(block.split()) for block in re.split(r"\n\s*\n|```\w*", text)]
    blocks = [block for block in blocks if len(block.split()) >= 5]
    if len(blocks) < 3:
        return None
    block, times = Counter(blocks).most_common(1)[0]
    return _repetition(block[:60], times) if times >= 3 and times * 2 >= len(blocks) else None


def _one_subject(text: str, tokens: list[str]) -> Reason | None:
    """Two words, side by side, that are two fifths of all that is said, or a word that is a third."""
    if not 15 <= len(tokens) <= 400 or text.strip().count("\n") > 1:
        return None  # items of a list may all begin alike
    pair, times = Counter(pairwise(tokens)).most_common(1)[0]
    content = all(len(word) >= 4 for word in pair) and pair[0] != pair[1]
    if content and times >= 5 and times * 5 >= len(tokens):
        return _repetition(" ".join(pair), times)
    word, times = Counter(tokens).most_common(1)[0]
    return (
        _repetition(word, times)
        if len(word) >= 5 and word.isalpha() and times >= 5 and times * 3 >= len(tokens)
        else None
    )


def _runs_of_same(parts: list[str]) -> list[list[str]]:
    runs: list[list[str]] = [[]]
    for before, after in pairwise(parts):
        if before == after:
            runs[-1].append(after)
        elif runs[-1]:
            runs.append([])
    return runs


def _few_phrases(tokens: list[str], *, code: bool, verse: bool) -> Reason | None:
    """Far fewer different runs of four words than there are runs."""
    if len(tokens) < 12:
        return None
    grams = Counter(zip(tokens, tokens[1:], tokens[2:], tokens[3:], strict=False))
    total = len(tokens) - 3
    gram, times = grams.most_common(1)[0]
    bound = 0.3 if code or verse else 0.55 if total >= 40 else 0.62
    if len(grams) / total < bound and times >= 3:
        return _repetition(" ".join(gram), times)
    return None


def _repetition(unit: str, times: int) -> Reason:
    return Reason(name="repetition", evidence=f"'{unit}' stands {times} times", weight=0.8)
