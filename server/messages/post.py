"""One process's post office: hands messages over in memory where somebody waits, else through Postgres."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

from server.background import running
from server.db.messages import Claimed, Messages
from server.db.notices import MESSAGES, open_notices
from server.messages.envelope import Envelope
from server.messages.figures import Figures
from server.messages.mailbox import Mailbox
from server.messages.word import Arrival, heard
from server.messages.writer import Writer
from state.errors import Conflict, NoDatabase, QueueFull, TimedOut
from state.messages import AgentMessage

LOOK_SECONDS = 1.0
"""How often receivers look by themselves; a notice makes them look at once."""
KEEP_SECONDS = 60.0
"""How long a mailbox that nobody waits at is looked after: who comes back in time need not ask Postgres first, and is
handed the next message at once."""
MOST_EXECUTIONS = 1_000

log = logging.getLogger(__name__)


class Post:
    """For all tenants. Use `open_messages`.

    A message goes to exactly one receiver of its agent. Once claimed it is delivered: a process that dies right then
    has had it (at most once after the claim; until then it waits through every crash). One that is handed over in
    memory is on its way to Postgres at that moment: if that fails, its sender is told so, though it was heard.
    """

    def __init__(self, messages: Messages, bound: int) -> None:
        """`bound`: messages that may wait for one agent."""
        self.figures = Figures()
        self._messages = messages
        self._process = uuid4().hex
        self._writer = Writer(messages, bound, self._process, self._arrived)
        self._boxes: dict[Arrival, Mailbox] = {}
        # Executions that messages were stored for, the newest last.
        self._executions: dict[tuple[str, UUID], None] = {}

    async def send(self, envelope: Envelope) -> None:
        """Raises QueueFull, NotFound, BadRequest, NoDatabase."""
        said = envelope.message
        try:
            await self._dispatch(envelope)
        except QueueFull:
            self.figures.count(self.figures.refused, said.to_agent)
            raise
        self.figures.count(self.figures.sent, said.from_agent)
        if said.execution_id is not None:
            self._remember(envelope.tenant, said.execution_id)

    async def record(self, envelope: Envelope) -> None:
        """Into the history alone. Raises NoDatabase."""
        await self._writer.put(envelope)

    def note(self, envelope: Envelope) -> None:
        """Into the history alone, soon."""
        self._writer.put(envelope).add_done_callback(_told)

    async def receive(self, tenant: str, agent_id: str, timeout: float) -> AgentMessage | None:
        """Raises NoDatabase."""
        key = (tenant, agent_id)
        box = self._box(key)
        return await self._wait(key, box, box.enter(), timeout)

    async def request(self, envelope: Envelope, timeout: float) -> AgentMessage:
        """Send and wait for the reply. Raises as `send`, TimedOut, Conflict for an id that is waited for already."""
        asked = envelope.message
        key = (envelope.tenant, asked.message_id)
        if key in self._boxes:
            raise Conflict(
                f"the reply to message {asked.message_id} is waited for already; give each message its own id"
            )
        deadline = time.monotonic() + timeout
        # Nobody can have answered yet, and who answers before the request is written finds somebody who waits.
        box = self._boxes[key] = Mailbox(empty=True, asker=asked.from_agent)
        waiter = box.enter()
        reply = None
        try:
            try:
                await self.send(envelope)
            except BaseException:
                self._abandon(key, box, waiter)
                raise
            reply = await self._wait(key, box, waiter, max(0.0, deadline - time.monotonic()))
        finally:
            self._boxes.pop(key, None)
            given_up = self._writer.give_up(envelope, answered=reply is not None)
        if reply is None:
            # From here on a reply that is late is a message as any other.
            await asyncio.wait({given_up}, timeout=LOOK_SECONDS)
            raise TimedOut(f"agent {asked.to_agent} did not reply to message {asked.message_id} in {timeout:g} s")
        return reply

    def _dispatch(self, envelope: Envelope) -> asyncio.Future[None]:
        said = envelope.message
        request = None if said.reply_to is None else self._boxes.get((envelope.tenant, said.reply_to))
        box = request if request and request.asker == said.to_agent else self._box(envelope.queue)
        # Of a reply only Postgres knows whether its request waits, unless it waits here.
        at_once = said.reply_to is None or request is not None
        if at_once and box.takes and self._is_known(envelope):
            envelope.delivered = box.hand(envelope.opened())
            self.figures.deliver(said.to_agent, time.monotonic() - envelope.sent_at)
            return self._writer.put(envelope)
        box.unwritten += 1
        return self._writer.put(envelope, box.written)

    def _box(self, key: Arrival) -> Mailbox:
        """Where nobody waits, too: who comes next must not be handed what was sent after what is on its way now."""
        box = self._boxes.get(key)
        if box is None:
            box = self._boxes[key] = Mailbox()
        return box

    def _is_known(self, envelope: Envelope) -> bool:
        """The first message of an execution is written before it is heard: there may be no such execution."""
        execution_id = envelope.message.execution_id
        return execution_id is None or (envelope.tenant, execution_id) in self._executions

    def _remember(self, tenant: str, execution_id: UUID) -> None:
        self._executions.pop((tenant, execution_id), None)
        self._executions[tenant, execution_id] = None
        if len(self._executions) > MOST_EXECUTIONS:
            del self._executions[next(iter(self._executions))]

    async def _wait(
        self, key: Arrival, box: Mailbox, waiter: asyncio.Future[AgentMessage], timeout: float
    ) -> AgentMessage | None:
        self._look(key, box)
        try:
            await asyncio.wait({waiter}, timeout=timeout)
            if not waiter.done():
                # Once more: what other processes have sent may not have been told of yet.
                box.empty = False
                self._look(key, box)
                either = [one for one in (waiter, box.looking) if one is not None]
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._abandon(key, box, waiter)
            raise
        return box.leave(waiter)

    def _abandon(self, key: Arrival, box: Mailbox, waiter: asyncio.Future[AgentMessage]) -> None:
        message = box.abandon(waiter)
        if message is not None:
            self._pass_on(key[0], box, message)

    def _pass_on(self, tenant: str, box: Mailbox, message: AgentMessage) -> None:
        """A message whose receiver has left: to the next, or back into its queue."""
        if not box.hand(message):
            self._writer.release(tenant, message.to_agent, message.message_id)

    def _look(self, key: Arrival, box: Mailbox) -> None:
        if box.looking is None and not box.empty and box.waiting:
            box.looking = asyncio.create_task(self._look_into(key, box), name="messages")

    async def _look_into(self, key: Arrival, box: Mailbox) -> None:
        """Hand over what waits in Postgres, as many messages at a time as there are receivers."""
        try:
            while (wanted := box.waiting) and not box.empty:
                box.empty = True
                found = await self._claim(key, wanted)
                for claimed in found:
                    self.figures.deliver(claimed.message.to_agent, claimed.waited_sec)
                    self._pass_on(key[0], box, claimed.message)
                if any(claimed.more for claimed in found):
                    box.empty = False
        except NoDatabase as error:
            box.empty = False
            box.fail(error)
        finally:
            box.looking = None

    async def _claim(self, key: Arrival, limit: int) -> list[Claimed]:
        tenant, name = key
        if isinstance(name, UUID):
            return await self._messages.claim_reply(tenant, name)
        return await self._messages.claim(tenant, name, limit)

    def _arrived(self, arrivals: set[Arrival]) -> None:
        """Something waits in Postgres for these."""
        for key in arrivals:
            box = self._boxes.get(key)
            if box is not None:
                box.empty = False
                self._look(key, box)

    def _heard(self, payload: str) -> None:
        self._arrived(heard(payload, self._process))

    async def poll(self) -> None:
        """What no notice told of is found within a second; mailboxes that nobody comes to any more are forgotten."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            old = time.monotonic() - KEEP_SECONDS
            for key, box in list(self._boxes.items()):
                if isinstance(key[1], str) and box.is_idle_since(old):
                    del self._boxes[key]
            try:
                await self._look_everywhere()
            except NoDatabase as error:
                log.warning("messages are not looked for: %s", error)

    async def _look_everywhere(self) -> None:
        agents = [(tenant, name) for (tenant, name), box in self._boxes.items() if isinstance(name, str) and box.used]
        requests = [name for _, name in self._boxes if isinstance(name, UUID)]
        self._arrived({*await self._messages.waiting(agents), *await self._messages.answered(requests)})

    @asynccontextmanager
    async def running(self, dsn: str) -> AsyncIterator[None]:
        """Write, listen and look while open; at the end everything that was sent is written. Raises NoDatabase."""
        writing = asyncio.create_task(self._writer.run(), name="messages: writer")
        try:
            async with open_notices(dsn, {MESSAGES: self._heard}), running(self.poll(), "messages: poll"):
                yield
        finally:
            looking = [box.looking for box in self._boxes.values() if box.looking is not None]
            if looking:
                await asyncio.wait(looking)
            self._writer.close()
            await writing


def _told(written: asyncio.Future[None]) -> None:
    if not written.cancelled() and (error := written.exception()) is not None:
        log.warning("a message is not in the history: %s", error)
