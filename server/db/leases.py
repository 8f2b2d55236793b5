"""A worker's hold on a run. Every write of a worker carries it; one that is not the newest is refused."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Lease:
    """`token` grows with every claim of any run, so that an older claim of the same run is known by it."""

    run_id: UUID
    token: int
