"""Ends that promise more: an open bracket, a comma, a word that wants another."""

from __future__ import annotations

import re

from nodes.checks.lists import ITEM
from nodes.checks.reading import words
from nodes.checks.syntax import unbalanced
from state.tasks import Analysis, Reason

# No sentence of either language ends with these; prepositions that English does strand ("what for") are left out.
_DANGLING = frozenset(
    "the a an and or but of because that which whose my your his their our its if as than into from very is are was "
    "were be been has have had can could will would should may might must not both between such every each to with "
    "el la los las un una unos unas y e o u pero de del al a en con por para que porque su sus mi mis tu tus se lo "
    "le les como si cuando donde cual cuyo entre sobre sin muy más es son fue era está están ha han había puede "
    "debe cada este esta estos estas ese esa nuestro nuestra hacia desde hasta según mediante by during toward "
    "towards upon among while whereas although unless tras durante mientras aunque sino ni cuya cuyos cuyas algún "
    "ningún cualquier nuestros nuestras".split()
)
_MAY_DANGLE = frozenset(
    "is are was were be been has have had can could will would should may might must not to a e o u y "
    "la lo los las le les mi si con sobre más que with both each es son fue era ha han i by while".split()
)
EMAIL_END = re.compile(
    r"\b(regards|sincerely|best|cheers|yours|thanks|love|wishes|atentamente|saludos?|cordialmente|gracias|abrazos?"
    r"|besos?"
    r"|cariño|despido)\b",
    re.IGNORECASE,
)


def open_end(answer: str, text: str, last_line: str, prompt: str, analysis: Analysis) -> Reason | None:
    """Marks that promise more."""
    command = analysis.kind == "code" and "\n" not in text and re.search(r"\s[-&+]\Z", text)
    if re.search(r"[,(\[{«“¿¡—–]\Z|[^\W\d_]-\Z|\s[-&+=]\Z", text) and not command and not EMAIL_END.search(last_line):
        return cut(f"ends with '{text[-20:]}'", 0.5)
    if text.endswith(":") and len(last_line.split()) >= 4 and not ITEM.match(last_line):
        return cut(f"ends with '{text[-20:]}'", 0.5)
    if re.search(r"\s[\"“«'‘]\Z", text) or (last_line.count('"') % 2 and not re.search(r"\d\"|[.!?)]\Z", last_line)):
        return cut("a quotation is not closed", 0.5)
    if text.rfind("[") > text.rfind("]") and len(text) - text.rfind("[") < 200 and analysis.kind != "code":
        return cut("a bracket is not closed", 0.5)
    if (
        analysis.kind == "code"
        and "```" not in answer
        and (fault := unbalanced(text[-20_000:]))
        and "not closed" in fault
    ):
        return cut(fault, 0.5)
    trails_off = re.search(r"\w(?:\.\.\.|…)\Z", text) is not None and len(words(text)) >= 5
    if trails_off and analysis.kind not in ("creative_writing", "conversation") and not re.search(r"\.\.\.|…", prompt):
        return cut("ends with an ellipsis", 0.42)
    if last_line.startswith("|") and not last_line.endswith("|") and text.count("\n|") >= 2:
        return cut("a row of the table is not closed", 0.5)
    bold = last_line.count("**") % 2 and last_line.count("*") % 2 == 0 and re.search(r"(?<!\S)\*\*\w", last_line)
    if bold and analysis.kind not in ("code", "math") and len(words(text)) > 5:
        return cut("bold text is not closed", 0.5)
    tail = re.sub(r"[:;=8]-?\(", "", text[-400:])
    if analysis.kind != "code" and tail.rfind("(") > tail.rfind(")") and not text.endswith((".", "!", "?")):
        return cut("a bracket is not closed", 0.5)
    return None


def dangling(text: str, last_line: str, prompt: str) -> Reason | None:
    """The last word asks for a next one."""
    found = re.search(r"([^\W\d_]+)\Z", text[-60:])
    if found is None or found.group(1) not in _DANGLING | {word.capitalize() for word in _DANGLING}:
        return None
    word = found.group(1).lower()
    count = len(words(last_line))
    if count < 3 or found.group(1)[0].isupper() or f" {word}" in f" {prompt.rstrip()[-12:].lower()}":
        return None
    if word in _MAY_DANGLE and count < 5:
        return None
    return cut(f"ends with '{text[-25:].strip()}'", 0.55)


def cut(evidence: str, weight: float) -> Reason:
    return Reason(name="truncated", evidence=evidence, weight=weight)
