"""What an agent's `config` may say, read strictly: a number is a number, and what is wrong is told with its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from state.agent_ports import AgentCall
from state.errors import BadRequest
from state.flows import AgentSpec


class AgentConfig(BaseModel):
    """What every kind's configuration may hold. Other keys are the agent's own and travel to it unread."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)

    prompt: str | None = Field(None, max_length=20_000, description="template of what is asked; filled in by the step")
    timeout: float | None = Field(None, gt=0.0, description="seconds for one call")
    attempts: int = Field(3, ge=1, le=10, description="calls, the first included")


Config = TypeVar("Config", bound=BaseModel)


def read_config(model: type[Config], config: Mapping[str, Any], agent_id: str) -> Config:
    """A configuration as `model` has it. Raises BadRequest that names the agent and the field."""
    try:
        return model.model_validate(dict(config))
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in ("config", *wrong["loc"]))
        raise BadRequest(f"agent '{agent_id}': {where}: {wrong['msg']}, not {shown(wrong['input'])}") from error


def config_of(spec: AgentSpec, call: AgentCall) -> dict[str, Any]:
    """The agent's configuration, and over it what its step says, with the templates filled in."""
    return {**spec.config, **call.config}


def shown(value: object) -> str:
    """A value in a message: short, in one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:59]}…"
