"""Shapes of the lab API: `/inference`, `/orchestrate`. Those of `/models` are in `models.py`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, JsonValue, model_validator

from server.run_request import MAX_PROMPT_CHARS, RunRequest
from state.models import CallMetrics, Strategy
from state.tasks import Result

Prompt = Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_CHARS)]


class ModelSettings(BaseModel):
    """Settings of one model call. Null says the same as leaving a field out."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = Field(None, description="catalogue name; left out, the default model")
    strategy: Strategy | None = Field(None, description="how its weights are loaded; left out, the device's default")
    max_tokens: int | None = Field(None, gt=0, description="tokens generated at most; left out, the model's own bound")
    temperature: float | None = Field(None, ge=0.0, le=2.0, description="0, the default, is greedy")
    seed: int | None = Field(None, ge=0, lt=2**63, description="fixes sampling")

    def said(self) -> dict[str, Any]:
        """The settings that were given, as `state.context.Context` takes them. A resumed run keeps the others."""
        return self.model_dump(include=set(settings_in(type(self))), exclude_none=True)


class RunSettings(ModelSettings):
    """Settings of one run of the orchestrator."""

    max_attempts: int | None = Field(None, ge=1, le=10, description="answers tried at most; default 3")
    min_score: float | None = Field(None, ge=0.0, le=1.0, description="an answer below it is tried again; default 0.6")
    approve: bool | None = Field(None, description="interrupt and ask a human when the score stays low")
    approve_tools: bool | None = Field(None, description="interrupt and ask a human before tools are called")
    approve_load_over: int | None = Field(
        None, ge=0, description="interrupt and ask a human before a model that takes more bytes is loaded"
    )
    analyst: str | None = Field(None, description="model asked for the kind of request when the classifier is unsure")
    judge: str | None = Field(None, description="model that scores answers with a rubric, beside the checks")
    tools: list[str] | None = Field(
        None, description="tools offered at most, none where it is empty; left out, those the request calls for"
    )
    max_tool_rounds: int | None = Field(
        None, ge=0, le=10, description="tool calls in a row within one attempt; default 3"
    )
    history_tokens: int | None = Field(None, ge=0, description="earlier turns and related runs sent at most")
    related_runs: int | None = Field(
        None, ge=0, le=20, description="earlier runs of other threads recalled at most; default 3"
    )


def settings_in(shape: type[BaseModel]) -> list[str]:
    """The fields of a body that are settings of its run."""
    return [name for name in shape.model_fields if name in RunSettings.model_fields]


_PARAMETERS: Any = Field(
    None,
    validation_alias=AliasChoices("parameters", "context"),
    description="the settings beside it, for clients that send them together; `context` is taken for it, too",
)


class _Request(ModelSettings):
    thread_id: UUID | None = Field(None, description="go on with this thread; left out, a new one is made")
    parameters: ModelSettings | None = _PARAMETERS

    def settings(self) -> dict[str, Any]:
        """Those given, in the one place or the other."""
        return {**self.said(), **(self.parameters.said() if self.parameters is not None else {})}

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        top = self.said()
        for name, value in (self.parameters.said() if self.parameters is not None else {}).items():
            if name in top and top[name] != value:
                raise ValueError(f"{name} is {top[name]!r}, and {value!r} under parameters; leave one of them out")
        return self


class InferenceRequest(_Request):
    """One call of one model."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"prompt": "What is 12 * 7?", "model": "demo", "max_tokens": 64, "temperature": 0.0}]
        }
    )

    prompt: Prompt

    def asked(self) -> RunRequest:
        """As it is run."""
        return RunRequest("direct", self.settings(), self.prompt, self.thread_id)


class OrchestrateRequest(RunSettings, _Request):
    """One run of the orchestrator: a prompt, or `resume` of a thread that was cut or waits for a human."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"prompt": "What is 12 * 7?", "max_attempts": 2}]})

    prompt: Prompt | None = None
    parameters: RunSettings | None = _PARAMETERS
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

    def asked(self) -> RunRequest:
        """As it is run."""
        return RunRequest(
            graph="orchestrator",
            context=self.settings(),
            prompt=self.prompt,
            thread_id=self.thread_id,
            resume=self.resume,
            decision=self.decision,
            interrupt_id=self.interrupt_id,
        )


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
