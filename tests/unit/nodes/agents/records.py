"""Registered agents as tests need them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from state.agents import AgentRecord

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def agent(agent_id: str, *capabilities: str, **changes: Any) -> AgentRecord:
    """A healthy agent over HTTP; `changes` are fields of the record."""
    record = AgentRecord(
        agent_id=agent_id,
        name=agent_id.upper(),
        description="",
        agent_type="agent",
        agent_class="HttpAgent",
        endpoint=f"http://{agent_id}.example",
        capabilities=capabilities,
        config={},
        tools=(),
        system_prompt="",
        metadata={},
        origin="api",
        enabled=True,
        health="healthy",
        health_error=None,
        health_seconds=None,
        checked_at=None,
        heartbeat_at=None,
        message_count=0,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(record, **changes)
