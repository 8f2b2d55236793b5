"""What is looked at when somebody asks: the queue, agents, models, memory, disk, this process."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from llm.models import LocalModels
from server.agents.opening import OpenedAgents
from server.db.checkpoints import Pool
from server.db.telemetry import InFlight, QueueReadings, Standing
from server.messages.bus import Bus
from state.errors import NoDatabase
from state.resources import Reading

DATABASE_SECONDS = 3.0
"""What a scrape waits for Postgres; then it tells the rest, and that the database is down."""
NEWEST = 1_000
"""Executions that figures are of."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Disk:
    """Bytes, of the disk that the data directory is on."""

    total: int
    free: int


@dataclass(frozen=True)
class Process:
    """Bytes; seconds."""

    resident: int
    virtual: int
    cpu_seconds: float
    started_at: float
    """Unix time."""
    threads: int
    open_files: int


@dataclass(frozen=True)
class Machine:
    """What this process and its machine say: needs no database."""

    models: Reading
    disk: Disk
    process: Process
    cpus: int
    load: tuple[float, float, float]
    """Of the last 1, 5 and 15 minutes: processes that wanted to run."""


@dataclass(frozen=True)
class Stored:
    """What Postgres says, of all processes together."""

    in_flight: InFlight
    workers: int
    agents: Mapping[str, int]
    """By status."""
    waiting_messages: Mapping[str, int]
    """By receiver: the longest queues."""
    seconds: float
    """That the answer took."""
    newest: Sequence[Standing] = ()


@dataclass(frozen=True)
class Readings:
    """`stored` None: Postgres does not answer."""

    machine: Machine
    stored: Stored | None
    pool: Mapping[str, int] = field(default_factory=dict)
    """psycopg_pool's own figures."""


class Looker:
    """Looks, for one tenant where there are several."""

    def __init__(
        self, queue: QueueReadings, agents: OpenedAgents, bus: Bus, models: LocalModels, pool: Pool,
        data_dir: Path, tenant: str,
    ) -> None:  # fmt: skip
        self._queue, self._agents, self._bus, self._models, self._pool = queue, agents, bus, models, pool
        self._data_dir, self._tenant = data_dir, tenant

    async def look(self, *, newest: int = 0) -> Readings:
        """`newest`: of how many executions figures are wanted. Never raises for Postgres' sake."""
        machine, stored = await asyncio.gather(
            asyncio.to_thread(machine_of, self._models, self._data_dir), self._surely(newest)
        )
        return Readings(machine, stored, self._pool.get_stats())

    async def stored(self, newest: int = 0) -> Stored:
        """Raises NoDatabase."""
        begun = time.monotonic()
        # One after the other: a scrape takes one connection of the pool, not five.
        return Stored(
            await self._queue.in_flight(),
            await self._queue.live_workers(),
            await self._agents.agents.count_by_status(self._tenant),
            await self._bus.depths(),
            newest=await self._queue.newest(self._tenant, newest) if newest else (),
            seconds=time.monotonic() - begun,
        )

    async def _surely(self, newest: int) -> Stored | None:
        try:
            async with asyncio.timeout(DATABASE_SECONDS):
                return await self.stored(newest)
        except (NoDatabase, TimeoutError) as error:
            log.warning("metrics without the database: %s", error or f"no answer within {DATABASE_SECONDS:g} s")
            return None


def machine_of(models: LocalModels, data_dir: Path) -> Machine:
    """Blocks for as long as the operating system and a GPU's driver take."""
    return Machine(
        models.reading(), disk_of(data_dir), process_of(psutil.Process()), psutil.cpu_count() or 1, psutil.getloadavg()
    )


def disk_of(folder: Path) -> Disk:
    """Of a folder, or of where it will be: beside a Postgres elsewhere it is made at its first use."""
    there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    usage = shutil.disk_usage(there)
    return Disk(usage.total, usage.free)


def process_of(process: psutil.Process) -> Process:
    with process.oneshot():
        memory, cpu = process.memory_info(), process.cpu_times()
        return Process(
            resident=memory.rss,
            virtual=memory.vms,
            cpu_seconds=cpu.user + cpu.system,
            started_at=process.create_time(),
            threads=process.num_threads(),
            open_files=process.num_fds() if os.name == "posix" else 0,
        )
