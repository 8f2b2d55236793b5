"""Lists that stop too early: an empty item, a poorer one, fewer than announced."""

from __future__ import annotations

import re

from nodes.checks.reading import FENCE, inline_items
from state.tasks import Analysis, Reason

ITEM = re.compile(r"^[ \t]*(?:[-*•+–]|\(?(\d{1,3})[.):-]|\(?([a-zA-Z])[.)])(?:[ \t]+(.*))?$")
_BARE_ITEM = re.compile(r"\n[ \t]*(?:[-*•+–]|\d{1,3}[.)]|#{1,6}|\*\*|(?<=:\n)1|(?<=:\n\n)1)[ \t]*\Z")
_NUMBER_WORDS = {
    word: number
    for number, pair in enumerate(
        "two dos|three tres|four cuatro|five cinco|six seis|seven siete|eight ocho|nine nueve|ten diez".split("|"), 2
    )
    for word in pair.split()
}
_PROMISED = re.compile(
    rf"\b(\d{{1,2}}|{'|'.join(_NUMBER_WORDS)})\s+(?:[^\W\d_]+\s+){{0,2}}?(?:steps|reasons|ways|tips|points|things"
    rf"|ideas|options|items|examples|factors|stages|phases|types"
    r"|kinds|benefits|advantages|rules|principles|pasos|razones|maneras|formas|consejos|puntos|cosas|opciones"
    r"|ejemplos|factores|etapas|fases|tipos|beneficios|ventajas|elementos|reglas"
    r"|claves|trucos|motivos|causas|causes|questions|preguntas|facts|datos)\b",
    re.IGNORECASE,
)
_ANNOUNCED = re.compile(
    rf"^(?:[^.\n:]{{0,80}}?[\s*#])?(\d{{1,2}}|{'|'.join(_NUMBER_WORDS)})\**\s+[^\W\d_][^.\n:]{{0,80}}:\**[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)


def check_unfinished_list(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """A list whose last item is empty, or that holds fewer items than it announces."""
    text = FENCE.sub("\n", answer).rstrip()
    if analysis.kind != "code" and _BARE_ITEM.search(text) and len(text.split()) > 2:
        return Reason(name="unfinished_list", evidence="the last item is empty", weight=0.6)
    if unfinished := _poorer_end(text):
        return Reason(name="unfinished_list", evidence=unfinished, weight=0.5)
    inline = re.search(r"(?:^|\s)(\d{1,2})[.)]\s*\Z", text)
    if (
        inline
        and analysis.kind not in ("math", "code")
        and re.search(rf"(?:^|\s){int(inline.group(1)) - 1}[.)]\s", text)
    ):
        return Reason(name="unfinished_list", evidence=f"item {inline.group(1)} is empty", weight=0.6)
    announced = _ANNOUNCED.search(text[:2_000]) or _PROMISED.search(text[:300])
    if announced is None:
        return None
    if analysis.kind == "math" or re.match(
        r"\W*(?:years?|degrees?|hours?|minutes?|days?|weeks?|months?|km|percent|años|grados|horas|minutos|d[ií]as)",
        text[announced.end(1) :],
        re.I,
    ):
        return None
    wanted = _number(announced.group(1))
    items = [match for line in text[announced.end() :].splitlines() if (match := ITEM.match(line))]
    numbered = [int(match.group(1)) for match in items if match.group(1)]
    held = max(numbered) if numbered else inline_items(text) or len([match for match in items if match.group(3)])
    if wanted and 1 <= held < wanted and len(items) < wanted:
        return Reason(name="unfinished_list", evidence=f"announces {wanted} items, has {held}", weight=0.5)
    return None


def _poorer_end(text: str) -> str | None:
    """The last item or row lacks what all the others have: a description after its name, or cells."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    rows = [line for line in lines if line.startswith("|")]
    if len(rows) >= 4 and lines[-1] == rows[-1] and rows[-1].count("|") < min(row.count("|") for row in rows[:-1]):
        return "the last row has fewer cells"
    items = [(match.group(3) or "").strip() for line in lines if (match := ITEM.match(line))]
    if len(items) < 3 or not ITEM.match(lines[-1]):
        return None
    described = re.compile(r"\S.{0,80}?[:–—-]\**\s+\S")
    if len(items[-1].split()) >= 8 and items[-1].endswith((".", "!", "?")):
        return None
    if all(described.match(item) for item in items[:-1]) and not described.match(items[-1]):
        return f"the last item is '{items[-1][:40]}'"
    return f"the last item is '{items[-1][:40]}'" if items[-1].rstrip("*").endswith(":") else None


def _number(text: str) -> int:
    return int(text) if text.isdigit() else _NUMBER_WORDS[text.lower()]
