"""Shapes of the lab API: `/inference`, `/orchestrate`, `/health`. Those of `/models` are in `models.py`."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from server.runner import MAX_PROMPT_CHARS
from state.models import CallMetrics, Strategy
from state.resources import Reading
from state.tasks import Result

Prompt = Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_CHARS)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")

    thread_id: UUID | None = Field(None, description="go on with this thread; left out, a new one is made")
    model: str | None = Field(None, description="catalogue name; left out, the default model")
    strategy: Strategy | None = None
    max_tokens: int | None = Field(None, gt=0)
    temperature: float = Field(0.0, ge=0.0, le=2.0)
    seed: int | None = Field(None, ge=0, lt=2**63)


class InferenceRequest(_Request):
    """One call of one model."""

    prompt: Prompt


class OrchestrateRequest(_Request):
    """One run of the orchestrator: a prompt, or `resume` of a thread that was cut or waits for a human."""

    prompt: Prompt | None = None
    max_attempts: int = Field(3, ge=1, le=10)
    min_score: float = Field(0.6, ge=0.0, le=1.0)
    approve: bool = Field(False, description="interrupt and ask a human when the score stays low")
    approve_tools: bool = Field(False, description="interrupt and ask a human before tools are called")
    approve_load_over: int | None = Field(
        None, ge=0, description="interrupt and ask a human before a model that takes more bytes is loaded"
    )
    analyst: str | None = Field(None, description="model asked for the kind of request when the classifier is unsure")
    judge: str | None = Field(None, description="model that scores answers with a rubric, beside the checks")
    tools: list[str] | None = Field(None, description="tools offered at most; left out, those the request calls for")
    max_tool_rounds: int = Field(3, ge=0, le=10, description="tool calls in a row within one attempt")
    history_tokens: int | None = Field(None, ge=0, description="earlier turns and related runs sent at most")
    related_runs: int = Field(3, ge=0, le=20, description="earlier runs of other threads recalled at most")
    resume: bool = Field(
        False, description="go on with the unfinished run of `thread_id`; settings left out, or null, stay as they were"
    )
    decision: JsonValue = Field(
        None,
        description="with `resume`, the human's answer to what the run asks: one of its `choices` as a bare word, an "
        "object with `decision` and `answer` | `args` | `model`, `strategy` | `hint`, or `decisions` as chat front "
        "ends for LangGraph send them, one for each of `action_requests`; any JSON where a plugin asks",
        examples=[
            "accept",
            {"decision": "edit", "answer": "It is 42."},
            {"decision": "edit", "model": "demo"},
            {"decisions": [{"type": "edit", "edited_action": {"name": "calculator", "args": {"expression": "6*7"}}}]},
        ],
    )
    interrupt_id: str | None = Field(None, description="which question `decision` answers, where several wait")


class InferenceResponse(BaseModel):
    output: str
    model: str
    strategy: str
    run_id: UUID
    thread_id: UUID
    metrics: CallMetrics


class OrchestrateResponse(Result):
    """The result, or what a human is asked."""

    run_id: UUID
    thread_id: UUID
    status: Literal["success"] = "success"


class InterruptResponse(BaseModel):
    run_id: UUID
    thread_id: UUID
    status: Literal["interrupted"] = "interrupted"
    interrupts: list[dict[str, object]]


class Health(BaseModel):
    status: Literal["ok", "degraded"]
    database: str
    memory: Reading
