"""Classes derived from BaseAgent as kinds of agents: what a class has to be, and how one of it is asked."""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pydantic import ValidationError

from nodes.agents.asking import tools_named
from nodes.agents.base import AgentContext, BaseAgent
from nodes.agents.config import AgentConfig, config_of, read_config, shown
from nodes.agents.foreign import in_own_thread
from nodes.agents.plain import kept
from nodes.agents.usage import Usage, counted
from nodes.agents.words import one_line
from nodes.teams.texts import text_of
from state.agent_ports import Agent, AgentCall, AgentNeeds
from state.agents import AGENT_ID, AgentRecord, AgentReply, NewAgent
from state.flows import AgentSpec


@dataclass(frozen=True)
class PythonKind:
    """A class as a kind. Fills `state.agent_ports.AgentKind`."""

    name: str
    """The class's."""
    cls: type[BaseAgent]
    agent_id: str
    description: str
    capabilities: tuple[str, ...]
    source: str = ""
    """The file or the distribution it comes from."""

    def check(self, spec: AgentSpec) -> None:
        """Raises BadRequest where `timeout` or `attempts` are none; the rest is the agent's own."""
        read_config(AgentConfig, spec.config, spec.agent_id)

    def make(self, spec: AgentSpec, needs: AgentNeeds, record: AgentRecord | None = None) -> Agent:
        """Raises BadRequest as `check` does, and for tools that there are not."""
        self.check(spec)
        named = tools_named(spec.tools or tuple(self.cls.TOOLS), needs.tools, spec.agent_id)
        return PythonAgent(self, spec, needs, {tool.name: tool for tool in named})

    def record(self) -> NewAgent:
        """The agent that is registered for the class."""
        return NewAgent(
            agent_id=self.agent_id,
            name=self.name,
            description=self.description,
            agent_type="python",
            agent_class=self.name,
            capabilities=self.capabilities,
            metadata={"source": self.source} if self.source else {},
        )


@dataclass(frozen=True)
class PythonAgent:
    """One agent of such a class. Fills `state.agent_ports.Agent`."""

    kind: PythonKind
    spec: AgentSpec
    needs: AgentNeeds
    tools: dict[str, Any]

    async def process(self, call: AgentCall) -> AgentReply:
        """Run `execute`; what it raises passes. Raises AgentFailed for an answer that is no JSON."""
        # Its own copies: what it changes in them is no change of the run's state.
        call = replace(call, input=deepcopy(dict(call.input)))
        context = AgentContext(call, self.needs, deepcopy(config_of(self.spec, call)), self.tools)
        agent = self.kind.cls()
        with counted() as usage:
            if inspect.iscoroutinefunction(agent.execute):
                said = await agent.execute(call.input, context)
            else:
                work = partial(agent.execute, call.input, context)
                said = await in_own_thread(work, f"agent {call.agent_id} in step {call.step}")
                if inspect.isawaitable(said):  # a plain function that hands on what another one will answer
                    said = await said
        return reply_of(said, usage)


def reply_of(said: object, usage: Usage) -> AgentReply:
    """What `execute` returned as a reply; nothing is an empty text. Raises AgentFailed for what is no plain JSON.

    A reply of its own that counts no tokens and names no model has those of the models it asked.
    """
    if isinstance(said, AgentReply):
        reply = kept(said)
    else:
        plain = kept(AgentReply({"response": said or ""} if said is None or isinstance(said, str) else said, ""))
        reply = replace(plain, text=text_of(plain.output))
    if reply.input_tokens or reply.output_tokens:
        return reply
    return replace(
        reply,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        model=reply.model or usage.model,
    )


def kind_of_class(cls: type[BaseAgent], *, taken: Collection[str] = (), source: str = "") -> PythonKind:
    """The kind that a class makes. `taken`: names of other kinds, in any capitals.

    Raises ValueError that says what is wrong with the class and what would be right.
    """
    if cls.__name__.casefold() in {name.casefold() for name in taken}:
        raise ValueError(f"class {cls.__name__}: there is an agent class of that name already; give it another")
    agent_id = cls.NAME or cls.__name__
    if not isinstance(agent_id, str) or not re.fullmatch(AGENT_ID, agent_id):
        raise ValueError(f"class {cls.__name__}: NAME {agent_id!r}: letters, digits, _ - and . make an id, 64 at most")
    _check_execute(cls)
    _texts(cls, "TOOLS", cls.TOOLS)
    kind = PythonKind(
        name=cls.__name__,
        cls=cls,
        agent_id=agent_id,
        description=_description(cls),
        capabilities=tuple(dict.fromkeys(_texts(cls, "CAPABILITIES", cls.CAPABILITIES))),
        source=source,
    )
    try:
        kind.record()
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        where = f"{'.'.join(map(str, wrong['loc']))}: {shown(wrong['input'])}"
        raise ValueError(f"class {cls.__name__}: {where}: {wrong['msg']}") from error
    return kind


def _texts(cls: type[BaseAgent], name: str, said: object) -> tuple[str, ...]:
    if not isinstance(said, tuple | list):
        raise ValueError(f"class {cls.__name__}: {name} is a list of texts, such as ('counting',), not {said!r}")
    for text in said:
        if not isinstance(text, str) or not text.isprintable():  # Postgres takes no NUL
            raise ValueError(f"class {cls.__name__}: {name}: {text!r} is no text of one line")
    return tuple(said)


def _check_execute(cls: type[BaseAgent]) -> None:
    if cls.execute is BaseAgent.execute:
        raise ValueError(f"class {cls.__name__}: it has no execute(self, input, context)")
    try:
        inspect.signature(cls.execute).bind(None, None, None)
    except (TypeError, ValueError) as error:
        raise ValueError(f"class {cls.__name__}: execute takes (self, input, context): {error}") from error
    try:
        inspect.signature(cls).bind()
    except (TypeError, ValueError) as error:
        raise ValueError(f"class {cls.__name__}: it is made without arguments: {error}") from error


def _description(cls: type[BaseAgent]) -> str:
    doc = cls.__doc__  # not inspect.getdoc, which tells a base class's
    said = cls.DESCRIPTION or (inspect.cleandoc(doc).partition("\n")[0] if isinstance(doc, str) else "")
    return one_line(str(said), 2_000)
