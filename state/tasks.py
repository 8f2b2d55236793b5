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
Remedy = Literal[
    "none",
    "say_the_reason",
    "lower_temperature",
    "raise_temperature",
    "more_tokens",
    "add_tools",
    "stricter_format",
    "other_model",
    "other_strategy",
    "split_task",
]
"""What a retry changes. `none` is the first attempt's."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Turn(_Value):
    """One earlier exchange of the thread, in plain text."""

    request: str
    answer: str


class Related(_Value):
    """An earlier run, of any thread, whose request is near to this one's."""

    run_id: str
    request: str
    answer: str
    similarity: float = Field(ge=-1.0, le=1.0, description="cosine of the two requests' embeddings")


class Task(_Value):
    """The request being served: the thread's last human message, the turns before it, and what was asked elsewhere."""

    prompt: str
    history: tuple[Turn, ...] = ()
    related: tuple[Related, ...] = ()


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
    load_bytes: int = Field(0, ge=0, description="memory that its load takes; 0 when it is loaded already, or remote")
    remedies: tuple[Remedy, ...] = ()
    parts: tuple[str, ...] = Field((), description="with `split_task`: the requests to answer one by one")
    notes: tuple[str, ...] = Field((), description="why this plan: downgrades, memory, what the retry changes")
    reading: Reading | None = None


class ToolUse(_Value):
    """One tool call of an attempt and what came back."""

    name: str
    arguments: dict[str, object]
    output: str
    failed: bool = False


class PluginUse(_Value):
    """What a plugin of the user's own did with the request."""

    name: str
    outcome: Literal["answered", "declined", "failed"]
    error: str | None = None


class Attempt(_Value):
    """One answer of the executor, or of a plugin, with what it cost."""

    number: int = Field(ge=1)
    model: str = Field(description="catalogue name; a plugin's own name, which no model has")
    strategy: Strategy | None = Field(None, description="None: a plugin answered, no model was loaded")
    answer: str
    finish_reason: str = "stop"
    sampling: Sampling = Field(
        default_factory=Sampling, description="as planned; the window may have left fewer tokens"
    )
    remedies: tuple[Remedy, ...] = Field((), description="what was different from the attempt before")
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
    hint: str | None = Field(None, description="what to do better, with `retry`; why, with `reject`")


class LoadDecision(_Value):
    """What a human answers when asked about an expensive load: `model` and `strategy` are what it is about.

    With `edit` they are the human's own choice, in the place of the planned one.
    """

    decision: Literal["approve", "edit", "reject"]
    model: str
    strategy: Strategy | None = Field(None, description="None: whichever strategy the resource monitor plans")
    message: str | None = Field(None, description="why, with `reject`")


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
