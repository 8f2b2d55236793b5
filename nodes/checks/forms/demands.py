"""Where a request says the form of its answer, and the words that such demands are made of."""

from __future__ import annotations

import re

from nodes.checks.reading import plain, read_request, sentences, words

MAX_CHARS = 3_000

ONLY = r"(?:only|just|solo|s[oó]lo|únicamente|solamente)"
NOT_USE = r"(?:without|avoid|no|do not use|don't use|sin|evita|no uses|no utilices)"
OPEN, CLOSE = "[\"“«'‘]", "[\"”»'’]"
QUOTATION = rf"{OPEN}([^\"”»'’\n]{{1,80}}){CLOSE}"
UNIT = (
    r"words?|palabras?|sentences?|frases?|oraci(?:ones|[oó]n)|lines?|l[ií]neas?|versos?|paragraphs?|p[aá]rrafos?"
    r"|stanzas?|estrofas?"
)
_SPELLED = {
    word: number
    for number, spellings in {
        1: "one un una uno single sola única unica",
        2: "two dos",
        3: "three tres",
        4: "four cuatro",
        5: "five cinco",
        6: "six seis",
        7: "seven siete",
        8: "eight ocho",
        9: "nine nueve",
        10: "ten diez",
        11: "eleven once",
        12: "twelve doce",
        13: "thirteen trece",
        14: "fourteen catorce",
        15: "fifteen quince",
        16: "sixteen dieciséis",
        18: "eighteen dieciocho",
        20: "twenty veinte",
        25: "twenty-five veinticinco",
        30: "thirty treinta",
        40: "forty cuarenta",
        50: "fifty cincuenta",
        60: "sixty sesenta",
        70: "seventy setenta",
        80: "eighty ochenta",
        90: "ninety noventa",
        100: "hundred cien",
        200: "doscientas",
    }.items()
    for word in spellings.split()
}
NUMBER = rf"(\d{{1,4}}|{'|'.join(sorted(_SPELLED, key=len, reverse=True))})"
ITEM = re.compile(r"^[ \t]*(?:[-*•+–▪◦]|\(?\d{1,3}[.):]|\*\*\d{1,3}[.)])[ \t]*\S", re.MULTILINE)
_OF_THE_ANSWER = re.compile(
    r"\W*(?:answer|respond|reply|use|write|give|return|do not|don't|only|just|in|keep|make|limit|max\w*|at most|no more"
    r"|output|provide|include|avoid|start|end|format|list|responde|contesta|usa|utiliza|escribe|da|dame|devuelve|no"
    r"|solo|s[oó]lo|m[aá]ximo|en|incluye|evita|empieza|termina|formato|sin|hazlo|que)\b",
    re.IGNORECASE,
)


def any_of(*patterns: str) -> re.Pattern[str]:
    """One pattern that matches where any of these does, whatever the case."""
    return re.compile("|".join(patterns), re.IGNORECASE)


def read_demands(prompt: str) -> str:
    """A request's instruction, its last line, and sentences of its material that speak of the answer."""
    text = prompt.strip()
    if "\n" not in text and not re.search(r":\s", text):
        return text[:MAX_CHARS]
    request = read_request(prompt)
    material = f"{request.material[:2_000]} {request.material[-1_000:]}"
    parts = [request.instruction, *(part for part in sentences(material) if _OF_THE_ANSWER.match(part))]
    last = text.rsplit("\n", 1)[-1]
    if "\n" in text and last not in parts and len(last) < 300:
        parts.append(last)
    return " \n".join(parts)[:MAX_CHARS]


def to_number(text: str) -> int:
    """A number that NUMBER matched."""
    return int(text) if text.isdigit() else _SPELLED[text.lower()]


def bare(text: str) -> str:
    """The words of a text without punctuation, accents and capitals."""
    return " ".join(words(plain(text)))


def full_lines(text: str) -> list[str]:
    """The lines that are not blank."""
    return [line for line in text.splitlines() if line.strip()]
