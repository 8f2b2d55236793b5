"""Crews of agents that do what a test says, built and run without a model or a server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from langchain_core.messages import AIMessage

from graphs.crews.build import build
from graphs.teams import TeamGraph
from state.agent_ports import Agent, AgentCall, AgentKind, AgentNeeds
from state.agents import AgentRecord, AgentReply
from state.errors import LabError
from state.flows import AgentSpec, CrewSpec
from state.messages import AgentMessage
from tests.fakes import FakeModels
from tests.unit.nodes.agents.records import agent

Act = str | Mapping[str, Any] | AgentReply | LabError | Callable[[AgentCall], Awaitable[AgentReply]]


def reply(text: str, **more: Any) -> AgentReply:
    return AgentReply(output={"response": text}, text=text, **more)


@dataclass
class Players:
    """A kind of agents, `Player`, that act in turn as `acts` says for their id, the last act again and again."""

    acts: Mapping[str, Sequence[Act]] = field(default_factory=dict)
    calls: list[AgentCall] = field(default_factory=list)
    name: str = "Player"
    description: str = "plays a part"
    capabilities: tuple[str, ...] = ()

    def check(self, spec: AgentSpec) -> None: ...

    def make(self, spec: AgentSpec, needs: AgentNeeds, record: AgentRecord | None = None) -> Agent:
        return Player(self)

    @property
    def asked(self) -> list[str]:
        return [call.agent_id for call in self.calls]

    def call(self, agent_id: str) -> AgentCall:
        """The last call of an agent."""
        return next(call for call in reversed(self.calls) if call.agent_id == agent_id)


@dataclass
class Player:
    kind: Players

    async def process(self, call: AgentCall) -> AgentReply:
        self.kind.calls.append(call)
        acts = self.kind.acts.get(call.agent_id, (f"<{call.agent_id}>",))
        act = acts[min(self.kind.asked.count(call.agent_id), len(acts)) - 1]
        match act:
            case str():
                return reply(act)
            case AgentReply():
                return act
            case Mapping():
                return AgentReply(output=act, text=str(act.get("response", "")))
            case LabError():
                raise act
        return await act(call)


@dataclass
class History:
    """As much of a message bus as graphs use; keeps what it was told."""

    recorded: list[AgentMessage] = field(default_factory=list)
    error: LabError | None = None

    def note(self, messages: Sequence[AgentMessage]) -> None:
        """Lost, as with a process: what is kept is what is recorded at the end."""

    async def record(self, messages: Sequence[AgentMessage]) -> None:
        if self.error is not None:
            raise self.error
        self.recorded += messages


@dataclass
class Directory:
    """Agents of the class Player that are registered, all healthy; none is the less busy one."""

    records: Sequence[AgentRecord]
    failures: list[str] = field(default_factory=list)

    async def get(self, agent_id: str) -> AgentRecord:
        return next(record for record in self.records if record.agent_id == agent_id)

    async def find(self, *, capability: str | None = None, endpoint: str | None = None) -> list[AgentRecord]:
        return [record for record in self.records if capability in record.capabilities]

    async def may_call(self, agent_id: str) -> None: ...

    async def succeeded(self, agent_id: str) -> None: ...

    async def gave_up(self, agent_id: str) -> None: ...

    async def failed(self, agent_id: str, error: str) -> None:
        self.failures.append(agent_id)


def registered(agent_id: str, *capabilities: str) -> AgentRecord:
    return agent(agent_id, *capabilities, name=agent_id.title(), agent_class="Player", endpoint=None)


def needs_for(players: Players, models: FakeModels | None = None, **more: Any) -> AgentNeeds:
    kinds: Mapping[str, AgentKind] = {"Player": players}
    return AgentNeeds(models=models or FakeModels(), kinds=lambda: kinds, **more)


def crew_of(mode: str, *agents: str | Mapping[str, Any], **more: Any) -> CrewSpec:
    """Agents by their ids, or as the definition has them; one attempt each where nothing else is said."""
    specs = [{"agent_id": one} if isinstance(one, str) else dict(one) for one in agents]
    made = [{"agent_class": "Player", "config": {"attempts": 1}, **spec} for spec in specs]
    return CrewSpec.model_validate({"crew_id": "crew", "execution_mode": mode, "agents": made, **more})


def graph_of(mode: str, players: Players, *agents: str | Mapping[str, Any], **more: Any) -> TeamGraph:
    models, messages = more.pop("models", None), more.pop("messages", None)
    return build(crew_of(mode, *agents, **more), needs_for(players, models, messages=messages))


async def run(graph: TeamGraph, query: str = "do it", run_id: UUID | None = None, **more: Any) -> dict[str, Any]:
    """All channels at the end of a run."""
    given: Any = {"query": query, **more}
    final: dict[str, Any] = await graph.compile().ainvoke(
        given, {"run_id": run_id or uuid4()}, output_keys=list(graph.channels)
    )
    return final


def choice(name: str, reason: str = "it is due") -> AIMessage:
    """What a model says that chooses the next agent."""
    call = {"name": "decision", "args": {"next": name, "reason": reason}, "id": f"choice {name}", "type": "tool_call"}
    return AIMessage(content="", tool_calls=[call])
