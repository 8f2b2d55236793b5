"""ChatAgent: a model with a role, its tools in a ReAct loop, and on request a memory of what it said before."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AnyMessage
from langchain_core.tools import BaseTool
from pydantic import Field

from nodes.agents.asking import Choice, ModelConfig, choose, compose, tell_model, tokens_of, tools_named
from nodes.agents.config import config_of, read_config
from nodes.agents.memory import KEPT, Exchange, exchanges_of, keep_exchange
from nodes.agents.react import react
from nodes.analyze import analyze
from nodes.calling.forms import TAKE_FORMS
from nodes.calling.window import sendable
from nodes.tools.choose import choose_tools
from state.agent_ports import Agent, AgentCall, AgentNeeds
from state.agents import AgentRecord, AgentReply
from state.errors import BadRequest
from state.flows import AgentSpec
from state.ports import ChatModels
from state.tasks import Task

REMEMBERED = 5
"""Exchanges that an agent with `memory: true` is told."""

log = logging.getLogger(__name__)


class ChatConfig(ModelConfig):
    """`memory`: true, or how many exchanges; `max_turns`: rounds of tools before it has to answer.

    `pick_tools`: of its tools it is offered those that the request calls for, as small models drown in the others.
    `json`: true, or a JSON schema: the answer is held to an object while it is written, where the model can be, and
    stands in the output as `data`, too.
    """

    max_turns: int = Field(5, ge=1, le=50)
    memory: bool | int = Field(False, ge=0, le=KEPT)
    pick_tools: bool = False
    form: bool | dict[str, Any] = Field(False, alias="json")

    @property
    def remembered(self) -> int:
        """Exchanges that are told and kept."""
        return (REMEMBERED if self.memory else 0) if isinstance(self.memory, bool) else self.memory


class ChatKind:
    """The kind `ChatAgent`. Fills `state.agent_ports.AgentKind`."""

    name = "ChatAgent"
    description = "a chat model with a system prompt, tools (ReAct) and, with config.memory, what it said before"
    capabilities = ("conversation",)

    def check(self, spec: AgentSpec) -> None:
        """Raises BadRequest for settings of the wrong type, and for a form together with tools."""
        config = read_config(ChatConfig, spec.config, spec.agent_id)
        if config.form and spec.tools:
            raise BadRequest(
                f"agent '{spec.agent_id}': config.json is for agents without tools; it has {spec.tools[0]}"
            )

    def make(self, spec: AgentSpec, needs: AgentNeeds, record: AgentRecord | None = None) -> Agent:
        """Raises BadRequest as `check` does, and for tools that there are not."""
        self.check(spec)
        tools = tools_named(spec.tools, needs.tools, spec.agent_id)
        return ChatAgent(spec, needs.models, tools)


class ChatAgent:
    """One agent, ready to be asked. Fills `state.agent_ports.Agent`."""

    def __init__(self, spec: AgentSpec, models: ChatModels, tools: Sequence[BaseTool]) -> None:
        self._spec = spec
        self._models = models
        self._tools = list(tools)

    async def process(self, call: AgentCall) -> AgentReply:
        """Ask the model. Raises BadRequest, NotFound, ContextOverflow, AgentFailed, Unavailable.

        With tools it is a subgraph of the run: its steps are in the run's checkpoints, so that a run that goes on after
        a crash or an interrupt calls no finished tool again. A retry begins anew.
        """
        config = read_config(ChatConfig, config_of(self._spec, call), self._spec.agent_id)
        choice = choose(config, call.context, self._models)
        tools = await self._offered(call, config, choice)
        exchanges, key = [], key_of(call)
        if config.remembered and call.memory is not None:
            # But what this very step has said, before a crash: it would only say it again.
            exchanges = await exchanges_of(call.memory, call.agent_id, config.remembered, but=key)
        # Counting tokens may read a tokenizer's files.
        messages = await asyncio.to_thread(
            partial(compose, choice=choice, models=self._models, tools=tools),
            self._spec.system_prompt,
            exchanges,
            call.text,
        )
        tell_model(choice, self._models, step=call.step, agent_id=call.agent_id, attempt=call.attempt)
        if tools:
            said = await react(self._chat(choice), messages, tools, config.max_turns)
        else:
            said = [await self._plain(choice, messages, config.form)]
        text = said[-1].text.strip()
        if config.remembered and call.memory is not None:
            exchange = Exchange(request=call.text, answer=text, at=datetime.now(UTC).isoformat())
            await keep_exchange(call.memory, call.agent_id, key, exchange)
        read, written = tokens_of(said)
        return AgentReply(
            output=output_of(text, config.form), text=text, input_tokens=read, output_tokens=written, model=choice.model
        )

    async def _offered(self, call: AgentCall, config: ChatConfig, choice: Choice) -> list[BaseTool]:
        """The tools that the model is offered in this call."""
        if self._tools and "tools" not in self._models.card(choice.model).capabilities:
            log.warning("agent %s: the model %s calls no tools; it answers without", call.agent_id, choice.model)
            return []
        if self._tools and config.pick_tools:
            return await asyncio.to_thread(called_for, call.text, self._tools)
        return self._tools

    def _chat(self, choice: Choice) -> BaseChatModel:
        return self._models.chat(choice.model, strategy=choice.strategy, sampling=choice.sampling)

    async def _plain(self, choice: Choice, messages: list[AnyMessage], form: bool | dict[str, Any]) -> AnyMessage:
        """One call; held to JSON where that is asked for and the model's provider can do it."""
        chat = self._chat(choice)
        if not form or self._models.card(choice.model).provider not in TAKE_FORMS:
            return sendable(await chat.ainvoke(messages))
        return sendable(await chat.bind(response_format=response_format(form)).ainvoke(messages))


def called_for(text: str, tools: Sequence[BaseTool]) -> list[BaseTool]:
    """Of these tools those that a request calls for, as the orchestrator chooses them."""
    return list(choose_tools(Task(prompt=text), analyze(text, ()), tools, named=None))


def response_format(form: bool | dict[str, Any]) -> dict[str, Any]:
    """In OpenAI's words: any object, or one of a schema."""
    if isinstance(form, bool):
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": form}}


def output_of(text: str, form: bool | dict[str, Any]) -> dict[str, Any]:
    """The output; `data` is there where a form was asked for and the answer is JSON."""
    output: dict[str, Any] = {"response": text}
    if form:
        with suppress(orjson.JSONDecodeError):  # orjson: no NaN, no halves of pairs, no integers beyond 64 bits
            output["data"] = orjson.loads(text)
    return output


def key_of(call: AgentCall) -> str:
    """Of an exchange in the memory: the same when the step runs again with the same question, as after a crash."""
    asked = hashlib.sha256(call.text.encode("utf-8", "replace")).hexdigest()[:16]
    return f"{call.execution_id or uuid.uuid4()}:{call.step}:{asked}"
