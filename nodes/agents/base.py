"""Agents of your own in Python: a class in a file of the folder that LAB_AGENTS_DIR names, or in an installed package.

    from nodes.agents.base import AgentContext, BaseAgent

    class WordCounter(BaseAgent):
        \"\"\"Counts words.\"\"\"

        CAPABILITIES = ("counting",)

        async def execute(self, input, context: AgentContext):
            return {"response": f"{len(context.text.split())} words"}

That is all: at its next start (with LAB_AGENTS_RELOAD, a second later) the server registers the agent under the
class's name, crews call it by `agent_class: WordCounter`, flows by `agent_id: WordCounter` or `capability: counting`.
`execute` returns a text, an object of plain JSON, or an AgentReply. What it raises is the agent's failure, which is
tried again and then answered by another agent with the capability; `state.errors.BadRequest` says that trying again
is useless. A plain `def execute` may block; an `async def` that blocks holds up the whole server. Either may ask a
human by `langgraph.types.interrupt(question)`: the run stops, and `execute` begins anew when the answer is there.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar
from uuid import UUID

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool

from nodes.agents.asking import ModelConfig, choose, write_stream
from nodes.agents.config import read_config
from nodes.agents.mailbox import AgentMailbox
from nodes.agents.memory import AgentMemory
from nodes.agents.plain import plain_json
from nodes.teams.stored import StoredContext
from state.agent_ports import AgentCall, AgentNeeds, SharedContext
from state.agents import AgentReply
from state.errors import BadRequest

Said = str | Mapping[str, Any] | AgentReply | None
"""What `execute` may return."""


class BaseAgent:
    """Subclass it, name CAPABILITIES and write `execute`. Made anew, without arguments, for each call."""

    CAPABILITIES: ClassVar[Sequence[str]] = ()
    """What the agent can do, in words that flows look for."""
    NAME: ClassVar[str] = ""
    """The id it is registered under; the class's name where it is empty."""
    DESCRIPTION: ClassVar[str] = ""
    """One line; the first of the docstring where it is empty."""
    TOOLS: ClassVar[Sequence[str]] = ()
    """Tools of the lab that it uses, where a definition names no others."""

    def execute(self, input: Mapping[str, Any], context: AgentContext) -> Said | Awaitable[Said]:
        """Answer. `async def` or, for what blocks, plain `def`, which runs in a thread that a timeout cannot stop.

        `input`, the agent's own copy: in a crew `user_query` and `context`, in a flow the run's `input_data` or the
        answers of the steps before, by their ids; `context.text` is the same for reading.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class AgentContext:
    """What an agent has at hand during one call."""

    call: AgentCall
    needs: AgentNeeds
    config: Mapping[str, Any]
    """The definition's `config`, whatever is in it."""
    tools: Mapping[str, BaseTool] = field(default_factory=dict)
    """The tools that the definition, or else the class, names."""

    @property
    def text(self) -> str:
        """What is asked."""
        return self.call.text

    @property
    def agent_id(self) -> str:
        return self.call.agent_id

    @property
    def step(self) -> str:
        """The step of the crew or flow."""
        return self.call.step

    @property
    def execution_id(self) -> UUID | None:
        """The run; None outside of one."""
        return self.call.execution_id

    @property
    def attempt(self) -> int:
        """1 at first; the next one where this step was tried before."""
        return self.call.attempt

    def chat(self, model: str | None = None) -> BaseChatModel:
        """A chat model: this one, or what `config` and the run say. Its tokens are counted. Raises NotFound."""
        config = read_config(ModelConfig, self.config, self.agent_id)
        choice = choose(config, self.call.context, self.needs.models)
        return self.needs.models.chat(model or choice.model, strategy=choice.strategy, sampling=choice.sampling)

    @property
    def shared(self) -> SharedContext:
        """What the agents of the run share. Raises BadRequest outside of a crew or flow."""
        if self.call.shared is None:
            raise BadRequest(f"agent '{self.agent_id}': there is a shared context in crews and flows only")
        return self.call.shared

    @property
    def shared_store(self) -> StoredContext:
        """What the agents of this crew or flow share from run to run. Raises BadRequest where there is no store."""
        if self.call.memory is None or self.call.definition is None:
            raise BadRequest(f"agent '{self.agent_id}': crews and flows that run with a store share across runs only")
        return StoredContext(self.call.memory, self.call.definition, self.agent_id)

    @property
    def memory(self) -> AgentMemory:
        """This agent's own notes, kept from run to run. Raises BadRequest where there is no store."""
        if self.call.memory is None:
            raise BadRequest(f"agent '{self.agent_id}': there is no store to remember in")
        return AgentMemory(self.call.memory, self.agent_id)

    @cached_property
    def messages(self) -> AgentMailbox:
        """Messages to and from other agents. Raises BadRequest where there is no bus."""
        if self.call.messages is None:
            raise BadRequest(f"agent '{self.agent_id}': there are no messages here; a server delivers them")
        return AgentMailbox(self.call.messages, self.agent_id, self.execution_id)

    @cached_property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A log whose lines name the agent."""
        return _AgentLog(logging.getLogger(__name__), {"agent_id": self.agent_id})

    def stream(self, event: Mapping[str, Any]) -> None:
        """Plain JSON for whoever follows the run (stream mode `custom`). Raises AgentFailed for what is none."""
        write_stream({**plain_json(event, "the event"), "agent_id": self.agent_id, "step": self.step})


class _AgentLog(logging.LoggerAdapter[logging.Logger]):
    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return f"agent {(self.extra or {}).get('agent_id')}: {msg}", kwargs
