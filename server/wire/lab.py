"""Shapes of the lab API: `/inference`, `/orchestrate`, `/health`. Those of `/models` are in `models.py`."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from server.runner import MAX_PROMPT_CHARS
from state.models import CallMetrics, Strategy
from state.resources import Reading
from state.tasks import Decision, Result

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
    resume: bool = False
    decision: Decision | None = Field(None, description="the human's answer, with `resume`")


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
