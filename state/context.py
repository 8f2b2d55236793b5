"""What one run may set. Plain JSON, frozen; who is asking comes from authentication, never from here."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from state.models import Strategy


class Context(BaseModel):
    """Settings of one run; every field has a default, so an empty context is a valid one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = Field(None, description="catalogue name; None lets the resource monitor choose")
    strategy: Strategy | None = Field(None, description="None takes the default of the device")
    max_attempts: int = Field(3, ge=1, le=10, description="answers tried at most, the first one included")
    max_tool_rounds: int = Field(3, ge=0, le=10, description="tool calls in a row within one attempt")
    min_score: float = Field(0.6, ge=0.0, le=1.0, description="an answer below it is tried again")
    approve: bool = Field(False, description="ask a human (interrupt) when the score stays low")
    approve_tools: bool = Field(False, description="ask a human before tools are called")
    approve_load_over: int | None = Field(
        None, ge=0, description="ask a human before a model that takes more bytes is loaded; None never asks"
    )
    analyst: str | None = Field(None, description="model asked for the kind of request when the classifier is unsure")
    judge: str | None = Field(None, description="model that scores answers with a rubric, beside the checks")
    tools: tuple[str, ...] | None = Field(None, description="tools offered at most; None: those the request calls for")
    history_tokens: int | None = Field(
        None, ge=0, description="earlier turns and related runs sent at most; None: what the model's window leaves"
    )
    related_runs: int = Field(3, ge=0, le=20, description="earlier runs of other threads recalled at most")
    temperature: float = Field(0.0, ge=0.0, le=2.0)
    max_tokens: int | None = Field(None, gt=0)
    seed: int | None = Field(None, ge=0, lt=2**63)
