"""A request with several parts as requests of their own: numbered, several questions, one thing "and then" another.

Careful by design: what is not clearly a list of requests stays whole. A list to be sorted or summed up is material, and
so is everything in quotes or in a code block.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

MAX_CHARS = 4_000
"""Longer requests are mostly material."""
MAX_PARTS = 8
"""More parts than these would cost more calls than a request is worth."""

_ITEM = re.compile(r"^[ \t]{0,8}(?:\(?\d{1,2}[.):]|\(?[a-h]\)|[a-h]\.)[ \t]+(?=\S)", re.MULTILINE)
_INLINE = re.compile(r"(?<!\S)\(?([a-h1-9])\)[ \t]+(?=\S)")
_QUESTION = re.compile(r"[^.!?¿\n]{2,400}\?")
_THEN = re.compile(r"[,;.]?\s(?:and then|then also|y luego|y despu[eé]s|y a continuaci[oó]n)\s", re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"]{0,500}\"|“[^”“]{0,500}”|«[^»«]{0,500}»")
_OF_EACH = re.compile(
    r"\b(?:each|every|both|following (?:questions|tasks|requests|sentences|words|phrases|expressions|sums)|cada"
    r"|siguientes (?:preguntas|tareas|peticiones|frases|palabras|expresiones|sumas|cuentas))\b",
    re.IGNORECASE,
)
_JUST_ANSWER = re.compile(
    r"(?:please |por favor,? )?(?:answer|do|solve|reply|responde|contesta|resuelve|haz)"
    r"(?: (?:to|all|each|both|of|the|these|following|questions|tasks|a|todas|todos|cada|una|de|las|los|estas|estos"
    r"|siguientes|preguntas|tareas))*\W{0,3}",
    re.IGNORECASE,
)
"""What stands before a list of requests and says nothing that each of them needs."""
_VERB = re.compile(
    r"\W*(?:please\s+|por favor,?\s+)?(?:add|answer|calculate|classify|compare|compute|convert|correct|count|create"
    r"|define|describe|explain|extract|find|fix|give|list|make|name|put|reverse|rewrite|say|show|solve|sort|spell|sum"
    r"|summari[sz]e|tell|translate|use|write"
    r"|calcula|clasifica|compara|convierte|corrige|crea|cuenta|da|define|describe|di|dime|enumera|escribe|explica"
    r"|extrae|haz|invierte|lista|muestra|nombra|ordena|pon|reescribe|resuelve|resume|suma|traduce|usa)(?:lo|la|los|las)?\b",
    re.IGNORECASE,
)


def split_request(prompt: str) -> tuple[str, ...]:
    """The requests that this one is made of, in order, each with what it needs of the rest; () when it is one.

    They are to be asked in turn, each seeing the answers before it.
    """
    if len(prompt) > MAX_CHARS or "```" in prompt:
        return ()
    for find in (_numbered, _questions, _steps):
        parts = find(prompt)
        if 1 < len(parts) <= MAX_PARTS:
            return tuple(parts)
    return ()


def join_answers(prompt: str, answers: Sequence[str]) -> str:
    """The answers of a split request as one, numbered where the request numbered its parts."""
    if len(_numbered(prompt)) == len(answers):
        return "\n".join(f"{number}. {answer.strip()}" for number, answer in enumerate(answers, start=1))
    return "\n\n".join(answer.strip() for answer in answers)


def _numbered(prompt: str) -> list[str]:
    """Items of a numbered list that are requests, by themselves or because of what stands before the list."""
    before, items, after = _listed(prompt, _ITEM)
    if len(items) < 2:
        before, items, after = _listed(prompt, _INLINE)
    if len(items) < 2 or not (_OF_EACH.search(before) or all(map(_asks, items))):
        return []
    if _JUST_ANSWER.fullmatch(before):
        before = ""
    return ["\n".join(filter(None, (before, item, after))) for item in items]


def _listed(prompt: str, mark: re.Pattern[str]) -> tuple[str, list[str], str]:
    """What stands before a list, its items, and what stands behind the empty line that ends it."""
    marks = list(mark.finditer(prompt))
    if len(marks) < 2:
        return "", [], ""
    ends = [found.start() for found in marks[1:]] + [len(prompt)]
    items = [prompt[found.end() : end].strip() for found, end in zip(marks, ends, strict=True)]
    last, _, after = items[-1].partition("\n\n")
    items[-1] = last.strip()
    return prompt[: marks[0].start()].strip(), [item for item in items if item], after.strip()


def _questions(prompt: str) -> list[str]:
    """Several questions in a row at the end, each with the text before the first."""
    text = _unquoted(prompt)
    found = list(_QUESTION.finditer(text))
    if len(found) < 2 or text[found[-1].end() :].strip(" \n.)"):
        return []
    if any(sum(map(str.isalpha, match.group())) < 3 for match in found):
        return []
    between = [text[one.end() : other.start()] for one, other in pairwise(found)]
    if any(gap.strip(" \n¿") for gap in between):
        return []
    starts = [_opened(prompt, match.start()) for match in found]
    context = prompt[: starts[0]].strip()
    ends = [match.end() for match in found]
    asked = [prompt[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    return [" ".join(filter(None, (context, question))) for question in asked]


def _steps(prompt: str) -> list[str]:
    """One thing and then another: both are told to be done."""
    cuts = list(_THEN.finditer(_unquoted(prompt)))
    if not cuts:
        return []
    starts, ends = [0, *(cut.end() for cut in cuts)], [*(cut.start() for cut in cuts), len(prompt)]
    steps = [prompt[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    return [step[:1].upper() + step[1:] for step in steps] if all(map(_VERB.match, steps)) else []


def _asks(item: str) -> bool:
    return item.endswith("?") or _VERB.match(item) is not None


def _opened(prompt: str, start: int) -> int:
    """Where a question begins: with its Spanish opening mark, where there is one."""
    mark = len(prompt[:start].rstrip()) - 1
    return mark if mark >= 0 and prompt[mark] == "¿" else start


def _unquoted(prompt: str) -> str:
    """The prompt with quoted text blotted out, at the same places."""
    return _QUOTED.sub(lambda quoted: "_" * len(quoted.group()), prompt)
