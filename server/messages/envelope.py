"""A message on its way: checked, bounded, and turned into JSON once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any
from uuid import UUID, uuid5

from server.db.json_values import DEPTH, exact_json, nearest_json, storable_text
from state.agents import AGENT_ID
from state.errors import BadRequest
from state.messages import AgentMessage

MAX_BYTES = 1_000_000
"""Of a payload as JSON, and of metadata."""
MAX_TOPIC = 200
"""Characters."""

_NAME = re.compile(AGENT_ID)


@dataclass(eq=False, slots=True)
class Envelope:
    """One message of one tenant, ready to be written."""

    tenant: str
    message: AgentMessage
    payload: str
    """JSON, as is `metadata`."""
    metadata: str
    sent_at: float
    """On the monotonic clock, in seconds."""
    delivered: bool = False
    """Handed over in this process, or never to be: it waits in no queue."""
    recorded: bool = False
    """For the history alone; left out without a word where its execution is gone."""
    awaited: bool = False
    """A request whose sender waits."""

    @property
    def size(self) -> int:
        """About the bytes of its row."""
        return len(self.payload) + len(self.metadata) + 400

    @property
    def queue(self) -> tuple[str, str]:
        """The tenant and agent it is for."""
        return self.tenant, self.message.to_agent

    def row(self, kept_for: UUID | None) -> str:
        """A JSON object with the columns that the query `store` reads."""
        said = self.message
        head = {
            "tenant_id": self.tenant,
            "message_id": str(said.message_id),
            "execution_id": _text(said.execution_id),
            "from_agent": said.from_agent,
            "to_agent": said.to_agent,
            "topic": said.topic,
            "priority": said.priority,
            "reply_to": _text(said.reply_to),
            "awaited": self.awaited,
            "kept_for": _text(kept_for),
            "created_at": said.timestamp.isoformat(),
            "delivered": self.delivered,
        }
        return f'{json.dumps(head)[:-1]}, "payload": {self.payload}, "metadata": {self.metadata}}}'

    def opened(self) -> AgentMessage:
        """As whoever reads it from Postgres gets it: nothing in it is shared with the sender."""
        return self.message.model_copy(
            update={"payload": json.loads(self.payload), "metadata": json.loads(self.metadata)}
        )


def outgoing(tenant: str, message: AgentMessage, now: float, *, awaited: bool = False) -> Envelope:
    """A message to be sent. `now`: monotonic. Raises BadRequest for names, topics and contents that cannot be kept."""
    check_name("from_agent", message.from_agent)
    check_name("to_agent", message.to_agent)
    if message.topic is not None:
        check_topic(message.topic)
    payload, metadata = json_text("the payload", message.payload), json_text("the metadata", message.metadata)
    return Envelope(tenant, _dated(message), payload, metadata, now, awaited=awaited)


def copies_of(tenant: str, message: AgentMessage, receivers: Iterable[str], now: float) -> dict[str, Envelope]:
    """One for each receiver, who is not in `message`. Their contents are one text: it may be long, and they many.

    Raises as `outgoing`.
    """
    copies: dict[str, Envelope] = {}
    first: Envelope | None = None
    for one in receivers:
        check_name("to_agent", one)
        copy = message.model_copy(update={"to_agent": one, "message_id": uuid5(message.message_id, one)})
        first = first or outgoing(tenant, copy, now)
        copies[one] = replace(first, message=_dated(copy))
    return copies


def for_history(tenant: str, message: AgentMessage, now: float) -> Envelope:
    """A message that was delivered by other means. Never refused: what Postgres cannot keep is told as left out."""
    known = _dated(message).model_copy(
        update={
            "from_agent": storable_text(message.from_agent)[:MAX_TOPIC],
            "to_agent": storable_text(message.to_agent)[:MAX_TOPIC],
            "topic": None if message.topic is None else storable_text(message.topic)[:MAX_TOPIC],
        }
    )
    payload, metadata = _nearest_text("the payload", message.payload), _nearest_text("the metadata", message.metadata)
    return Envelope(tenant, known, payload, metadata, now, delivered=True, recorded=True)


def check_name(name: str, value: str) -> None:
    """Raises BadRequest unless an agent can be called so."""
    if not _NAME.fullmatch(value):
        raise BadRequest(
            f"{name} {value[:80]!r} is no agent's name: 1 to 64 letters, digits, _, - and ., the first of them no sign"
        )


def check_topic(topic: str) -> None:
    """Raises BadRequest."""
    if not 0 < len(topic) <= MAX_TOPIC or storable_text(topic) != topic:
        raise BadRequest(f"a topic has 1 to {MAX_TOPIC} characters, none of them NUL; got {len(topic)}")


def json_text(name: str, value: Any) -> str:
    """`value` as JSON that jsonb gives back as it is. Raises BadRequest, also for more than MAX_BYTES."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        exact_json(name, value)  # says what is wrong with it
        raise BadRequest(f"{name} cannot be written as JSON: {error}") from error
    # Looking at each value takes many times as long as writing them; few messages need it.
    if "\\u0000" in text or text.count("[") + text.count("{") > DEPTH:
        exact_json(name, value)
    if size > MAX_BYTES:
        raise BadRequest(f"{name} has {size:,} bytes as JSON; at most {MAX_BYTES:,} are taken")
    return text


def _nearest_text(name: str, value: Any) -> str:
    try:
        kept = nearest_json(name, value)
        return json_text(name, None if kept is None else kept.obj)
    except BadRequest as error:
        return json_text(name, {"left_out": storable_text(str(error))})


def _dated(message: AgentMessage) -> AgentMessage:
    """A time without a zone is in UTC."""
    if message.timestamp.tzinfo is not None:
        return message
    return message.model_copy(update={"timestamp": message.timestamp.replace(tzinfo=UTC)})


def _text(identity: UUID | None) -> str | None:
    return None if identity is None else str(identity)
