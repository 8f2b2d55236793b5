"""Nothing but: one word, yes or no, a number, a letter, a year, a label, the code."""

from __future__ import annotations

import re

from nodes.checks.forms.demands import ONLY, any_of
from nodes.checks.reading import FENCE, words
from state.tasks import Analysis, Kind

_ONE_WORD = any_of(
    r"\b(?:in|with|using|use|only|just|give|say|reply|answer|respond|output|write|choose|label:?)\s+"
    r"(?:with |in |only |just |a |exactly ){0,6}(?:one|single|1) word\b",
    r"\bone[- ]word (?:answer|reply|response|label|only|max\w*)\b",
    r"\A\W*one word\b",
    r"\bsingle[- ]word\b",
    r"\b(?:en|con|usa|usando|utiliza|da|di|dame|escribe|solo|s[oó]lo|responde|contesta)\s+"
    r"(?:solo |s[oó]lo |con |en |exactamente ){0,6}(?:una|1) (?:sola |única )?palabra\b",
    r"\b(?:una sola|una única) palabra\b",
)
_YES_NO = any_of(
    r"\b(?:answer|respond|reply|say|responde|contesta|di)\w*\s+(?:with |con )?"
    r"(?:only |just |solo |s[oó]lo |únicamente |solamente |simply ){0,6}(?:with |con )?(?:a |un )?"
    r"['\"]?(?:yes|s[ií])['\"]?\s*(?:or|o|/|,)\s*['\"]?no\b['\"]?",
    r"\b(?:yes or no only|s[ií] o no (?:solamente|únicamente|nada m[aá]s)|only yes or no|solo s[ií] o no"
    r"|just yes or no)\b",
    r"\b(?:yes/no|s[ií]/no)\b",
)
_STRICTLY = any_of(rf"\b(?:{ONLY}|simply|nada m[aá]s)\b")
_GIVE = r"(?:with |con |give |return |output |write |provide |da |devuelve |escribe |me ){0,6}"
_ONLY_PART = any_of(
    rf"\b{ONLY}\s+{_GIVE}(?:the |a |one |el |la |una |un ){{0,6}}(?:correct |right |correcta |final "
    rf"|corresponding ){{0,6}}"
    r"(?:label|category|etiqueta|categor[ií]a|name|nombre|word|palabra|sentiment|sentimiento|option|opci[oó]n|capital"
    r"|country|pa[ií]s|city|ciudad|date|fecha|class|clase)\b"
)
_ONLY_NUMBER = any_of(
    rf"\b(?:{ONLY}|nothing but)\s+{_GIVE}(?:the |a |el |un )?(?:final |resulting )?(?:number|numeral|digits"
    rf"|n[uú]mero|cifra)\b",
    r"\b(?:numbers? only|solo n[uú]meros)\b",
)
_ONLY_LETTER = any_of(
    rf"\b{ONLY}\s+{_GIVE}(?:the |la |una |a ){{0,6}}(?:correct |correcta )?(?:letter|letra)\b(?! [eaiou]\b)",
    r"\b(?:letter|letra) (?:only|solamente|únicamente)\b",
)
_ONLY_YEAR = any_of(rf"\b{ONLY}\s+{_GIVE}(?:the |el |a ){{0,6}}(?:year|año)\b")
_ONLY_CODE = any_of(
    rf"\b{ONLY}\s+{_GIVE}(?:the |el )?(?:code|c[oó]digo)\b",
    r"\b(?:no|without|sin)\s+(?:any |ninguna )?"
    r"(?:explanations?|explicaci(?:ones|[oó]n)|comments?|comentarios|additional text|texto adicional)\b",
)
_NOTHING_ELSE = any_of(
    rf"\b(?:{ONLY}|nothing else|nada m[aá]s)\b",
    r"\b(?:without|no|sin)(?: any| ninguna| dar)? (?:explan\w+|explic\w+|comment\w*|comentar\w*|justific\w+)\b",
)
_ALONE = any_of(
    r"\b(?:return|give|answer|respond|reply|output|write|print|extract|list|tell|choose|pick|indica|elige|lista|di|dime"
    rf"|devuelve|da|dame|responde|contesta|escribe|extrae)\b[^.\n]{{0,25}}?\b{ONLY}\b",
    r"\b(?:(?:and|y) )?(?:nothing else|nada m[aá]s)\W*(?:\Z|\n)",
)
_PREFACE = any_of(
    r"\W*(?:sure|of course|certainly|here (?:is|are|'s)|claro|por supuesto|aqu[ií] (?:est[aá]|tienes|van?)"
    r"|(?:the|los|las|el|la)\s+(?:[\w-]{1,30}\s+){1,6}?(?:is|are|es|son|ser[ií]an?|aparecen)\b(?=[^.\n]*\S))"
)
_SHORTEST: frozenset[Kind] = frozenset(
    {"classification", "question_answering", "extraction", "math", "reasoning", "other"}
)


def check_shortness(demands: str, text: str, analysis: Analysis) -> str | None:
    """The answer is what was asked and nothing besides."""
    said = words(text)
    if _ONE_WORD.search(demands) and len(text.split()) > 2:
        return f"one word, has {len(text.split())}"
    if _YES_NO.search(demands):
        return _yes_or_no(demands, said)
    if analysis.kind == "code":
        around = len(words(FENCE.sub("", text)))
        return "only the code" if _ONLY_CODE.search(demands) and "```" in text and around > 8 else None
    if analysis.kind == "classification" and len(said) > 8 and _NOTHING_ELSE.search(demands):
        return f"nothing else, has {len(said)} words"
    if analysis.kind not in _SHORTEST:
        return None
    if _ONLY_PART.search(demands) and (len(said) > 6 or text.count("\n") > 2):
        return f"nothing else, has {len(said)} words"
    return _only_a_sign(demands, text, said) or _with_preface(demands, text)


def _yes_or_no(demands: str, said: list[str]) -> str | None:
    if not any(word in ("yes", "no", "sí", "si") for word in said):
        return "yes or no"
    return f"yes or no only, has {len(said)} words" if len(said) > 3 and _STRICTLY.search(demands) else None


def _only_a_sign(demands: str, text: str, said: list[str]) -> str | None:
    names = len(re.findall(r"[^\W\d_]{2,}", text))
    sums = names >= 2 and len(re.findall(r"\d[\d.,]*", text)) > 1
    if _ONLY_NUMBER.search(demands) and (names > 3 or sums or (len(said) > 1 and not re.search(r"\d", text))):
        return "only a number"
    if _ONLY_LETTER.search(demands) and len(said) > 2 and not re.fullmatch(r"\W*(?:\w+\s+)?\(?[A-Za-z]\)?\W*", text):
        return "only the letter"
    if _ONLY_YEAR.search(demands) and not re.fullmatch(r"\D{0,4}\d{3,4}\D{0,12}", text):
        return "only the year"
    return None


def _with_preface(demands: str, text: str) -> str | None:
    return "nothing else" if _ALONE.search(demands) and _PREFACE.match(text) else None
