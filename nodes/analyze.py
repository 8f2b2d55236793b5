"""The task analyzer: what kind of request this is, in which language, and what it needs. Keyword rules, no model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nodes.language import UNDETERMINED, detect
from state.run import RunState
from state.tasks import Analysis, Kind, Need, Turn

MAX_CHARS = 8_000
"""Requests say what they want at the start or the end; the middle of a longer one is its material."""

_NUMBER = r"\d[\d.,]*"
_NUMBERS = re.compile(r"\d+")
_HOW_MANY = re.compile(r"\b(how (many|much)|cu[aá]nt[oa]s?)\b", re.IGNORECASE)
ARITHMETIC = re.compile(rf"{_NUMBER}\s*(?:[-+*/×÷^−]|x(?=\s*\d))\s*\(?\s*{_NUMBER}")
"""Two numbers joined by an operator."""

_RULES: tuple[tuple[Kind, float, str], ...] = (
    # kind, weight, pattern; a date such as 2024-05-01 is not a sum, hence the extra look in `_scores`.
    ("math", 3.0, r"\b(how much is|cu[aá]nto (es|son|da|vale)|calculate|calcula|compute|work out|resuelve|solve)\b"),
    (
        "math",
        2.0,
        r"\b(sum|suma|plus|m[aá]s|minus|menos|times|multipl\w+|divid\w+|percent|por ciento|square root|"
        r"ra[ií]z cuadrada|ecuaci[oó]n|equation|how many .* (left|in total|altogether)|"
        r"cu[aá]nt[oa]s .*(quedan|en total|tengo|tiene))\b(?=.*\d)",
    ),
    ("code", 3.0, r"\b(python|javascript|typescript|java|rust|sql|bash|html|css|regex|c\+\+|golang)\b|```"),
    (
        "code",
        3.0,
        r"\b(write|create|implement|fix|debug|refactor|escribe|crea|implementa|corrige|programa)\b.{0,60}"
        r"\b(function|class|script|code|program|query|funci[oó]n|clase|c[oó]digo|programa|consulta)\b",
    ),
    ("translation", 4.0, r"\b(translat\w+|traduc\w+|c[oó]mo se dice|how do you say)\b"),
    ("summarization", 4.0, r"\b(summari[sz]\w+|tl;?dr|resum\w+|sum up|in one sentence|en una frase|s[ií]ntesis)\b"),
    (
        "extraction",
        4.0,
        r"\b(extract\w*|extra(e|er|iga)|list (all|the) .* (in|from|mentioned)|find all|pull out|"
        r"lista (todos|todas|los|las) .* (del|de la|en el|en la) (texto|frase))\b",
    ),
    ("extraction", 2.0, r"\bjson\b"),
    (
        "classification",
        4.0,
        r"\b(classif\w+|clasific\w+|categori[sz]\w+|sentiment|sentimiento|label|etiqueta|"
        r"positive or negative|positiv[oa] o negativ[oa]|spam)\b",
    ),
    (
        "creative_writing",
        3.0,
        r"\b(poem|story|haiku|song|joke|slogan|e-?mail|advert\w*|letter|blog|tweet|poema|cuento|"
        r"historia|canci[oó]n|chiste|eslogan|correo|anuncio|carta)\b",
    ),
    (
        "rewriting",
        4.0,
        r"\b(rewrite|rephrase|reword|paraphrase|improve|make .* (more|less) |correct the|uppercase|"
        r"lowercase|capital letters|reverse|invert|sort|repeat|reescrib\w+|reformul\w+|parafrase\w+|"
        r"mejora|corrige|may[uú]sculas|min[uú]sculas|inviert\w+|orden[ae]|repite|al rev[eé]s)\b",
    ),
    (
        "reasoning",
        3.0,
        r"\b(why|explain why|prove|deduce|logic|riddle|puzzle|if .* then|step by step|compare|"
        r"pros and cons|por qu[eé]|demuestra|l[oó]gic[ao]|acertijo|paso a paso|compara|razona)\b",
    ),
    (
        "conversation",
        4.0,
        r"^\W*(hi|hello|hey|good (morning|evening|afternoon)|thanks|thank you|how are you|hola|"
        r"buen[oa]s (d[ií]as|tardes|noches)|gracias|qu[eé] tal|c[oó]mo est[aá]s)\b",
    ),
    (
        "conversation",
        3.0,
        r"\b(who are you|what are you|what can you do|qui[eé]n eres|qu[eé] eres|qu[eé] puedes hacer|"
        r"my name is|me llamo|mi nombre es)\b",
    ),
    (
        "question_answering",
        1.5,
        r"\b(what|who|where|when|which|how|qu[eé]|qui[eé]n|d[oó]nde|cu[aá]ndo|cu[aá]l|c[oó]mo|"
        r"cu[aá]nt[oa]s?)\b|[?¿]",
    ),
)
_COMPILED = tuple((kind, weight, re.compile(pattern, re.IGNORECASE | re.DOTALL)) for kind, weight, pattern in _RULES)
_DATE = re.compile(r"\b\d{4}-\d{1,2}-\d{1,2}\b|\b\d{1,2}/\d{1,2}/\d{2,4}\b")
_JSON = re.compile(r"\bjson\b", re.IGNORECASE)
_HARD = re.compile(
    r"\b(step by step|paso a paso|detailed|detallad[oa]|compare|compara|prove|demuestra|design|diseña)\b", re.I
)

LONG_CHARS = 6_000
SURE = 4.0
"""Sum of rule weights at which the first kind is taken as certain."""


def analyze(prompt: str, history: Sequence[Turn] | None = None) -> Analysis:
    """What a request asks for. Deterministic; never raises, whatever the text.

    `history` settles what the prompt alone leaves open: the language of "And 5 more?" is that of the turn before.
    """
    text = prompt if len(prompt) <= MAX_CHARS else prompt[: MAX_CHARS // 2] + "\n" + prompt[-MAX_CHARS // 2 :]
    ranked = sorted(_scores(text).items(), key=lambda item: -item[1])
    kind, score = ranked[0] if ranked else ("other", 0.0)
    runner_up, second_score = ranked[1] if len(ranked) > 1 else (None, 0.0)
    return Analysis(
        kind=kind,
        second_kind=runner_up,
        confidence=round(min(1.0, score / SURE) * score / (score + second_score), 2) if score else 0.0,
        language=_language(text, history or ()),
        complexity=_complexity(prompt, len(ranked)),
        needs=_needs(prompt, kind),
    )


async def analyze_task(state: RunState) -> dict[str, object]:
    """Reads `task`; writes `analysis`."""
    assert state.task is not None, "read_history runs first"
    return {"analysis": analyze(state.task.prompt, state.task.history)}


def _scores(text: str) -> dict[Kind, float]:
    scores: dict[Kind, float] = {}
    for kind, weight, pattern in _COMPILED:
        if pattern.search(text):
            scores[kind] = scores.get(kind, 0.0) + weight
    if ARITHMETIC.search(_DATE.sub(" ", text)) and "```" not in text:
        scores["math"] = scores.get("math", 0.0) + 4.0
    if _HOW_MANY.search(text) and len(_NUMBERS.findall(text)) >= 2:
        scores["math"] = scores.get("math", 0.0) + 3.0  # "I have 3 apples and buy 4. How many …?"
    return scores


def _language(text: str, history: Sequence[Turn]) -> str:
    language, confidence = detect(text)
    if confidence < 0.2 and history:
        earlier, earlier_confidence = detect(history[-1].request)
        if earlier_confidence > confidence:
            return earlier
    return language if language != UNDETERMINED or not history else detect(history[-1].request)[0]


def _complexity(prompt: str, kinds: int) -> str:
    words = len(prompt.split())
    if words > 200 or (_HARD.search(prompt) and words > 30):
        return "high"
    return "medium" if words > 40 or kinds > 3 or _HARD.search(prompt) else "low"


def _needs(prompt: str, kind: Kind) -> tuple[Need, ...]:
    needs: list[Need] = []
    if kind == "math":
        needs.append("tools")
    if kind == "code":
        needs.append("code")
    if _JSON.search(prompt):
        needs.append("json")
    if len(prompt) > LONG_CHARS:
        needs.append("long_context")
    return tuple(needs)
