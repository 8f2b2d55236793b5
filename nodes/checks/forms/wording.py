"""Which words, letters and signs: capitals, how it starts and ends, what must and must not be there."""

from __future__ import annotations

import re

from nodes.checks.forms.demands import CLOSE, NOT_USE, OPEN, QUOTATION, any_of, bare, full_lines
from nodes.checks.reading import FENCE, plain, quotes
from state.tasks import Analysis

_UPPER = any_of(
    r"\b(?:in|use|using|en|usa|usando|con)\s+(?:only |all |solo |todo |todas ){0,6}"
    r"(?:(?:all )?caps|capital letters|capitals|upper ?case(?: letters)?|may[uú]sculas)(?: only| letters)?\b",
    r"\ball caps\b",
)
_LOWER = any_of(
    r"\b(?:in|use|using|en|usa|con)\s+(?:only |all |solo |todo ){0,6}(?:lower ?case(?: letters)?|small letters"
    r"|min[uú]sculas)\b"
)
_OF_OTHER_TEXT = any_of(
    r"\b(?:find|extract|count|which|how many|detect|encuentra|extrae|cuenta|cu[aá]nt\w+|title|t[ií]tulo|heading"
    r"|written)\b"
)
_IT = r"(?:(?:it|your|the|tu|la|el|every|each)\s+(?:\w+\s+)?)?"
_EXACTLY = r"(?:the |la |las |el )?(?:exact |word |words |phrase |sentence |palabra |palabras |frase ){0,6}"
_START = any_of(
    r"\b(?:start|begin|empieza|empiec|comienza|comienc|inicia|inicie|empezar|comenzar|empezando|comenzando"
    r"|starting|beginning)\w*\s+"
    rf"{_IT}(?:with|by saying|con|por|diciendo)\s+{_EXACTLY}{QUOTATION}"
)
_START_WORD = re.compile(
    r"(?:\b(?:start|begin|empieza|comienza|empezando|comenzando)|(?:\A|[.!?\n] ?)(?:Start|Begin|Empieza|Comienza)) "
    r"(?:it |(?:your|the|tu|la|el) \w+ )?(?:with|con|por) (?:the word |la palabra )?([A-ZÁÉÍÓÚÑ][^\W\d_]{2,20})\b"
)
_FINISH = (
    r"\b(?:end|finish|close|conclude|termin[ae]|acab[ae]|finaliza|finalice|concluy[ea]|cierr[ae]|ending"
    r"|terminando)\w*\s+"
)
_END = any_of(rf"{_FINISH}{_IT}(?:with|by saying|con|diciendo)\s+{_EXACTLY}{QUOTATION}")
_END_WORD = any_of(rf"{_FINISH}{_IT}(?:with|con)\s+(?:the word|la palabra)\s+([^\W\d_]{{2,30}})\b")
_END_QUESTION = any_of(rf"{_FINISH}{_IT}(?:with|in|con|en)\s+(?:a|una)\s+(?:\w+ )?(?:question|pregunta)\b")
_AS_QUESTION = any_of(r"\b(?:as|into|in the form of) an? question\b", r"\b(?:en|como) (?:una )?pregunta\b")
_ANSWER_AS_QUESTION = any_of(
    r"\b(?:answer|respond|reply)\w* (?:as|in the form of) an? question\b",
    r"\b(?:responde|contesta)\w* (?:en forma de|con una?) pregunta\b",
)
_EACH_PART = any_of(r"\b(?:each|every|cada)\s+(?:line|sentence|word|paragraph|l[ií]nea|frase|palabra|p[aá]rrafo|verso)")
_ACROSTIC = re.compile(rf"\b(?:acrostic|acr[oó]stico)\b[^.\n]{{0,60}}?{OPEN}?\b([A-ZÁÉÍÓÚÑ]{{3,12}})\b")
_WITHOUT_LETTER = any_of(
    rf"\b(?:{NOT_USE}|not contain(?:ing)?|n't contain|not include|no contenga|no lleve|no tenga)\s+"
    r"(?:using |usar |utilizar |el uso de |any words? (?:with|containing) )?(?:the letter|la letra)\s+"
    rf"{OPEN}?([a-zñ])\b"
)
_LISTED = rf"((?:{OPEN}[^\"”»'’\n]{{1,40}}{CLOSE}(?:\s*(?:,|or|and|o|ni|y)\s*)*)+"
_WITHOUT_WORD = any_of(
    rf"\b(?:{NOT_USE}|do not mention|don't mention|no menciones)\s+"
    r"(?:using |saying |mentioning |usar |utilizar |mencionar |decir |emplear )?"
    rf"(?:the words?|las? palabras?|the term|el t[eé]rmino)\s+{_LISTED}|[^\W\d_]{{3,30}})"
)
_WITH_WORDS = any_of(
    r"\b(?:include|including|use|using|contain\w*|mention|incluye|incluya|incluyendo|usa|usando|menciona|contenga)\s+"
    r"(?:all |both )?(?:the |la |las )?(?:exact |following |siguientes )?"
    rf"(?:words?|phrases?|terms?|palabras?|frases?|t[eé]rminos?)\s*:?\s+{_LISTED})"
)
_WITH_WORD = any_of(
    r"\b(?:includ\w+|us(?:e|ing)|contain\w*|mention|incluy\w+|us(?:a|ando)|contenga|menciona)\s+(?:the word"
    r"|la palabra)\s+"
    r"([^\W\d_]{3,30})\b"
)
_NOT_MENTION = any_of(
    r"\b(?:don't|do not|never|without|sin|no|evita)\s+"
    r"(?:mention\w*|menci[oó]n\w+|naming|name|nombr\w+|say(?:ing)?|dec?ir|digas)\s+"
    rf"(?:the |any |that |anything about |el |la |los |las |su |its ){{0,6}}{OPEN}?([^\W\d_]{{3,30}})"
)
_VAGUE = frozenset("the any that anything word words palabra palabras name nombre que una".split())
_NEGATED = any_of(r"\b(?:without|not|don't|never|avoid|no|sin|evita|instead of|en vez de|en lugar de)\s+(?:\w+\s+)?\Z")
_NO_COMMA = any_of(rf"\b{NOT_USE}\s+(?:using |any |usar |the |ninguna ){{0,6}}(?:commas?|comas?)\b")
_NO_EMOJI = any_of(rf"\b{NOT_USE}\s+(?:using |usar |any ){{0,6}}emo(?:jis?|ticon\w*)\b")
_EMOJI = re.compile(r"[\U0001F300-\U0001FAFF\u2600-\u27bf]")


def check_case(demands: str, text: str, analysis: Analysis) -> str | None:
    """All in capitals, or none, where that is said of the answer itself."""
    letters = [char for char in FENCE.sub("", text) if char.isalpha()]
    upper, lower = _UPPER.search(demands), _LOWER.search(demands)
    if bool(upper) == bool(lower) or len(letters) < 4 or analysis.kind == "code" or _OF_OTHER_TEXT.search(demands):
        return None
    share = sum(char.isupper() for char in letters) / len(letters)
    if upper:
        return f"capital letters, {share:.0%} are" if share < 0.9 else None
    return f"small letters, {share:.0%} are capital" if share > 0.02 else None


def check_edges(demands: str, text: str, analysis: Analysis) -> str | None:
    """How it starts and ends."""
    said, of_parts = bare(text), _EACH_PART.search(demands) is not None
    for pattern in (_START, _START_WORD):
        found = pattern.search(demands)
        if found and not of_parts and not said.startswith(bare(found.group(1))):
            return f"starts with '{found.group(1)}'"
    for pattern in (_END, _END_WORD):
        found = pattern.search(demands)
        if found and not of_parts and not said.endswith(bare(found.group(1))):
            return f"ends with '{found.group(1)}'"
    if _END_QUESTION.search(demands) and not text.rstrip("\"'”»*_ ").endswith("?"):
        return "ends with a question"
    if (_ANSWER_AS_QUESTION if analysis.kind != "rewriting" else _AS_QUESTION).search(demands) and "?" not in text:
        return "a question"
    return _acrostic(demands, text)


def _acrostic(demands: str, text: str) -> str | None:
    if (found := _ACROSTIC.search(demands)) is None:
        return None
    lines = [plain(line).lstrip(" *_-#>\"'“«¡¿") for line in full_lines(text)]
    initials = "".join(line[0] for line in lines if line)
    return None if plain(found.group(1)) in initials else f"an acrostic of {found.group(1)}"


def check_vocabulary(demands: str, text: str, analysis: Analysis) -> str | None:
    """Letters, words and signs that must or must not be there."""
    if (letter := _WITHOUT_LETTER.search(demands)) and plain(letter.group(1)) in plain(text):
        return f"without the letter '{letter.group(1)}'"
    said = f" {bare(text)} "
    for word in _banned(demands):
        if f" {bare(word)} " in said:
            return f"without '{word}'"
    for word in _wanted(demands):
        if bare(word) not in said:
            return f"'{word}' is missing"
    if _NO_COMMA.search(demands) and "," in text and analysis.kind != "code":
        return "without commas"
    return "no emojis" if _NO_EMOJI.search(demands) and _EMOJI.search(text) else None


def _banned(demands: str) -> list[str]:
    banned: list[str] = []
    if found := _WITHOUT_WORD.search(demands):
        banned += quotes(found.group(1)) or [found.group(1)]
    if (found := _NOT_MENTION.search(demands)) and found.group(1).lower() not in _VAGUE:
        banned.append(found.group(1))
    return banned


def _wanted(demands: str) -> list[str]:
    wanted: list[str] = []
    for pattern in (_WITH_WORDS, _WITH_WORD):
        found = pattern.search(demands)
        if found and not _NEGATED.search(demands[max(0, found.start() - 25) : found.start()]):
            wanted += quotes(found.group(1)) if pattern is _WITH_WORDS else [found.group(1)]
    return wanted
