"""The one computation that a request asks for, and its value."""

from __future__ import annotations

import re
from fractions import Fraction

from nodes.checks.written import DATE, EXPRESSION, NUM, NUMBER, PERCENT, evaluated, normal, to_fraction

_ROOT = re.compile(rf"(?:square root|ra[ií]z cuadrada)\s*(?:of|de)\s*({NUM})|√\s*\(?({NUM})", re.IGNORECASE)
_BINARY = re.compile(
    rf"\b(?:(sum|total|product|difference|suma|producto|diferencia|resta)\s+(?:of|between|de|entre)|(add|suma"
    rf"|multiply|multiplica|divide|subtract|resta))\s+"
    rf"({NUM})\s+(?:and|y|by|por|entre|to|from|a|de)\s+({NUM})(?!\s*(?:%|,|and|y)\b)",
    re.IGNORECASE,
)
_OF_LIST = re.compile(
    r"\b(average|mean|sum|total|media|promedio|suma)\s+(?:of|de)\s+(?:the numbers |los números |these numbers:? "
    r"|estos números:? )?((?:\d+(?:\.\d+)?\s*(?:,|and|y)\s*(?:and |y )?){2,20}\d+(?:\.\d+)?)",
    re.IGNORECASE,
)
_FACTORS = {
    "half": Fraction(1, 2),
    "la mitad": Fraction(1, 2),
    "double": Fraction(2),
    "twice": Fraction(2),
    "el doble": Fraction(2),
    "triple": Fraction(3),
    "el triple": Fraction(3),
    "a third": Fraction(1, 3),
    "un tercio": Fraction(1, 3),
    "a quarter": Fraction(1, 4),
    "la cuarta parte": Fraction(1, 4),
}
_PART = re.compile(rf"\b({'|'.join(sorted(_FACTORS, key=len, reverse=True))})\s+(?:of |de )?({NUM})\b", re.IGNORECASE)
_POWER = re.compile(rf"(?<![\d.,])({NUM})\s+(squared|cubed|al cuadrado|al cubo)\b", re.IGNORECASE)
_SPOKEN_SUMS = re.compile(
    "|".join(f"(?:{pattern.pattern})" for pattern in (_BINARY, _ROOT, _OF_LIST, _PART, _POWER)), re.IGNORECASE
)


def asked_value(prompt: str, *, strict: bool = False) -> Fraction | None:
    """The value of the only computation in the request, or None when there is none, or more than one.

    `strict`: the request must be short and ask for a value, since an expression may stand there for other reasons.
    """
    if len(prompt) > 400 or (
        strict and not re.search(r"\b(what(?:'s| is)|how much|calcula\w*|compute|cu[aá]nto|evaluate)\b", prompt, re.I)
    ):
        return None
    if len(prompt.split()) > 8 and re.search(r"\d[xX]\d", prompt):
        return None  # the size of a table or a screen
    text = DATE.sub(" ", normal(prompt))
    if re.search(
        r"[a-z]\s*=|=\s*[a-z]|\d[xyzn]\b|≠|\bmod\b|right\?|correct\?|true\?|cierto|verdad|correcto", text, re.I
    ):
        return None
    values = {value for found in EXPRESSION.findall(text) if (value := evaluated(found)) is not None}
    values |= {to_fraction(share) * to_fraction(whole) / 100 for share, whole in PERCENT.findall(text)}
    if len(values) != 1 and not values:
        values = _spoken_values(text)
    others = NUMBER.findall(PERCENT.sub(" ", EXPRESSION.sub(" ", _SPOKEN_SUMS.sub(" ", text))))
    return values.pop() if len(values) == 1 and not others else None


def _spoken_values(text: str) -> set[Fraction]:
    values: set[Fraction] = set()
    for plain_root, signed_root in _ROOT.findall(text):
        if (value := evaluated(f"sqrt({plain_root or signed_root})".replace(",", ""))) is not None:
            values.add(value)
    for noun, listed in _OF_LIST.findall(text):
        numbers = [to_fraction(number) for number in re.findall(NUM, listed)]
        values.add(sum(numbers, Fraction(0)) / (len(numbers) if noun.lower()[0] in "amp" else 1))
    for factor, number in _PART.findall(text):
        values.add(_FACTORS[factor.lower()] * to_fraction(number))
    for number, power in _POWER.findall(text):
        values.add(to_fraction(number) ** (2 if power.lower().endswith(("squared", "cuadrado")) else 3))
    for noun, verb, left, right in _BINARY.findall(text):
        operation = (noun or verb).lower()
        if operation.startswith(("sum", "tot", "add")):
            values.add(to_fraction(left) + to_fraction(right))
        elif operation.startswith(("prod", "mult")):
            values.add(to_fraction(left) * to_fraction(right))
        elif operation == "divide" and to_fraction(right):
            values.add(to_fraction(left) / to_fraction(right))
        elif operation.startswith("di"):
            values.add(abs(to_fraction(left) - to_fraction(right)))
        else:
            values.add(to_fraction(right) - to_fraction(left))
    return values
