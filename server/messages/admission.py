"""Which messages of a batch are taken: decided from what one transaction has locked, before it writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from uuid import UUID

from server.messages.envelope import Envelope
from state.errors import LabError, NotFound, QueueFull

Queue = tuple[str, str]
"""Tenant and agent."""


@dataclass(frozen=True)
class Facts:
    """What Postgres says of a batch. Ids stand with their tenant."""

    depths: Mapping[Queue, int] = field(default_factory=dict)
    """How many messages wait in each queue."""
    runs: Set[tuple[str, UUID]] = frozenset()
    """Executions that there are."""
    requests: Set[tuple[str, UUID, str]] = frozenset()
    """Messages for whose reply their sender waits; with the sender."""
    stored: Set[tuple[str, UUID]] = frozenset()
    """Messages that are there already: an earlier try was committed, though the answer got lost."""


@dataclass(frozen=True)
class Admission:
    taken: Sequence[tuple[Envelope, UUID | None]]
    """In their order; with the request whose sender alone takes it."""
    refused: Mapping[Envelope, LabError]
    left_out: Sequence[Envelope]
    """Of the history of executions that are gone."""

    @property
    def full(self) -> set[Queue]:
        """Queues that were too full."""
        return {one.queue for one, error in self.refused.items() if isinstance(error, QueueFull)}


def admit(batch: Sequence[Envelope], facts: Facts, bound: int) -> Admission:
    """Take what fits, the first first; `bound` is how many may wait for one agent."""
    taken: list[tuple[Envelope, UUID | None]] = []
    refused: dict[Envelope, LabError] = {}
    left_out: list[Envelope] = []
    depths = Counter(facts.depths)
    for one in batch:
        said = one.message
        if (one.tenant, said.message_id) in facts.stored:
            taken.append((one, None))
            continue
        if said.execution_id is not None and (one.tenant, said.execution_id) not in facts.runs:
            if one.recorded:
                left_out.append(one)
            else:
                refused[one] = NotFound(f"no execution {said.execution_id}; a message may also belong to none")
            continue
        kept_for = None
        if said.reply_to and (one.tenant, said.reply_to, said.to_agent) in facts.requests:
            kept_for = said.reply_to
        if not one.delivered and kept_for is None:
            if depths[one.queue] >= bound:
                refused[one] = QueueFull(
                    f"{depths[one.queue]:,} messages wait for agent {said.to_agent}, as many as its queue holds; "
                    "send again when it has received some, or raise LAB_MESSAGE_QUEUE"
                )
                continue
            depths[one.queue] += 1
        taken.append((one, None if one.delivered else kept_for))
    return Admission(taken, refused, left_out)
