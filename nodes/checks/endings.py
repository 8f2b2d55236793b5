"""Answers that stop too early, in a word, a sentence, an item or a block of code."""

from __future__ import annotations

import re

from nodes.checks.fluency import is_broken_word, tables
from nodes.checks.lists import ITEM
from nodes.checks.open_ends import EMAIL_END, cut, dangling, open_end
from nodes.checks.reading import plain, read_request, words
from state.tasks import Analysis, Kind, Reason

_TERMINAL = tuple(".!?…\"'”»’)]}>`*_~:;|。！？।")
_INNER_STOP = re.compile(r"[\w)\"”»%][.!?][\"”»)]?\s+[A-ZÁÉÍÓÚÑ¿¡\"“«*]")
_NAME_LAST = re.compile(r"[.!?,][\"”»)]?\s+((?:[A-ZÁÉÍÓÚÑ][\w'’-]{1,20} ?){1,2})\Z")
_NO_SENTENCE = re.compile(r"[#@]\w+\Z|\S*[/\\_]\S*\Z|[=<>≤≥]|\|")
"""A last line that is a tag, an address or a formula. Searched in its end only: on one long word it is quadratic."""
_UNPUNCTUATED: frozenset[Kind] = frozenset({"classification", "extraction", "math"})


def check_truncated(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """Cut off: an open block, a word that wants another, a last sentence without its end."""
    if answer.count("```") % 2 and "```" not in prompt:
        return cut("a code block is not closed", 0.6)
    text = answer.rstrip()
    if not text or (text.endswith("```") and answer.count("```") >= 2):
        return None
    last_line = text.rsplit("\n", 1)[-1].strip()
    return (
        open_end(answer, text, last_line, prompt, analysis)
        or dangling(text, last_line, prompt)
        or _cut_sentence(text, last_line, prompt, analysis)
    )


def _cut_sentence(text: str, last_line: str, prompt: str, analysis: Analysis) -> Reason | None:
    """No full stop where the rest of the text has them; or a word broken off that stands whole elsewhere."""
    if text.endswith(_TERMINAL) or not text[-1].isalnum() or _is_signature(text, last_line):
        return None
    if _NO_SENTENCE.search(last_line[-400:]) or _signed(last_line[-100:]) or _is_value(text, last_line):
        return None
    if analysis.kind == "code" and ("```" in text or len(words(text)) < 12):
        return None
    if broken := _broken_word(text, prompt, analysis):
        return cut(f"'{broken}' is broken off", 0.5)
    item = ITEM.match(last_line)
    if item or _is_verse(text, analysis):
        return _cut_item(text) if item else _cut_verse(text)
    length = len(words(last_line))
    if _INNER_STOP.search(last_line) and length >= 4:
        return cut(f"the last sentence ends with '{text[-20:].strip()}'", 0.5)
    earlier = [line for line in text.splitlines()[:-1] if len(line.split()) >= 8]
    stopped = [line for line in earlier if line.rstrip().endswith((".", "!", "?", ":"))]
    if (
        earlier
        and len(stopped) * 2 > len(earlier)
        and length >= (3 if len(stopped) == len(earlier) > 1 else 5)
        and analysis.kind != "extraction"
    ):
        return cut(f"the last sentence ends with '{text[-20:].strip()}'", 0.5)
    return _lone_sentence(text, last_line, prompt, analysis, length)


def _signed(last_line: str) -> bool:
    """A name after the last full stop: "… on Friday. Luis"."""
    found = _NAME_LAST.search(last_line)
    return found is not None and not any(word.lower() in tables().places for word in found.group(1).split())


def _cut_verse(text: str) -> Reason | None:
    """The last line is a fraction of its fellows."""
    *others, last = [len(line.strip()) for line in text.splitlines() if line.strip()]
    usual = sorted(others)[len(others) // 2]
    return cut("the last line is a fragment", 0.42) if len(others) >= 4 and usual >= 20 and last < 0.4 * usual else None


def _is_value(text: str, last_line: str) -> bool:
    """What was announced on the line before, or names one after another."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    announced = len(lines) > 1 and lines[-2].endswith((":", ":**")) and len(last_line.split()) < 12
    return announced or last_line.count(",") * 5 >= len(last_line.split()) > 4


def _lone_sentence(text: str, last_line: str, prompt: str, analysis: Analysis, length: int) -> Reason | None:
    """One sentence that simply stops: cut when it is long, or when the text it renders was not."""
    if "\n" in text or analysis.kind in _UNPUNCTUATED or length < 8 or not last_line[0].isupper():
        return None
    material = read_request(prompt).material
    if analysis.kind in ("rewriting", "translation"):
        if not material.rstrip(" \"'”»)").endswith((".", "!", "?")):
            return None
        if len(words(text)) < 0.75 * len(words(material)):
            return cut("ends before its original does", 0.5)
        return cut("its original has a full stop", 0.45) if length >= 10 else None
    if re.search(
        r"\b(title|headline|slogan|subject|t[ií]tul\w+|titular|eslogan|lema|asunto|query|prompt|tagline)\b",
        prompt,
        re.I,
    ):
        return None
    if length >= 14 or (
        length >= 6 and analysis.kind in ("summarization", "reasoning", "conversation", "question_answering", "other")
    ):
        return cut(f"ends with '{text[-20:].strip()}'", 0.45 if length >= 14 else 0.42)
    return None


def _cut_item(text: str) -> Reason | None:
    """The last item lacks the full stop that the others have."""
    items = _last_list(text)
    others = [item.rstrip() for item in items[:-1]]
    stopped = [item for item in others if item.endswith((".", "!", "?"))]
    if len(others) >= 1 and len(stopped) == len(others) and len(items[-1].split()) >= 1:
        return cut(f"the last item ends with '{text[-20:].strip()}'", 0.5)
    # "Name: description" without its description
    named = [item for item in others if re.search(r"\w\**:\**\s+\S", item)]
    if len(others) >= 2 and len(named) == len(others) and not re.search(r"\w\**:\**\s+\S", items[-1]):
        return cut(f"the last item ends with '{text[-20:].strip()}'", 0.5)
    lengths = sorted(len(item.split()) for item in others)
    if (
        len(others) >= 2
        and lengths[len(lengths) // 2] >= 8
        and len(items[-1].split()) <= 0.25 * lengths[len(lengths) // 2]
    ):
        return cut(f"the last item is '{items[-1].strip()[:30]}'", 0.45)
    if _INNER_STOP.search(items[-1]) and stopped:
        return cut(f"the last item ends with '{text[-20:].strip()}'", 0.5)
    return None


def _last_list(text: str) -> list[str]:
    """The items since the last heading, or the line that announces them."""
    items: list[str] = []
    for line in text.splitlines():
        if match := ITEM.match(line):
            items.append(match.group(3) or "")
        elif line.startswith("#") or line.rstrip().endswith((":", ":**")):
            items = []
    return items


def _broken_word(text: str, prompt: str, analysis: Analysis) -> str | None:
    """The last word, where it is the start of longer words of both texts and a word in neither."""
    found = re.search(r"(?<![\w'’.@#/-])([^\W\d_]{2,})\Z", text)
    if found is None or analysis.kind == "classification" or len(words(text)) < 4:
        return None
    last = plain(found.group(1))
    if (
        found.group(1).islower()
        and last not in plain(prompt)
        and text.count(found.group(1)) == 1
        and is_broken_word(last)
    ):
        return found.group(1)
    if analysis.kind == "extraction":
        return None
    others = [plain(word) for word in (*words(prompt[:8_000]), *words(text[:8_000])[:-1])]
    if last in others:
        return None
    longer = {word for word in others if word.startswith(last) and len(word) > len(last) + 1}
    plural = {last + "s", last + "es", last + "ed", last + "d", last + "ing", last + "ly"}
    return found.group(1) if longer - plural and len(last) >= 3 and not _is_word_family(last, longer) else None


def _is_word_family(last: str, longer: set[str]) -> bool:
    """`nation` beside `national`: the shorter one is likely a word, when it ends as words do."""
    return len(last) >= 4 and last[-1] in "aeoysrnldt"


def _is_signature(text: str, last_line: str) -> bool:
    lines = [line for line in text.splitlines() if line.strip()]
    closing = " ".join(lines[-4:])
    return len(last_line.split()) <= 6 and len(lines) > 1 and EMAIL_END.search(closing) is not None


def _is_verse(text: str, analysis: Analysis) -> bool:
    """Short lines, most of them without a full stop."""
    lines = [line for line in text.splitlines() if line.strip()]
    unstopped = sum(line.rstrip()[-1].isalnum() or line.rstrip()[-1] in ",;" for line in lines)
    return len(lines) >= 3 and unstopped * 2 >= len(lines) and max(map(len, lines)) < 120
