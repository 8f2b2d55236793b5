"""The request said back, whole, in part or in other words."""

from __future__ import annotations

import re

from nodes.checks.reading import WORD, read_request, stems, words
from state.tasks import Analysis, Reason

_OPENERS = re.compile(
    r"\A\W*(?:sure|of course|certainly|absolutely|okay|ok|yes|great|claro(?: que s[ií])?|por supuesto|desde luego"
    r"|vale|s[ií]"
    r"|you (?:asked|want)(?: me)?(?: to)?|me (?:pides|has pedido)(?: que)?|the (?:question|request|prompt|task) is"
    r"|la (?:pregunta|petici[oó]n) es|here(?:'s| is) (?:the|your) (?:question|request|prompt|task))\b[\s,.!:¡]*",
    re.IGNORECASE,
)
_LABELS = re.compile(
    r"\A\W*(?:(?:question|pregunta|prompt|q|p|request|petici[oó]n|task|tarea|instruction|instrucci[oó]n|user"
    r"|usuario|input"
    r"|entrada)\s*:\s*)|\s(?:answer|respuesta|response|a|r|assistant|asistente|output|salida)\s*:\W*\Z",
    re.IGNORECASE,
)
"""Labels put around a request that is said back."""
_ORDERS = re.compile(
    r"\W*(?:please |por favor,? )?(?:explain|describe|write|give|list|tell|summari[sz]e|translate|classify"
    r"|extract|compare"
    r"|suggest|create|generate|calculate|find|identify|rewrite|convert|name|discuss|provide|compose|solve|explica"
    r"|describe|escribe|dame|dime|enumera|resume|traduce|clasifica|extrae|compara|sugiere|crea|genera|calcula|encuentra"
    r"|identifica|reescribe|convierte|nombra|redacta|resuelve|haz|hazme|cu[eé]ntame)\b",
    re.IGNORECASE,
)
_AFTER_PREMISES = re.compile(r"[.,;:)]\s+¿?(?:who|which|whose|qui[eé]n|cu[aá]l)\b", re.IGNORECASE)
"""A question that chooses among what was told before it."""
_ASKING = re.compile(
    r"\W*(?:who|what|when|where|which|why|how|whose|qui[eé]n|qu[eé]|cu[aá]\w+|d[oó]nde|c[oó]mo|por qu[eé])\b",
    re.IGNORECASE,
)
_TELLS_BACK = re.compile(
    r"\W*(?:so,? |ok\w*,? |sure,? |entonces,? |as[ií] que |vale,? |bien,? )*"
    r"(?:you(?:'re| are|'d like| would like| want| need| asked| ask| wish)|your (?:question|request|task)"
    r"|the (?:user|question|request|task|prompt)|i (?:understand|see) (?:that )?you|quieres|quiere usted"
    r"|me (?:pides|preguntas|has ped|est[aá]s)|pides|preguntas|tu (?:pregunta|petici[oó]n)"
    r"|la (?:pregunta|petici[oó]n|tarea)|el usuario|entiendo que|necesitas|te gustar[ií]a|deseas|solicitas)\b",
    re.IGNORECASE,
)
_CHOICE = re.compile(
    r"\b(?:or|o|u|whether)\b|(?:\A|[.!?:¿]\s*)(?:is|are|was|were|does|do|did|can|will|has|have|es|son|fue|era|puede"
    r"|tiene|hay)\b",
    re.IGNORECASE,
)
"""A choice, or a question for yes or no."""
_CORRECTS = re.compile(
    r"\b(?:correct\w*|fix|proofread|spell\w*|grammar\w*|punctuat\w*|corrig\w+|corrección|revis\w+|ortogr\w+|tildes?"
    r"|acent\w+|puntuaci\w+|comm?as?|punto\w*|exclam\w+|question|pregunta|quot\w+|comillas|gram[aá]tic\w+)\b",
    re.IGNORECASE,
)
_ON_ASKING = frozenset(
    "want asked askin ask know quest reque like need help task user promp under wish wants needs sure cours certa "
    "quier saber pregu pides pedid pedis solic gusta neces entie desea tarea usuar petic claro ayuda let's repea here "
    "poder".split()
)
_RUN = 4
"""Words in a row that count as taken over."""


def check_echo(prompt: str, answer: str, analysis: Analysis) -> Reason | None:
    """The request said back, whole or its instruction, with little besides."""
    bare = _LABELS.sub("", answer[:20_000])
    said, asked = words(_OPENERS.sub("", bare)), words(prompt[:20_000])
    if len(asked) < 3 or not said:
        return None
    if said == asked:
        return None if _asks_to_repeat(prompt) else _echo(0.9)
    if len(asked) >= _RUN and said[:_RUN] == asked[:_RUN] and _ORDERS.match(prompt) and _ORDERS.match(bare):
        return None if _asks_to_repeat(prompt) else _echo(0.5, "the answer gives the order that it was given")
    if _asks_back(prompt, answer, said, asked, analysis):
        return _echo(0.5, "the answer asks what it was asked")
    if _nearly(said, asked) and analysis.kind not in ("rewriting", "translation") and not _asks_to_repeat(prompt):
        return _echo(0.7, "the answer is the request but for a word")
    instruction, material = read_request(prompt)
    wanted = words(instruction)
    opens = tuple(asked[:_RUN]) in _runs(said[: len(asked) + 20])
    if len(wanted) >= 4 and (opens or not material):
        taken, new = _overlap(wanted, said, asked)
        if _is_question(prompt) and not answer.rstrip().endswith("?") and _news(prompt, answer):
            return None  # the question's words, and its answer among them
        if taken >= 0.8 and new <= 0.25 and not _asks_to_repeat(prompt):
            return _echo(0.8)
        if taken >= 0.9 and len(wanted) >= 8 and said[: len(wanted)] == wanted and new <= 0.6:
            return _echo(0.45)
    return _material_back(prompt, answer, material, analysis) or _reworded(prompt, answer, material, analysis)


def _asks_back(prompt: str, answer: str, said: list[str], asked: list[str], analysis: Analysis) -> bool:
    """The question, and perhaps another, but no statement."""
    if analysis.kind in ("rewriting", "translation", "extraction", "summarization", "creative_writing"):
        return False
    alone = answer.rstrip().endswith("?") and re.search(r"[.!:]\s|\n", answer.strip()) is None
    return alone and _is_question(prompt) and len(asked) >= _RUN and said[:_RUN] == asked[:_RUN]


def _material_back(prompt: str, answer: str, material: str, analysis: Analysis) -> Reason | None:
    """The text that was given, handed back as it was."""
    said = words(answer)
    if analysis.kind in ("translation", "summarization") or len(said) < 5 or said != words(material):
        return None
    if analysis.kind == "rewriting" and WORD.findall(answer) != WORD.findall(material):
        return None  # capitals may be all that was wanted
    if _asks_to_repeat(prompt) or (analysis.kind == "rewriting" and _CORRECTS.search(prompt)):
        return None
    return _echo(0.6, "the answer is the text that was given")


def _reworded(prompt: str, answer: str, material: str, analysis: Analysis) -> Reason | None:
    """Hardly a word that the request did not have, where an answer must bring some."""
    if analysis.kind in ("rewriting", "translation", "extraction", "summarization") or "```" in answer:
        return None
    said, asked = stems(answer[:5_000]), stems(prompt[:5_000])
    told = _TELLS_BACK.match(answer) is not None
    if (
        len(said) < 3
        or len(asked) < 3
        or _asks_to_repeat(prompt)
        or ((material or analysis.kind == "conversation") and not told)
    ):
        return None
    if any(char.isdigit() and char not in prompt for char in answer):
        return None
    if not told and (
        analysis.kind in ("classification", "math") or _CHOICE.search(prompt) or _AFTER_PREMISES.search(prompt[:5_000])
    ):
        return None  # a choice, or a yes in full, repeats the question
    new, kept = len(_news(prompt, answer)) / len(said), len(said & asked) / len(asked)
    if new <= (0.2 if told else 0.1) and kept >= (0.4 if told else 0.6):
        return _echo(0.6, "says little that the request did not")
    return None


def _nearly(said: list[str], asked: list[str]) -> bool:
    """The same words at the same places, but for one in ten."""
    if len(asked) < 8 or len(said) != len(asked):
        return False
    return sum(one == other for one, other in zip(said, asked, strict=True)) >= 0.9 * len(asked)


def _news(prompt: str, answer: str) -> set[str]:
    """What the answer speaks of and the request does not, words on asking left out."""
    return stems(answer[:5_000]) - stems(prompt[:5_000]) - _ON_ASKING


def _is_question(prompt: str) -> bool:
    return "?" in prompt or bool(_ASKING.match(prompt))


def _overlap(wanted: list[str], said: list[str], asked: list[str]) -> tuple[float, float]:
    """The share of the instruction that the answer takes over, and that of the answer which is not the request's."""
    runs_said, runs_asked = _runs(said), _runs(asked)
    taken = sum(run in runs_said for run in _grams(wanted)) / max(1, len(wanted) - _RUN + 1)
    if len(said) < _RUN:
        return taken, 1.0
    covered = [False] * len(said)
    for place, run in enumerate(_grams(said)):
        if run in runs_asked:
            covered[place : place + _RUN] = [True] * _RUN
    return taken, covered.count(False) / len(said)


def _runs(tokens: list[str]) -> set[tuple[str, ...]]:
    return set(_grams(tokens))


def _grams(tokens: list[str]) -> list[tuple[str, ...]]:
    return [tuple(tokens[start : start + _RUN]) for start in range(len(tokens) - _RUN + 1)]


def _asks_to_repeat(prompt: str) -> bool:
    return bool(
        re.search(
            r"\b(repeat|echo|say|copy|recite|repite|repita|di|copia|escribe exactamente|write exactly|(?:reply"
            r"|respond|answer) (?:only )?with|responde (?:s[oó]lo )?con)\b",
            prompt,
            re.I,
        )
    )


def _echo(weight: float, evidence: str = "the answer repeats the request") -> Reason:
    return Reason(name="echo", evidence=evidence, weight=weight)
