"""What processes tell each other over `lab_messages`: for whom messages wait. A hint to look, never the truth."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from uuid import UUID

NOTICE_BYTES = 7_500
"""Of a payload; Postgres takes 8,000."""

Arrival = tuple[str, str | UUID]
"""Where something waits now: tenant, and an agent or the request that is answered."""

log = logging.getLogger(__name__)


def notices(process: str, arrivals: set[Arrival]) -> Iterator[str]:
    """Payloads of `lab_messages`, none longer than Postgres takes."""
    said = [json.dumps([tenant, str(name)]) for tenant, name in sorted(arrivals, key=str)]
    head = f'{{"by":{json.dumps(process)},"to":['
    part: list[str] = []
    size = len(head)
    for one in said:
        if part and size + len(one) > NOTICE_BYTES:
            yield f"{head}{','.join(part)}]}}"
            part, size = [], len(head)
        part.append(one)
        size += len(one) + 1
    if part:
        yield f"{head}{','.join(part)}]}}"


def heard(payload: str, process: str) -> set[Arrival]:
    """What another process tells; nothing of what `process`, this one, said itself.

    Anybody who reaches the database can send a notice: what cannot be read is passed over.
    """
    try:
        notice = json.loads(payload)
        if notice["by"] == process:
            return set()
        named = {(str(tenant), str(name)) for tenant, name in notice["to"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        log.warning("a notice of messages cannot be read: %.100r", payload)
        return set()
    # An agent may be called like a request: looking at both costs nothing.
    return {*named, *((tenant, one) for tenant, name in named if (one := _uuid(name)))}


def _uuid(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None
