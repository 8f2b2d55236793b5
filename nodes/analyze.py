"""The task analyzer: what kind of request this is, in which language, and what it needs. Asks no model by itself."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import (
    BaseMessage,
    HumanMessage,
    MessageLikeRepresentation,
    SystemMessage,
    convert_to_messages,
)
from langgraph.constants import TAG_NOSTREAM
from langgraph.runtime import Runtime
from pydantic import BaseModel, ConfigDict, ValidationError

from nodes.kinds.classifier import rank_kinds
from nodes.kinds.parts import take_apart
from nodes.language import detect
from nodes.tools.choose import plain
from nodes.tools.cues import CALLED_FOR
from state.context import Context
from state.errors import BadRequest, Unavailable
from state.models import Sampling
from state.ports import ChatModels
from state.run import RunState
from state.tasks import Analysis, Kind, Need, Turn

log = logging.getLogger(__name__)

MAX_CHARS = 6_000
"""Requests say what they want at the start or the end; the middle of a longer one is its material."""
LONG_CHARS = 6_000
UNSURE = 0.45
"""Below this confidence a model is asked, if one is named: of such requests the classifier gets half wrong."""
SECOND = 0.1
"""A second kind that is less likely is not told."""

_JSON = re.compile(r"\bjson\b", re.IGNORECASE)
_HARD = re.compile(
    r"\b(step by step|paso a paso|detailed|detallad[oa]|compare|compara|prove|demuestra|design|diseña)\b", re.I
)
_FOLLOW_UP = re.compile(
    r"\W{0,5}(?:and|or|now|then|also|again|same|instead|what about|how about|another|but|"
    r"y|e|o|ahora|luego|también|tambien|otra vez|otro|otra|lo mismo|pero)\b",
    re.IGNORECASE,
)
_ASK = (
    "Say what kind of task the user's request is. Do not carry it out. Kinds: code, math, reasoning, summarization, "
    "translation, extraction, classification, creative_writing, question_answering, rewriting (changing a given text), "
    "conversation (small talk), other (a command to a device, or noise)."
)


Earlier = Turn | MessageLikeRepresentation
"""One thing of a history, as users of `analyze` have it. A bare text is a request."""


class AskedKind(BaseModel):
    """The kind of a request."""

    model_config = ConfigDict(extra="ignore")

    kind: Kind


def analyze(prompt: str, history: Sequence[Earlier] | None = None) -> Analysis:
    """What a request asks for. Deterministic; never raises, whatever the text.

    `history` settles what the prompt alone leaves open: the language, and the kind of "And 5 more?", are those of the
    turn before. Besides turns (or dicts of their fields) it may hold requests as texts, and messages: LangChain's,
    `(role, text)`, or dicts with "role" and "content". Raises BadRequest for anything else.
    """
    if not isinstance(prompt, str):
        raise BadRequest(f"the prompt must be a text, not {type(prompt).__name__}")
    text, earlier = _bounded(prompt), last_request(history or ())
    first, second = rank_kinds(text)[:2]
    kind, second_kind, confidence = first.kind, second.kind, first.probability
    if earlier and confidence < 0.85 and len(text.split()) <= 7 and _FOLLOW_UP.match(text):
        before = rank_kinds(earlier)[0]
        if before.probability > confidence and before.kind != kind:
            kind, second_kind, confidence = before.kind, kind, before.probability * 0.8
    analysis = Analysis(
        kind=kind,
        second_kind=second_kind if second.probability >= SECOND or kind != first.kind else None,
        confidence=round(confidence, 3),
        language=_language(text, earlier),
        complexity=_complexity(prompt, text),
    )
    return analysis.model_copy(update={"needs": _needs(prompt, text, analysis)})


async def analyze_task(
    state: RunState, runtime: Runtime[Context], *, models: ChatModels | None = None
) -> dict[str, object]:
    """Reads `task`; writes `analysis`. Asks `Context.analyst` for the kind when the classifier is unsure.

    Raises NotFound when there is no model of that name.
    """
    assert state.task is not None, "read_history runs first"
    # The first call reads the weights, and a hostile text takes some milliseconds.
    analysis = await asyncio.to_thread(analyze, state.task.prompt, state.task.history)
    analyst = runtime.context.analyst if runtime.context else None
    if analyst is not None and models is not None and analysis.confidence < UNSURE:
        kind = await ask_kind(models, analyst, state.task.prompt)
        if kind is not None and kind != analysis.kind:
            analysis = analysis.model_copy(update={"kind": kind, "second_kind": analysis.kind})
            needs = _needs(state.task.prompt, _bounded(state.task.prompt), analysis)
            analysis = analysis.model_copy(update={"needs": needs})
    return {"analysis": analysis}


async def ask_kind(models: ChatModels, analyst: str, prompt: str) -> Kind | None:
    """The kind that a model says, or None for an answer that is none, or no answer. Raises NotFound."""
    chat = models.chat(analyst, sampling=Sampling(temperature=0.0))
    messages = [SystemMessage(_ASK), HumanMessage(f"The request:\n{prompt[: MAX_CHARS // 4]}")]
    try:
        asked = await chat.with_structured_output(AskedKind).ainvoke(messages, {"tags": [TAG_NOSTREAM]})
    except (Unavailable, BadRequest, OutputParserException, ValidationError) as error:
        log.warning("the analyst %s said no kind: %s", analyst, " ".join(str(error).split())[:200])
        return None
    return asked.kind if isinstance(asked, AskedKind) else None


def last_request(history: Sequence[Earlier]) -> str:
    """What the user asked last before this request; empty where there is nothing. Raises BadRequest."""
    if isinstance(history, str | bytes | Mapping) or not isinstance(history, Sequence):
        raise BadRequest(f"history must be a list of turns, messages or texts, not {type(history).__name__}")
    for each in reversed(history):
        if isinstance(each, Turn):
            return each.request
        if isinstance(each, str):
            return each
        if isinstance(each, Mapping) and isinstance(each.get("request"), str):
            return str(each["request"])
        message = _message(each)
        if isinstance(message, HumanMessage):
            return message.text
    return ""


def _message(given: object) -> BaseMessage:
    try:
        return convert_to_messages([given])[0]  # type: ignore[list-item]  # whatever it is: it says so
    except (ValueError, TypeError, KeyError, NotImplementedError, AttributeError) as error:
        known = 'Turn, a text, a message, (role, text) or {"role": …, "content": …}'
        raise BadRequest(f"history holds a {type(given).__name__} that is none of: {known}") from error


def _bounded(prompt: str) -> str:
    return prompt if len(prompt) <= MAX_CHARS else prompt[: MAX_CHARS // 2] + "\n" + prompt[-MAX_CHARS // 2 :]


def _language(text: str, earlier: str) -> str:
    """That of the sentences that ask, as the text to translate may be in another; if they do not tell, of the whole."""
    language, confidence = detect(take_apart(text).asked)
    if confidence < 0.2:
        language, confidence = detect(text)
    if confidence < 0.2 and earlier:
        before, sure = detect(earlier)
        if sure > confidence:
            return before
    return language


def _complexity(prompt: str, text: str) -> Literal["low", "medium", "high"]:
    """By length and by words that ask for thought; `text` is the bounded prompt."""
    words, hard = len(text.split()), _HARD.search(text) is not None
    if len(prompt) > LONG_CHARS or words > 200 or (hard and words > 30):
        return "high"
    return "medium" if words > 40 or hard or text.count("?") > 2 else "low"


def _needs(prompt: str, text: str, analysis: Analysis) -> tuple[Need, ...]:
    small = plain(text)
    wanted: dict[Need, bool] = {
        "tools": analysis.kind == "math" or any(calls_for(small, analysis) for calls_for in CALLED_FOR.values()),
        "code": analysis.kind == "code",
        "json": analysis.kind != "code" and _JSON.search(text) is not None,
        "long_context": len(prompt) > LONG_CHARS,
    }
    return tuple(need for need, needed in wanted.items() if needed)
