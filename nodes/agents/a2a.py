"""Agents that speak A2A: found by the card at `{endpoint}/.well-known/agent-card.json`, asked by `message/send`.

The protocol is the official SDK's, an extra of this project (`agent-lab[a2a]`) which is imported when it is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from types import ModuleType
from typing import cast

import httpx
from pydantic import SecretStr

from nodes.agents.card import Card
from nodes.agents.remote import address_of, check_address, endpoint_of, key_text, timeout_of
from state.agent_ports import Agent, AgentCall, AgentNeeds
from state.agents import AgentRecord, AgentReply
from state.errors import BadRequest, TimedOut
from state.flows import AgentSpec

CARD_TIMEOUT_SEC = 10.0


@dataclass(frozen=True)
class A2AKind:
    """The kind `A2AAgent`."""

    name: str = "A2AAgent"
    description: str = "an agent that speaks the A2A protocol, found by its card"
    capabilities: tuple[str, ...] = ()

    def check(self, spec: AgentSpec) -> None:
        """Raises BadRequest: no agent_id and no endpoint, a URL that is none, the SDK is not installed."""
        check_address(spec)
        _installed()

    def make(self, spec: AgentSpec, needs: AgentNeeds, record: AgentRecord | None = None) -> Agent:
        """Raises BadRequest."""
        endpoint, key = address_of(spec, record)
        _installed()
        return A2AAgent(endpoint, _http(needs), needs.request_timeout_sec, key)


@dataclass(frozen=True)
class A2AAgent:
    """One agent's address, and how it is called."""

    endpoint: str
    http: Callable[[float], httpx.AsyncClient]
    request_timeout_sec: float
    key: str | None = field(default=None, repr=False)

    async def process(self, call: AgentCall) -> AgentReply:
        """Ask. Raises AgentFailed, TimedOut; BadRequest where the agent refuses what it was sent."""
        sdk = await _sdk()
        async with self.http(timeout_of(call.config, self.request_timeout_sec)) as client:
            return cast(AgentReply, await sdk.ask(client, self.endpoint, call, self.key))


async def card_of(endpoint: str, needs: AgentNeeds, api_key: SecretStr | None = None) -> Card:
    """The card of the agent at `endpoint`. Raises AgentFailed, TimedOut, BadRequest: none is there, or it is none."""
    sdk = await _sdk()
    try:
        async with asyncio.timeout(CARD_TIMEOUT_SEC), _http(needs)(CARD_TIMEOUT_SEC) as client:
            return cast(Card, await sdk.describe(client, endpoint_of(endpoint), key_text(api_key)))
    except TimeoutError as error:
        raise TimedOut(f"no card within {CARD_TIMEOUT_SEC:g} s") from error


def _http(needs: AgentNeeds) -> Callable[[float], httpx.AsyncClient]:
    if needs.http is None:
        raise BadRequest("agents over HTTP can be called on a server only")
    return needs.http


def _installed() -> None:
    if find_spec("a2a") is None:
        raise BadRequest("agents of class A2AAgent need the A2A SDK; pip install 'agent-lab[a2a]'")


async def _sdk() -> ModuleType:
    """The module over the SDK, whose import takes a quarter of a second the first time. Raises BadRequest."""
    _installed()
    return await asyncio.to_thread(_import)


def _import() -> ModuleType:
    # The one lazy import: without the extra, all other kinds of agents work.
    from nodes.agents import a2a_sdk  # noqa: PLC0415

    return a2a_sdk
