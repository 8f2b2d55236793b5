"""Whether parts of the server work: each is looked at within a bound, all at once. What they are: `components.py`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import psycopg

from server.db.programs import one_line
from server.db.telemetry import InFlight
from state.errors import LabError

Status = Literal["ok", "degraded", "down"]
BOUND_SEC = 3.0
"""For each part; those who watch a server give it a few seconds."""

GB = 1_000_000_000
LEAST_DISK_BYTES, LEAST_DISK_SHARE = GB, 0.02
"""Below both, the disk is short: a large one has room with few percent, a small one with few bytes."""
LONG_WAIT_SEC = 60.0


@dataclass(frozen=True)
class Finding:
    """How a part does. `detail`: one line, where there is something to say; `figures`: JSON."""

    status: Status = "ok"
    detail: str | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """`vital`: without it nothing is served."""

    name: str
    check: Callable[[], Awaitable[Finding]]
    vital: bool = False


@dataclass(frozen=True)
class Looked:
    """What a look at a part found, and how long it took in seconds."""

    part: Part
    finding: Finding
    seconds: float


async def look_at_all(parts: Sequence[Part], bound_sec: float = BOUND_SEC) -> list[Looked]:
    """Never raises for a part that is down."""
    return list(await asyncio.gather(*(look_at(part, bound_sec) for part in parts)))


async def look_at(part: Part, bound_sec: float = BOUND_SEC) -> Looked:
    """See `look_at_all`."""
    began = time.perf_counter()
    try:
        async with asyncio.timeout(bound_sec):
            finding = await part.check()
    except TimeoutError:
        finding = Finding("down", f"no answer within {bound_sec:g} s")
    except (LabError, psycopg.Error, OSError) as error:
        finding = Finding("down", one_line(str(error)) or type(error).__name__)
    return Looked(part, finding, time.perf_counter() - began)


def overall(looked: Sequence[Looked]) -> Status:
    """Down where a vital part is; degraded where any is not well."""
    if any(one.part.vital and one.finding.status == "down" for one in looked):
        return "down"
    return "ok" if all(one.finding.status == "ok" for one in looked) else "degraded"


def judge_queue(in_flight: InFlight, *, slots: int) -> Finding:
    """`slots`: runs that this server and the workers it started take at once, 0 where it leaves them to others."""
    wait = in_flight.longest_claimable or 0.0
    figures = {
        "pending": in_flight.pending,
        "running": in_flight.running,
        "delayed": in_flight.delayed,
        "oldest_wait_sec": round(wait, 3),
        "slots": slots,
    }
    if wait > LONG_WAIT_SEC:
        return Finding("degraded", f"a run that could start has waited for {wait:.0f} s", figures)
    return Finding(figures=figures)


def judge_worker(*, slots: int, free: int, stopping: bool, processes: int) -> Finding:
    """`processes`: those that live, this one among them."""
    figures = {"slots": slots, "free": free, "processes": processes}
    if stopping:
        return Finding("degraded", "this process is stopping and begins no more runs", figures)
    if slots == 0 and processes <= 1:
        return Finding("degraded", "no process runs what is queued; start `lab worker`, or set LAB_WORKERS", figures)
    return Finding(figures=figures)


def judge_agents(by_status: Mapping[str, int]) -> Finding:
    """By status, as GET /agents tells it."""
    figures = {"total": sum(by_status.values()), "by_status": dict(by_status)}
    offline = by_status.get("offline", 0)
    return (
        Finding("degraded", f"{offline} of {figures['total']} offline", figures)
        if offline
        else Finding("ok", None, figures)
    )


def judge_messages(depths: Mapping[str, int], *, most: int) -> Finding:
    """`depths`: messages that wait, by agent; `most`: that a queue holds."""
    figures = {"waiting": sum(depths.values()), "longest_queue": max(depths.values(), default=0)}
    full = [agent for agent, depth in depths.items() if depth >= most]
    detail = f"the queue of {full[0]} is full" if full else None
    return Finding("degraded" if full else "ok", detail, figures)


def judge_disk(*, total: int, free: int) -> Finding:
    """Of the data directory, in bytes."""
    figures = {"total_bytes": total, "free_bytes": free}
    if free < LEAST_DISK_BYTES and free < total * LEAST_DISK_SHARE:
        return Finding("degraded", f"{free / GB:.2f} GB are free of {total / GB:.0f} GB", figures)
    return Finding(figures=figures)
