"""Messages of one tenant's agents: what `state.agent_ports.MessageBus` promises, over Postgres."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from server.background import running
from server.db.messages import Messages
from server.messages.envelope import check_name, check_topic, copies_of, for_history, json_text, outgoing
from server.messages.figures import Figures
from server.messages.post import Post
from state.agent_ports import Handler
from state.errors import BadRequest, LabError, QueueFull
from state.messages import AgentMessage

MAX_WAIT_SEC = 86_400.0
MAX_HISTORY = 1_000
HANDLER_PAUSE_SEC = 1.0
"""After a failure to receive, before the next try."""

log = logging.getLogger(__name__)


class Bus:
    """Cheap: any number may share a Post. Raises NoDatabase everywhere."""

    def __init__(self, post: Post, messages: Messages, tenant: str) -> None:
        self._post, self._messages, self._tenant = post, messages, tenant

    @property
    def figures(self) -> Figures:
        """Of this process."""
        return self._post.figures

    async def send(self, message: AgentMessage) -> None:
        """Into the receiver's queue, or to whoever waits for it here; when this returns, it is durable.

        Sent twice under one id, it is stored once. Raises QueueFull, NotFound for an execution that there is not,
        BadRequest for names and contents that cannot be kept.
        """
        await self._post.send(outgoing(self._tenant, message, time.monotonic()))

    async def request(self, message: AgentMessage, timeout: float) -> AgentMessage:
        """Send and wait for the reply. A reply that comes later goes into the queue of who asked.

        Raises as `send`, TimedOut, Conflict.
        """
        envelope = outgoing(self._tenant, message, time.monotonic(), awaited=True)
        return await self._post.request(envelope, _seconds(timeout))

    async def receive(self, agent_id: str, timeout: float = 5.0) -> AgentMessage | None:
        """Take the next message, the most urgent first; with a timeout of 0 only one that is there already."""
        check_name("agent_id", agent_id)
        return await self._post.receive(self._tenant, agent_id, _seconds(timeout))

    async def broadcast(self, message: AgentMessage, to: Sequence[str] | None = None) -> list[bool]:
        """A copy to each, in the order of `to` or of the agents' ids; `to_agent` of `message` is not looked at.

        False where the queue is full. Raises NotFound, BadRequest.
        """
        check_name("from_agent", message.from_agent)
        receivers = await self._messages.everybody(self._tenant, message.from_agent) if to is None else to
        took = await self._copy(message, receivers)
        return [took[one] for one in receivers]

    async def publish(self, message: AgentMessage) -> int:
        """To its subscribers but the sender; how many queues took it. Raises NotFound, BadRequest."""
        check_name("from_agent", message.from_agent)
        if message.topic is not None:
            check_topic(message.topic)
        payload = json_text("the payload", message.payload)
        receivers = await self._messages.subscribers(self._tenant, message, payload)
        return sum((await self._copy(message, receivers)).values())

    async def subscribe(
        self, agent_id: str, *, topic: str | None = None, content: Mapping[str, Any] | None = None
    ) -> None:
        """To a topic, to content that a payload contains (as jsonb's `@>` has it), or to that content in that topic.

        Raises BadRequest.
        """
        check_name("agent_id", agent_id)
        if topic is None and content is None:
            raise BadRequest("a subscription names a topic, content, or both")
        if topic is not None:
            check_topic(topic)
        text = None if content is None else json_text("the content", dict(content))
        await self._messages.subscribe(self._tenant, agent_id, topic, text)

    async def unsubscribe(self, agent_id: str, *, topic: str | None = None) -> int:
        check_name("agent_id", agent_id)
        if topic is not None:
            check_topic(topic)
        return await self._messages.unsubscribe(self._tenant, agent_id, topic)

    @asynccontextmanager
    async def on(self, agent_id: str, handler: Handler) -> AsyncIterator[None]:
        """While open, hand the agent's messages to `handler`, one after the other, each in the same task.

        What a handler raises is logged, and the message counts as delivered; closing cancels the one at work.
        """
        check_name("agent_id", agent_id)
        async with running(self._serve(agent_id, handler), f"messages of {agent_id}"):
            yield

    async def record(self, messages: Sequence[AgentMessage]) -> None:
        """Into the history, once each by id. What cannot be kept is told as left out; those of an execution that is
        gone are dropped."""
        now = time.monotonic()
        await asyncio.gather(*(self._post.record(for_history(self._tenant, one, now)) for one in messages))

    def note(self, messages: Sequence[AgentMessage]) -> None:
        """As `record`, soon; what cannot be kept is told in the log."""
        now = time.monotonic()
        for one in messages:
            self._post.note(for_history(self._tenant, one, now))

    async def history(self, execution_id: UUID, limit: int = 100) -> list[AgentMessage]:
        """The newest of what was said in an execution, oldest first. Raises NotFound, BadRequest."""
        if not 0 < limit <= MAX_HISTORY:
            raise BadRequest(f"limit is between 1 and {MAX_HISTORY:,}; got {limit}")
        return await self._messages.history(self._tenant, execution_id, limit)

    async def depths(self) -> dict[str, int]:
        """How many messages wait for whom: the longest queues."""
        return await self._messages.depths(self._tenant)

    async def _copy(self, message: AgentMessage, receivers: Sequence[str]) -> dict[str, bool]:
        """To each once; whose queue took it. Done again, the copies are the same: their ids follow from the
        message's."""
        copies = copies_of(self._tenant, message, receivers, time.monotonic())
        outcomes = await asyncio.gather(*map(self._post.send, copies.values()), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, QueueFull):
                raise outcome
        return {one: outcome is None for one, outcome in zip(copies, outcomes, strict=True)}

    async def _serve(self, agent_id: str, handler: Handler) -> None:
        while True:
            try:
                message = await self.receive(agent_id, MAX_WAIT_SEC)
            except LabError as error:
                log.warning("messages of %s are not received: %s", agent_id, error)
                await asyncio.sleep(HANDLER_PAUSE_SEC)
                continue
            if message is None:
                continue
            try:
                await handler(message)
            except (Exception, asyncio.CancelledError):  # somebody else's code
                if _is_cancelled():
                    raise
                log.exception("the handler of agent %s failed on message %s", agent_id, message.message_id)


def _is_cancelled() -> bool:
    """Whether this task is, rather than something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _seconds(timeout: float) -> float:
    if not timeout >= 0:  # neither is NaN
        raise BadRequest(f"a timeout is 0 seconds or more; got {timeout}")
    return min(timeout, MAX_WAIT_SEC)
