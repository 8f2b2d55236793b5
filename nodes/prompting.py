"""The words the executor sends: a system prompt by kind, earlier turns, the request, what was wrong last time."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage

from state.tasks import Analysis, Attempt, Decision, Kind, Task, Verdict

BASE = "You are a careful assistant. Answer in the language of the request."
BY_KIND: dict[Kind, str] = {
    "math": "Use the calculator tool for arithmetic.",
    "code": "Answer with code in one fenced block.",
    "translation": "Give the translation only.",
    "summarization": "Be shorter than the text.",
    "classification": "Answer with the label only.",
}
JSON_ONLY = "Answer with JSON only."

REJECTED = {
    "en": "Your last answer was rejected: {reasons}. Answer the request again.",
    "es": "Tu última respuesta fue rechazada: {reasons}. Responde otra vez a la petición.",
}
REASON_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "empty": "it is empty",
        "template_leak": "it shows control tokens",
        "echo": "it repeats the request",
        "repetition": "it repeats itself",
        "truncated": "it is cut off",
        "wrong_language": "it is in the wrong language",
        "refusal": "it does not answer",
        "malformed_json": "it is not valid JSON",
        "no_code": "it has no code",
        "malformed_code": "the code has a syntax error",
        "missing_name": "the requested name is missing",
        "wrong_arithmetic": "the arithmetic is wrong",
    },
    "es": {
        "empty": "está vacía",
        "template_leak": "muestra marcas de control",
        "echo": "repite la petición",
        "repetition": "se repite",
        "truncated": "está cortada",
        "wrong_language": "está en otro idioma",
        "refusal": "no responde",
        "malformed_json": "no es JSON válido",
        "no_code": "no tiene código",
        "malformed_code": "el código tiene un error de sintaxis",
        "missing_name": "falta el nombre pedido",
        "wrong_arithmetic": "el cálculo está mal",
    },
}


def system_prompt(analysis: Analysis) -> str:
    """The instruction for this kind of request, in one line."""
    parts = [BASE]
    if "json" in analysis.needs and analysis.kind != "code":
        parts.append(JSON_ONLY)
    elif analysis.kind in BY_KIND:
        parts.append(BY_KIND[analysis.kind])
    return " ".join(parts)


def feedback(verdict: Verdict | None, decision: Decision | None, language: str) -> str:
    """What was wrong with the last answer, said to the model in the request's language."""
    words = REASON_WORDS.get(language, REASON_WORDS["en"])
    reasons = [words.get(reason.name, reason.name) for reason in verdict.reasons] if verdict else []
    if decision is not None and decision.hint:
        reasons.append(decision.hint.rstrip("."))
    return REJECTED.get(language, REJECTED["en"]).format(reasons=", ".join(reasons) or "…")


def earlier_turns(task: Task) -> list[AnyMessage]:
    """The thread so far as messages, oldest first."""
    return [
        message
        for turn in task.history
        for message in (HumanMessage(content=turn.request), AIMessage(content=turn.answer))
    ]


def request_messages(
    task: Task,
    analysis: Analysis,
    attempts: Sequence[Attempt],
    verdicts: Sequence[Verdict],
    decision: Decision | None,
) -> list[AnyMessage]:
    """The request, followed on a retry by the last answer and what was wrong with it."""
    messages: list[AnyMessage] = [HumanMessage(content=task.prompt)]
    if attempts:
        last_verdict = verdicts[-1] if verdicts else None
        messages.append(AIMessage(content=attempts[-1].answer or "…"))
        messages.append(HumanMessage(content=feedback(last_verdict, decision, analysis.language)))
    return messages


def opening(analysis: Analysis) -> SystemMessage:
    """The system message of an attempt."""
    return SystemMessage(content=system_prompt(analysis))
