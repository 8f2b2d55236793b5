"""Arithmetic: what the request wants computed must be in the answer, and equations in the answer must hold."""

from __future__ import annotations

import re
from fractions import Fraction

from nodes.checks.asked import asked_value
from nodes.checks.reading import FENCE
from nodes.checks.written import DATE, NUM, NUMBER, SUM, close, evaluated, normal, readings, to_fraction
from nodes.tools.calculator import render
from state.tasks import Analysis, Reason

MAX_CHARS = 6_000
_EQUATION = re.compile(
    rf"(?<![\w.,²³√])({SUM})\s?(=|≈|≅|(?:is|equals|es|son|da|dan|suman|es igual a|is equal to)(?=\s))"
    rf"\s?(?:\*\*)?\s?([-−]?\s?{NUM})(\s?/\s?\d+)?"
)
_PERCENT_IS = re.compile(
    rf"(?<![\d.,])({NUM})\s*(?:%|percent|por ?ciento)\s*(?:of|de)\s*(?:\$|€|£)?\s*({NUM})\s*(?:is|es|=|son"
    rf"|equals)\s*\**(?:\$|€|£)?\s*({NUM})(?![.,]?\d|\s*[-+*/×÷·^−])",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:not|no|isn't|wrong|incorrect|false|instead|mistake|error|fals[oa]|incorrect[oa]|equivocad[oa]"
    r"|incorrectamente)\b|≠|!=",
    re.I,
)
_FRACTION = re.compile(r"\b(\d{1,6})\s*/\s*(\d{1,6})\b|\\d?frac\{(\d{1,6})\}\{(\d{1,6})\}")
_NUMBER_WORDS = re.compile(
    r"\b(zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty|sixty"
    r"|seventy"
    r"|eighty|ninety|hundred|thousand|half|cero|uno|una|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce"
    r"|trece|catorce"
    r"|quince|dieci\w+|veint\w+|treinta|cuarenta|cincuenta|sesenta|setenta|ochenta|noventa|cien\w*|mil|medio"
    r"|infinit\w+|undefined)\b",
    re.IGNORECASE,
)


def check_arithmetic(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """Where the request holds one computation, the answer must hold its value; its equations must be true."""
    said = normal(FENCE.sub("\n", answer[:MAX_CHARS]))
    if analysis.kind in ("math", "question_answering", "reasoning", "other") and "```" not in prompt:
        expected = asked_value(prompt, strict=analysis.kind != "math")
        if expected is not None and not _is_said(expected, said):
            return Reason(name="wrong_arithmetic", evidence=f"the value is {render(expected)}", weight=0.9)
    if analysis.kind in ("code", "creative_writing", "translation", "rewriting", "extraction"):
        return None
    return _false_equation(said, normal(prompt[:MAX_CHARS]))


def _is_said(expected: Fraction, said: str) -> bool:
    numbers = [value for text in NUMBER.findall(said) for value in readings(text)]
    numbers += [Fraction(int(a or c), int(b or d)) for a, b, c, d in _FRACTION.findall(said) if int(b or d)]
    if any(close(number, expected) or close(number, abs(expected)) for number in numbers):
        return True
    if "^" in said or "√" in said or re.search(r"\d\s*e[+-]?\d|×\s*10|\* ?10", said):
        return True  # another way to write a value: not judged
    return _NUMBER_WORDS.search(said) is not None and not numbers


def _false_equation(said: str, prompt: str) -> Reason | None:
    text = DATE.sub(" ", said)
    for found in _EQUATION.finditer(text):
        left, sign, right, divisor = found.groups()
        before, after = text[: found.start()].rstrip()[-1:], text[found.end() : found.end() + 12]
        if (
            (before in "+-*/×÷·^−–=([{√%" and before)
            or re.match(
                r"\s*(?:[-+*/×÷·^−%²³]|\d|[.,]\d|x\b|(?:[a-z](?<!\s[ghlmst])|[a-z](?=\s*[-+*/×÷·^−=]))(?![a-z])"
                r"|r(?:em|es)|mod|mil|k\b|!|°|\()",
                after,
                re.I,
            )
        ) and not (before == "=" and not re.match(r"\s*[-+*/×÷·^−%²³!(]", after)):
            continue
        whole = left + "=" + right
        if re.sub(r"\s", "", whole) in re.sub(r"\s", "", prompt) or _DENIED.search(_around(text, found)):
            continue
        value = evaluated(left)
        claimed = {
            number / int(divisor.strip(" /")) if divisor and int(divisor.strip(" /")) else number
            for number in readings(right)
        }
        if value is None or any(_rounded(number, value, right, loose=sign in "≈≅") for number in claimed):
            continue
        return Reason(
            name="wrong_arithmetic", evidence=f"{left.strip()} is {render(value)}, not {right.strip()}", weight=0.9
        )
    for share, of, claim in _PERCENT_IS.findall(text):
        value = to_fraction(share) * to_fraction(of) / 100
        if not any(_rounded(number, value, claim, loose=True) for number in readings(claim)):
            return Reason(
                name="wrong_arithmetic", evidence=f"{share}% of {of} is {render(value)}, not {claim}", weight=0.9
            )
    return None


def _around(text: str, found: re.Match[str]) -> str:
    """The sentence an equation stands in, as far as 60 characters to each side."""
    before = re.split(r"[.!?\n](?=\s)", text[max(0, found.start() - 60) : found.start()])[-1]
    return before + re.split(r"[.!?\n](?=\s|$)", text[found.end() : found.end() + 60])[0]


def _rounded(claimed: Fraction, exact: Fraction, written: str, *, loose: bool) -> bool:
    """Equal to the places that are written, or cut off there; `≈` may be further off."""
    places = len(re.split(r"[.,]", written)[-1]) if re.search(r"[.,]", written) else 0
    unit = Fraction(1, 10**places)
    if loose:
        return abs(claimed - exact) <= max(unit, abs(exact) / 50)
    if places == 0 and exact.denominator == 1:
        return claimed == exact
    return abs(claimed - exact) < unit or close(claimed, exact)
