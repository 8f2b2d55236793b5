"""The values that the orchestrator's nodes hand to each other."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from state.models import CallMetrics, Sampling, Strategy
from state.resources import Reading

Kind = Literal[
    "code",
    "math",
    "reasoning",
    "summarization",
    "translation",
    "extraction",
    "classification",
    "creative_writing",
    "question_answering",
    "rewriting",
    "conversation",
    "other",
]
Need = Literal["tools", "code", "json", "long_context"]
Remedy = Literal["none", "say_the_reason", "vary_sampling", "more_tokens"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Turn(_Value):
    """One earlier exchange of the thread, in plain text."""

    request: str
    answer: str


class Task(_Value):
    """The request being served: the thread's last human message and the turns before it."""

    prompt: str
    history: tuple[Turn, ...] = ()


class Analysis(_Value):
    """What the request asks for."""

    kind: Kind
    second_kind: Kind | None = None
    confidence: float = Field(ge=0.0, le=1.0)
    language: str = Field(description="ISO 639-1 code; `und` when it cannot be told")
    complexity: Literal["low", "medium", "high"] = "low"
    needs: tuple[Need, ...] = ()


class Plan(_Value):
    """How the next attempt is made."""

    attempt: int = Field(ge=1)
    model: str
    strategy: Strategy
    sampling: Sampling
    remedies: tuple[Remedy, ...] = ()
    notes: tuple[str, ...] = Field((), description="why this plan: downgrades, memory, what the retry changes")
    reading: Reading | None = None


class ToolUse(_Value):
    """One tool call of an attempt and what came back."""

    name: str
    arguments: dict[str, object]
    output: str
    failed: bool = False


class Attempt(_Value):
    """One answer of the executor, with what it cost."""

    number: int = Field(ge=1)
    model: str
    strategy: Strategy
    answer: str
    finish_reason: str = "stop"
    tools: tuple[ToolUse, ...] = ()
    metrics: CallMetrics
    message_id: str | None = Field(None, description="id of the streamed message, so that clients match tokens to it")


class Reason(_Value):
    """One thing that is wrong with an answer, with the evidence."""

    name: str
    evidence: str = ""
    weight: float = Field(1.0, gt=0.0, le=1.0, description="how far it lowers the score; 1 makes the answer worthless")


class Verdict(_Value):
    """The validator's judgement of one attempt. `score` is 0..1, higher is better."""

    score: float = Field(ge=0.0, le=1.0)
    passed: bool
    reasons: tuple[Reason, ...] = ()


class Decision(_Value):
    """What a human answers when asked about a low score."""

    decision: Literal["accept", "edit", "retry", "reject"]
    answer: str | None = Field(None, description="the corrected answer, with `edit`")
    hint: str | None = Field(None, description="what to do better, with `retry`")


class Result(_Value):
    """What the orchestrator hands back: the best attempt and how it came about."""

    output: str
    score: float | None
    passed: bool
    attempts: int
    kind: Kind
    language: str
    reasons: tuple[Reason, ...] = ()
    metrics: CallMetrics
    decided_by: Literal["validator", "human", "nobody"] = "validator"
    summary: tuple[str, ...] = Field((), description="one line a node: what it did")
