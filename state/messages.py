"""Messages between agents, and the reducer of the log of them that a checkpoint holds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from state.channels import as_typed

MAX_PRIORITY = 9
CLIENT = "client"
"""In `from_agent` and `to_agent`: whoever started the execution."""


class AgentMessage(BaseModel):
    """One message to one agent. A broadcast, and what is published to a topic, becomes one for each receiver."""

    model_config = ConfigDict(frozen=True)

    message_id: UUID
    execution_id: UUID | None = None
    """The run it belongs to."""
    from_agent: str
    to_agent: str
    payload: dict[str, Any] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)
    topic: str | None = None
    priority: int = Field(5, ge=0, le=MAX_PRIORITY)
    """9 is received first."""
    reply_to: UUID | None = None
    """The message that this one answers."""
    timestamp: datetime


def append_messages(kept: Sequence[AgentMessage], new: Sequence[AgentMessage] | None) -> list[AgentMessage]:
    """The log with what is new in it, each message once by its id; None empties it."""
    if new is None:
        return []
    known = {message.message_id for message in kept}
    told: list[AgentMessage] = as_typed("agent_messages", list[AgentMessage], new)
    return [*kept, *(message for message in told if message.message_id not in known)]
