"""What agents and their callers ask for; the server fills it in, tests hand in small classes that keep the promise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore

from state.agents import AgentRecord, AgentReply
from state.crew_run import CrewContext
from state.flows import AgentSpec
from state.messages import AgentMessage
from state.ports import ChatModels

Handler = Callable[[AgentMessage], Awaitable[None]]


class MessageBus(Protocol):
    """Messages of one tenant's agents: durable in Postgres, heard in every process."""

    async def send(self, message: AgentMessage) -> None:
        """Into the receiver's queue; when this returns, it is durable. Raises QueueFull, NoDatabase."""
        ...

    async def request(self, message: AgentMessage, timeout: float) -> AgentMessage:
        """Send and wait for the reply, a message whose `reply_to` is this one's id. Seconds. Raises TimedOut."""
        ...

    async def receive(self, agent_id: str, timeout: float = 5.0) -> AgentMessage | None:
        """Take the next message, the most urgent first, waiting for one up to `timeout` seconds."""
        ...

    async def broadcast(self, message: AgentMessage, to: Sequence[str] | None = None) -> list[bool]:
        """A copy to each of these, by default to every enabled agent but the sender; whose queue took it."""
        ...

    async def publish(self, message: AgentMessage) -> int:
        """To those who subscribed to `message.topic`, or to content that its payload contains. How many."""
        ...

    async def subscribe(
        self, agent_id: str, *, topic: str | None = None, content: Mapping[str, Any] | None = None
    ) -> None:
        """From now on, kept until `unsubscribe`. Raises BadRequest when neither is given."""
        ...

    async def unsubscribe(self, agent_id: str, *, topic: str | None = None) -> int:
        """From a topic, or from all; how many subscriptions ended."""
        ...

    def on(self, agent_id: str, handler: Handler) -> AbstractAsyncContextManager[None]:
        """While open, this process hands the agent's messages to `handler`, one after the other."""
        ...

    async def record(self, messages: Sequence[AgentMessage]) -> None:
        """Into the history alone: they were delivered by a graph's own edges. Once each, by id."""
        ...

    def note(self, messages: Sequence[AgentMessage]) -> None:
        """As `record`, without waiting for it. What a process had no time for is lost with it: record it again."""
        ...

    async def history(self, execution_id: UUID, limit: int = 100) -> list[AgentMessage]:
        """What was said in an execution, oldest first."""
        ...


class AgentDirectory(Protocol):
    """The registered agents of one tenant, as whoever calls them needs them."""

    async def get(self, agent_id: str) -> AgentRecord:
        """With its key. Raises NotFound, which names agents that there are."""
        ...

    async def find(self, *, capability: str | None = None, endpoint: str | None = None) -> list[AgentRecord]:
        """Those that are enabled, the least busy first; at an endpoint, behind them those that are switched off."""
        ...

    async def may_call(self, agent_id: str) -> None:
        """Ask the breaker. Half-open, it lets one caller try. Raises CircuitOpen."""
        ...

    async def succeeded(self, agent_id: str) -> None:
        """Close the breaker."""
        ...

    async def gave_up(self, agent_id: str) -> None:
        """A call that was let through ended without saying how the agent is: another caller may try."""
        ...

    async def failed(self, agent_id: str, error: str) -> None:
        """Count a failure; the breaker opens after the fifth in a row, and again when a trial fails."""
        ...


class CallLog(Protocol):
    """Calls of agents as they happen: what makes an agent busy, and what is kept of each call."""

    def begin(
        self,
        *,
        run_id: UUID | None,
        step: str,
        agent_id: str,
        agent_name: str,
        agent_class: str,
        attempt: int,
        registered: bool,
    ) -> UUID:
        """A call has begun. Returns at once; written soon, in batches.

        `registered`: of a registered agent. A crew's own may have the same id, and keeps nobody else busy.
        """
        ...

    def end(
        self,
        call_id: UUID,
        *,
        error: str | None = None,
        input_tokens: int = 0,
        output_tokens: int = 0,
    ) -> None:
        """It is over; `error` None: well."""
        ...


class ServedGraphs(Protocol):
    """Graphs and assistants of this server, to be run inside of another graph."""

    def open(self, name: str) -> AbstractAsyncContextManager[tuple[Pregel[Any, Any, Any, Any], RunnableConfig]]:
        """A graph by its name or an assistant by its id, with its configuration. Raises NotFound."""
        ...

    async def check(self, name: str) -> None:
        """Whether there is one to open; nothing is built. Raises NotFound with the names of the graphs."""
        ...


class SharedContext(Protocol):
    """What an agent of a crew sees of the others, within its run."""

    def get(self, key: str, default: Any = None, *, private: bool = False) -> Any:
        """A value that all see, or (`private`) one of the agent's own."""
        ...

    def set(self, key: str, value: Any, *, private: bool = False) -> None:
        """Plain JSON. Others of this run see it at once; it is kept with the step's checkpoint. Raises BadRequest."""
        ...

    def delete(self, key: str, *, private: bool = False) -> None: ...

    def values(self, *, private: bool = False) -> Mapping[str, Any]: ...

    def history(self, key: str, *, private: bool = False) -> Sequence[Any]:
        """SharedChange, oldest first."""
        ...

    def watch(self, key: str | None = None) -> AsyncIterator[Any]:
        """SharedChange of the global namespace as they come, of one key or of all, until closed."""
        ...


@dataclass(frozen=True)
class AgentCall:
    """One turn of one agent."""

    step: str
    agent_id: str
    text: str
    """What is asked, for agents that read."""
    input: Mapping[str, Any]
    """The same for agents that are sent JSON: the seed's `input`."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The definition's, which travels to the agent; `timeout` in seconds."""
    execution_id: UUID | None = None
    thread_id: str | None = None
    attempt: int = 1
    context: CrewContext = field(default_factory=CrewContext)
    shared: SharedContext | None = None
    messages: MessageBus | None = None
    memory: BaseStore | None = None
    """The run's store; an agent's own namespace in it is `("agents", agent_id)`."""
    definition: tuple[str, str] | None = None
    """`crew` or `flow`, and its id: whose shared context across runs the agent sees."""
    choices: tuple[str, ...] = ()
    """In an adaptive crew: the agents that may be named as the next."""


class Agent(Protocol):
    """An agent that is ready to be asked. Every kind is one."""

    async def process(self, call: AgentCall) -> AgentReply:
        """Answer. Raises BadRequest for what cannot be answered so, Unavailable for what may be tried again."""
        ...


class AgentKind(Protocol):
    """A kind of agent, by the name that definitions call its class."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str:
        """One line."""
        ...

    @property
    def capabilities(self) -> tuple[str, ...]: ...

    def check(self, spec: AgentSpec) -> None:
        """Refuse a configuration that cannot work; nothing is opened. Raises BadRequest that names the field."""
        ...

    def make(self, spec: AgentSpec, needs: AgentNeeds, record: AgentRecord | None = None) -> Agent:
        """An agent of this kind; cheap. `record`: the registered agent that it is, if it is one. Raises as `check`."""
        ...


@dataclass(frozen=True)
class AgentNeeds:
    """What agents and the steps that call them are built over; the parts that only a server has may be None."""

    models: ChatModels
    tools: Mapping[str, BaseTool] = field(default_factory=dict)
    kinds: Callable[[], Mapping[str, AgentKind]] = dict
    """By name. Called at each use: a folder may have changed since (LAB_AGENTS_RELOAD)."""
    directory: AgentDirectory | None = None
    messages: MessageBus | None = None
    calls: CallLog | None = None
    graphs: ServedGraphs | None = None
    http: Callable[[float], Any] | None = None
    """An httpx.AsyncClient with this timeout in seconds that reaches only addresses the operator allows, follows no
    redirects and reads no more than a few megabytes of an answer."""
    request_timeout_sec: float = 300.0
