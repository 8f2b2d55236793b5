"""What the tests of agents begin with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphs.services import lab_tools
from state.agent_ports import AgentCall, AgentNeeds
from state.flows import AgentSpec
from tests.fakes import FakeModels


def needs_of(models: FakeModels | None = None, **others: Any) -> AgentNeeds:
    return AgentNeeds(models=models or FakeModels(), tools={tool.name: tool for tool in lab_tools()}, **others)


def spec_of(agent_id: str = "ana", **others: Any) -> AgentSpec:
    return AgentSpec(agent_id=agent_id, **others)


def call_of(text: str = "What is 1 + 1?", given: Mapping[str, Any] | None = None, **others: Any) -> AgentCall:
    return AgentCall(
        **{"step": "ana", "agent_id": "ana", "text": text, "input": {"user_query": text} if given is None else given}
        | others
    )
