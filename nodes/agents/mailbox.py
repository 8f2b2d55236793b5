"""Messages between agents, as one agent sends and receives them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from state.agent_ports import MessageBus
from state.messages import AgentMessage


@dataclass(frozen=True)
class AgentMailbox:
    """The messages of one agent: it sends as itself, within its run, and receives what is sent to it."""

    bus: MessageBus
    agent_id: str
    execution_id: UUID | None = None

    async def send(self, to: str, payload: Mapping[str, Any], **told: Any) -> AgentMessage:
        """`told`: `topic`, `priority` (9 is received first), `metadata`. Raises QueueFull, NoDatabase."""
        message = self.message(to, payload, **told)
        await self.bus.send(message)
        return message

    async def ask(self, to: str, payload: Mapping[str, Any], timeout: float = 30.0, **told: Any) -> AgentMessage:
        """Send, and wait up to `timeout` seconds for the reply. Raises TimedOut, QueueFull."""
        return await self.bus.request(self.message(to, payload, **told), timeout)

    async def reply(self, message: AgentMessage, payload: Mapping[str, Any], **told: Any) -> AgentMessage:
        """Answer a message that was received."""
        return await self.send(message.from_agent, payload, reply_to=message.message_id, **told)

    async def receive(self, timeout: float = 5.0) -> AgentMessage | None:
        """Take the next message, the most urgent first; None when none comes within `timeout` seconds."""
        return await self.bus.receive(self.agent_id, timeout)

    async def broadcast(self, payload: Mapping[str, Any], to: Sequence[str] | None = None, **told: Any) -> list[bool]:
        """To these agents, by default to every other one; whose queue took it."""
        return await self.bus.broadcast(self.message("*", payload, **told), to)

    async def publish(self, topic: str, payload: Mapping[str, Any], **told: Any) -> int:
        """To those who subscribed to the topic; how many."""
        return await self.bus.publish(self.message("*", payload, topic=topic, **told))

    async def subscribe(self, *, topic: str | None = None, content: Mapping[str, Any] | None = None) -> None:
        """From now on, for all runs, until `unsubscribe`. Raises BadRequest when neither is given."""
        await self.bus.subscribe(self.agent_id, topic=topic, content=content)

    async def unsubscribe(self, *, topic: str | None = None) -> int:
        """From a topic, or from all; how many subscriptions ended."""
        return await self.bus.unsubscribe(self.agent_id, topic=topic)

    def message(self, to: str, payload: Mapping[str, Any], **told: Any) -> AgentMessage:
        """A message of this agent's. It is a new one each time: a step that runs again sends again."""
        return AgentMessage(
            message_id=uuid.uuid4(),
            execution_id=self.execution_id,
            from_agent=self.agent_id,
            to_agent=to,
            payload=dict(payload),
            timestamp=datetime.now(UTC),
            **told,
        )
