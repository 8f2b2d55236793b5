"""Code in an answer: it is there, it parses, it has the names that were asked for."""

from __future__ import annotations

import re

from nodes.checks.reading import FENCE, words
from nodes.checks.syntax import MAX_SOURCE, fault_in, parse_python, unbalanced
from state.tasks import Analysis, Reason

MAX_LOOK = 4_000
_PROSE_WORDS = 12
"""From so many words on, `for` at the start of a line may be a sentence's."""
_PYTHON_TAGS = frozenset({"python", "py", "python3", "python2", "pycon"})
_ASKS_FOR_CODE = re.compile(
    r"\b(write|create|implement|generate|code|develop|program|build|provide|give|make|fix|refactor|convert|complete"
    r"|design"
    r"|escrib\w+|crea\w*|implementa\w*|genera\w*|desarroll\w+|programa\w*|haz|dame|construy\w+|corrig\w+|refactoriza\w*"
    r"|convierte|completa\w*|diseña\w*|necesito|i need)\b.{0,80}?"
    r"\b(functions?|class(?:es)?|scripts?|code|programs?|quer(?:y|ies)|method|regex|regular expression|snippet"
    r"|macros?|component"
    r"|algorithm|api|endpoint|decorator|command|one-liner|module|test|hook|page|app"
    r"|funci[oó]n(?:es)?|clases?|c[oó]digo|programas?|consultas?|m[eé]todo|expresi[oó]n regular|algoritmo"
    r"|componente|comando"
    r"|p[aá]gina|m[oó]dulo|decorador|prueba)\b",
    re.IGNORECASE | re.DOTALL,
)
_LANGUAGE = re.compile(
    r"\b(?:python|javascript|typescript|java|rust|golang|php|ruby|kotlin|swift|sql|bash|regexp?|html|css|react|vba"
    r"|powershell|dockerfile|c\+\+|c#)(?!\w)",
    re.IGNORECASE,
)
_ABOUT_CODE = re.compile(
    r"\b(identify|name|list|can you|explain\w*|identifica|what does|what is|what are|why|how does|difference"
    r"|describe|compare|complexity|should i|which"
    r"|review|find the (?:bug|error)|what(?:'s| is) wrong|output of|prints?|"
    r"explica\w*|qu[eé] hace|qu[eé] es|qu[eé] imprime|por qu[eé]|c[oó]mo funciona|diferencia\w*|describe|compara\w*"
    r"|complejidad|cu[aá]l)\b",
    re.IGNORECASE,
)
_LOOKS_LIKE_CODE = re.compile(
    r"^[ \t]*(?:def|class|import|from\s+\w+\s+import|function|return|public|private|const|let|var|#include|select"
    r"|insert|update|delete"
    r"|create|with|fn|func|package|using|<\?php|<!doctype|<\w+|print|console\.|@\w+|if|for|while|ls|grep|find|awk"
    r"|sed|git|curl|echo)\b"
    r"|[;{}][ \t]*$|=>|\w\([^)\n]{0,80}\)|\w ?[+*/-]?= ?\S|\bSELECT\b.{0,200}\bFROM\b|\\[dwsb]|\[[a-zA-Z0-9]-"
    r"|^[ \t]*\$\s|<[a-z]{1,20}>"
    r"|[a-z]_[a-z]|\.\w{1,60}\(|(?:^|\s)--?\w",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_CODE_LINE = re.compile(
    r"^[ \t]*(?:(?:async )?def |class \w+[:({ ]|import \w|from \w[\w.]* import|function\b|return\b|public |private "
    r"|const "
    r"|let \w+ ?=|var \w|#include|#!|fn |func |package \w|using \w|<\?php|<!doctype|</?[a-zA-Z][\w-]*[ >/]|@\w+\s*$|\$ "
    r"|(?:SELECT|INSERT|UPDATE|DELETE|CREATE|WITH|ALTER|select|insert into|update|delete from|create table) \S)"
    r"|[;{}][ \t]*$|=>|\w\([^()\n]{0,80}\)[ \t]*:?$"
    r"|^[ \t]*[\w.\[\]\"']{1,60} ?[+*/|&-]?= ?\S|\bSELECT\b.{0,200}\bFROM\b"
    r"|\\[dwsbn]|\[[a-zA-Z0-9]-"
    r"|^[ \t]*(?:[a-z][\w-]{1,15}(?:[ \t]+\S{1,80}){0,3}[ \t]+(?:--?\w|[|>/~*.$\"'])|=[A-Z]{2,12}\()"
    r"|^[ \t]*[\w-]{1,30}:(?:[ \t]+[\w\"'\[{/.-]+)?$",
    re.MULTILINE | re.DOTALL,
)
"""A line that is code, where `_LOOKS_LIKE_CODE` finds a trace of it."""
_INLINE = re.compile(r"`[^`\n]{4,400}`")
_PYTHON_LINE = re.compile(r"^[ \t]*(?:def \w+\(|class \w+|import \w+|from \w[\w.]* import|print\()", re.MULTILINE)
_NAMED = re.compile(
    r"\b(?:called|named|name it|llamad[oa]|se llame|denominad[oa]|con (?:el )?nombre|de nombre)\s+(?:is "
    r"|es )?[`'\"«]?([A-Za-z_]\w{1,60})[`'\"»]?"
    r"|\b(?:function|method|class|funci[oó]n|m[eé]todo|clase)\s+`([A-Za-z_]\w{1,60})(?:\(|`)"
    r"|\b(?:function|method|funci[oó]n|m[eé]todo)\s+([A-Za-z_]\w{1,60})\(",
    re.IGNORECASE,
)
_NO_NAMES = frozenset(
    "the a an that which to it this in by with for el la los las un una que para de con por as is".split()
)


def check_code(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """Code is there where it was asked for, and parses; a name that the request gives is in it."""
    blocks = [(tag.lower(), source[:MAX_SOURCE]) for tag, source in FENCE.findall(answer)]
    if analysis.kind != "code":
        tagged = [(tag, source) for tag, source in blocks if tag in _PYTHON_TAGS and not source.rstrip().endswith(":")]
        return _first_fault(tagged, prompt, python=True)
    python = "python" in prompt.lower()
    if not any(tag or _CODE_LINE.search(source) or _INLINE.search(answer) for tag, source in blocks):
        return _bare_code(prompt, answer[:MAX_SOURCE], python) or _missing_name(prompt, answer)
    return _first_fault(blocks, prompt, python=python) or _missing_name(prompt, answer)


def _bare_code(prompt: str, answer: str, python: bool) -> Reason | None:
    """No fenced block: prose where code was wanted, or code that stands alone."""
    wants = _wants_code(prompt[:4_000])
    trace = _LOOKS_LIKE_CODE if len(words(answer)) < _PROSE_WORDS else _CODE_LINE
    if not trace.search(answer[:MAX_LOOK]) and not _INLINE.search(answer[:MAX_LOOK]):
        short = len(words(answer)) <= 3 and not answer.rstrip().endswith((".", "!"))
        if wants and not short:
            return Reason(name="no_code", evidence="the request asks for code, the answer has none", weight=0.6)
        return None
    if _is_salad(answer):
        return _malformed("its brackets close nothing")
    if python and _PYTHON_LINE.match(answer) and (error := parse_python(answer)):
        # Prose after bare code is not code; what is before the first blank line must parse by itself.
        head = re.split(r"\n\s*\n(?=[A-ZÁÉÍÓÚ¿¡])", answer)[0]
        if parse_python(head):
            return _malformed(error)
    return None


def _wants_code(prompt: str) -> bool:
    """Code is asked for, in so many words or by naming a language in what is no question."""
    if _ABOUT_CODE.match(prompt.lstrip("¿ ")):
        return False
    order = "?" not in prompt and "```" not in prompt
    return _ASKS_FOR_CODE.search(prompt) is not None or (order and _LANGUAGE.search(prompt) is not None)


def _is_salad(answer: str) -> bool:
    """Brackets that close nothing, among a heap of signs."""
    tokens = answer.split()
    lonely = sum(not any(map(str.isalnum, token)) for token in tokens)
    return len(tokens) >= 8 and lonely >= 0.4 * len(tokens) and "closes nothing" in (unbalanced(answer) or "")


def _first_fault(blocks: list[tuple[str, str]], prompt: str, *, python: bool) -> Reason | None:
    for tag, source in blocks:
        written_in = "python" if tag in _PYTHON_TAGS or (not tag and _is_python(source, python)) else tag
        if error := fault_in(written_in, source, prompt):
            return _malformed(error)
    return None


def _is_python(source: str, python: bool) -> bool:
    """Of a block that does not say. `python`: the request speaks of it."""
    return _PYTHON_LINE.search(source) is not None and (python or not re.search(r"[{};]\s*$", source, re.MULTILINE))


def _missing_name(prompt: str, answer: str) -> Reason | None:
    for found in _NAMED.finditer(prompt[:4_000]):
        name = next(group for group in found.groups() if group)
        if name.lower() not in _NO_NAMES and not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", answer):
            return Reason(name="missing_name", evidence=f"'{name}' is not defined", weight=0.6)
    return None


def _malformed(error: str) -> Reason:
    return Reason(name="malformed_code", evidence=error, weight=0.7)
