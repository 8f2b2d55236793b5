"""What can be wrong with an answer: one plain function a check, each giving a Reason with its evidence, or None.

A check sees the prompt, the answer and the analysis, nothing else; it never runs what it reads. A new check is a
function and its line in CHECKS.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Callable
from fractions import Fraction

from nodes.analyze import ARITHMETIC
from nodes.language import UNDETERMINED, detect
from nodes.tools.calculator import CalculationError, evaluate, render
from state.tasks import Analysis, Reason

Check = Callable[[str, str, Analysis], Reason | None]

MAX_CHARS = 100_000
"""Longer answers are judged by their start; nothing here is slower than linear in it."""

_TEMPLATE_TOKENS = re.compile(
    r"<\|[a-z_]{2,30}\|>|</?(?:tool_call|tool_response|s)>|\[/?INST\]|<<SYS>>|<(?:start|end)_of_turn>"
)
_FENCE = re.compile(r"```([\w+#-]*)[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?")
_EXPRESSION = re.compile(r"[\d(][\d\s.,()+\-*/×÷^−]*[\d)]")
_DATE = re.compile(r"\b\d{4}-\d{1,2}-\d{1,2}\b|\b\d{1,2}/\d{1,2}/\d{2,4}\b")
_REFUSAL = re.compile(
    r"^\W*(?:i(?:'m| am) (?:sorry|unable|not able)|sorry,|i can(?:'|no)t|i do(?:n't| not) know|as an ai"
    r"|lo siento|no puedo|no s[eé]\b|perd[oó]n)",
    re.IGNORECASE,
)
_CUT_SENTENCE = re.compile(r"[\w,;:(\-]$")
_WORD = re.compile(r"\w+")


def check_empty(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    if any(char.isalnum() for char in answer):
        return None
    return Reason(name="empty", evidence="the answer has no word or number", weight=1.0)


def check_template_leak(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    leak = _TEMPLATE_TOKENS.search(answer)
    if leak is None or leak.group() in prompt:
        return None
    return Reason(name="template_leak", evidence=f"'{leak.group()}' is a control token", weight=0.8)


def check_echo(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """The request said back. Rewriting and extraction legitimately repeat a part, never the whole request."""
    said, asked = _normal(answer), _normal(prompt)
    if len(asked.split()) >= 4 and (said == asked or (len(asked) > 40 and said.startswith(asked))):
        return Reason(name="echo", evidence="the answer repeats the request", weight=0.9)
    return None


def check_repetition(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """The same few words over and over, as a model that has lost its way writes."""
    words = _WORD.findall(answer.lower())
    if len(words) < 12:
        tail = re.search(r"(.{1,20}?)\1{7,}", answer[:1_000], re.DOTALL)
        if tail is None or not tail.group(1).strip() or tail.group() in prompt:
            return None
        return Reason(name="repetition", evidence=f"'{tail.group(1)}' again and again", weight=0.8)
    grams = Counter(zip(words, words[1:], words[2:], strict=False))
    gram, times = grams.most_common(1)[0]
    if times >= 4 and times * 3 > len(words) * 0.4:
        return Reason(name="repetition", evidence=f"'{' '.join(gram)}' stands {times} times", weight=0.8)
    return None


def check_truncated(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    if answer.count("```") % 2:
        return Reason(name="truncated", evidence="a code block is not closed", weight=0.5)
    text = answer.rstrip()
    if len(text.split()) > 40 and _CUT_SENTENCE.search(text) and "```" not in text and not text.endswith(("}", "]")):
        return Reason(name="truncated", evidence=f"ends with '{text[-20:]}'", weight=0.45)
    return None


def check_language(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """Only where both languages are clear and the request is not about another language."""
    if analysis.kind in ("translation", "code") or analysis.second_kind == "translation":
        return None
    if analysis.language == UNDETERMINED or len(_WORD.findall(answer)) < 5 or "```" in answer:
        return None
    language, confidence = detect(answer)
    if language in (analysis.language, UNDETERMINED) or confidence < 0.5:
        return None
    return Reason(name="wrong_language", evidence=f"answered in {language}, asked in {analysis.language}", weight=0.5)


def check_refusal(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    if (match := _REFUSAL.search(answer)) is None:
        return None
    # Honest ignorance is better than an invention, so it costs less than a wrong answer, but it is tried again.
    return Reason(name="refusal", evidence=f"'{match.group().strip()}…'", weight=0.5)


def check_json(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    if "json" not in analysis.needs or analysis.kind == "code":
        return None
    fenced = _FENCE.search(answer)
    text = (fenced.group(2) if fenced else answer).strip()
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        return Reason(name="malformed_json", evidence=str(error)[:120], weight=0.7)
    return None


def check_code(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """Python is parsed, never run; a function that the request names must be defined."""
    if analysis.kind != "code":
        return None
    blocks = _FENCE.findall(answer)
    if not blocks:
        looks_like_code = re.search(r"\b(def|class|return|import|function|select|print)\b|[;{}]", answer, re.I)
        asked_for_code = re.search(r"\b(write|create|implement|escribe|crea|implementa|code|c[oó]digo)\b", prompt, re.I)
        if asked_for_code and not looks_like_code:
            return Reason(name="no_code", evidence="the request asks for code, the answer has none", weight=0.6)
        return None
    for tag, source in blocks:
        if tag.lower() in ("python", "py") or (not tag and "python" in prompt.lower()):
            try:
                ast.parse(source)
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                return Reason(name="malformed_code", evidence=str(error)[:120], weight=0.7)
    wanted = re.search(r"(?:called|named|llamada|llamado|nombre)\s+`?([A-Za-z_]\w*)", prompt)
    if wanted and not re.search(rf"\b{re.escape(wanted.group(1))}\b", answer):
        return Reason(name="missing_name", evidence=f"'{wanted.group(1)}' is not defined", weight=0.6)
    return None


def check_arithmetic(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """Where the request holds one expression, the answer must hold its value; equations in the answer must be true."""
    if analysis.kind == "math" and (expected := _asked_value(prompt)) is not None:
        numbers = [_as_number(text) for text in _NUMBER.findall(answer)]
        if not any(number is not None and _close(number, expected) for number in numbers):
            return Reason(name="wrong_arithmetic", evidence=f"the value is {render(expected)}", weight=0.9)
    for left, right in re.findall(
        r"([\d(][\d\s.,()+\-*/×÷−]*[\d)])\s*=\s*(-?\d[\d,]*(?:\.\d+)?)(?![\w.]*\s*[-+*/×÷])", answer[:5_000]
    ):
        value, claimed = _evaluated(left), _as_number(right)
        if value is not None and claimed is not None and not _close(claimed, value):
            return Reason(
                name="wrong_arithmetic", evidence=f"{left.strip()} is {render(value)}, not {right}", weight=0.9
            )
    return None


CHECKS: tuple[Check, ...] = (
    check_empty,
    check_template_leak,
    check_echo,
    check_repetition,
    check_truncated,
    check_language,
    check_refusal,
    check_json,
    check_code,
    check_arithmetic,
)


def _normal(text: str) -> str:
    return " ".join(_WORD.findall(text.lower()))


def _asked_value(prompt: str) -> Fraction | None:
    """The value of the only expression in the request, or None when there is none, or more than one."""
    text = _DATE.sub(" ", prompt[:5_000])
    if not ARITHMETIC.search(text):
        return None
    values = [
        value
        for found in _EXPRESSION.findall(text)
        if ARITHMETIC.search(found) and (value := _evaluated(found)) is not None
    ]
    return values[0] if len(values) == 1 else None


def _evaluated(expression: str) -> Fraction | None:
    try:
        return evaluate(expression)
    except CalculationError:
        return None


def _as_number(text: str) -> Fraction | None:
    try:
        return Fraction(text.replace(",", "").rstrip("."))
    except (ValueError, ZeroDivisionError):
        return None


def _close(claimed: Fraction, exact: Fraction) -> bool:
    """Equal up to the usual rounding: half a hundredth, or one part in ten thousand of a large number."""
    return (
        abs(claimed - exact) <= max(Fraction(1, 200), abs(exact) / 10_000)
        if exact.denominator != 1
        else claimed == exact
    )
