"""The parts of the server whose health is told, and whether it is ready for requests."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

from server.db.migrate import pending, read_applied, read_migrations
from server.health import (
    Finding,
    Part,
    judge_agents,
    judge_disk,
    judge_messages,
    judge_queue,
    judge_worker,
    look_at_all,
)
from server.lab import Lab
from server.run_queue.worker import SLOTS
from server.telemetry.readings import disk_of
from server.wire.device import device_info
from state.errors import Unavailable


def parts(lab: Lab, tenant: str) -> list[Part]:
    """All of them, the vital ones first."""
    return [
        database_part(lab),
        _migrations(lab),
        _checkpointer(lab),
        _queue(lab),
        _worker(lab),
        _models(lab),
        _device(lab),
        _agents(lab, tenant),
        _messages(lab),
        _disk(lab),
    ]


def database_part(lab: Lab) -> Part:
    """Postgres, asked for its version in one round trip."""

    async def check() -> Finding:
        return Finding(figures={"version": await lab.database.ping()})

    return Part("database", check, vital=True)


async def check_ready(lab: Lab) -> None:
    """Raises Unavailable with the reason, of several the one that stands first here."""
    if lab.queue.stopping:
        raise Unavailable("this server is stopping; ask another one")
    for looked in await look_at_all([database_part(lab), _migrations(lab), _models(lab)]):
        if looked.finding.status != "ok":
            raise Unavailable(f"{looked.part.name}: {looked.finding.detail}")


def _migrations(lab: Lab) -> Part:
    async def check() -> Finding:
        async with lab.database.pool.connection() as connection:
            applied = await read_applied(connection)
        missing = pending(await asyncio.to_thread(read_migrations), applied)
        figures = {"applied": len(applied), "pending": [migration.name for migration in missing]}
        if missing:
            return Finding("down", f"{len(missing)} are pending; restart the server", figures)
        return Finding(figures=figures)

    return Part("migrations", check, vital=True)


def _checkpointer(lab: Lab) -> Part:
    nowhere = str(uuid.UUID(int=0))

    async def check() -> Finding:
        await lab.database.checkpointer.aget_tuple({"configurable": {"thread_id": nowhere, "checkpoint_ns": ""}})
        return Finding()

    return Part("checkpointer", check, vital=True)


def _queue(lab: Lab) -> Part:
    async def check() -> Finding:
        return judge_queue(await lab.queue_readings.in_flight(), slots=SLOTS * lab.settings.workers)

    return Part("run_queue", check)


def _worker(lab: Lab) -> Part:
    async def check() -> Finding:
        processes = await lab.queue_readings.live_workers()
        free, stopping = lab.queue.free, lab.queue.stopping
        slots = SLOTS if lab.settings.workers else 0
        return judge_worker(slots=slots, free=free, stopping=stopping, processes=processes)

    return Part("worker", check)


def _models(lab: Lab) -> Part:
    async def check() -> Finding:
        return await asyncio.to_thread(_look_at_models, lab)

    return Part("models", check)


def _look_at_models(lab: Lab) -> Finding:
    models, reading = lab.models, lab.models.reading()
    figures = {
        "default_model": models.default_model,
        "catalogue": len(models.cards()),
        "resident": [f"{one.name}:{one.strategy}" for one in reading.resident],
        "used_bytes": reading.used_bytes,
        "budget_bytes": reading.budget_bytes,
        "waiting": reading.waiting,
        "hits": reading.hits,
        "loads": reading.loads,
        "failures": reading.failures,
    }
    card = models.card(models.default_model)
    if models.is_here(card.name):
        return Finding(figures=figures)
    if card.provider != "local":
        return Finding("degraded", f"the default model {card.name} may not be asked: it is remote", figures)
    if lab.settings.offline:
        return Finding("degraded", f"the default model {card.name} is not here, and LAB_OFFLINE is set", figures)
    return Finding(figures={**figures, "to_fetch": card.name})


def _device(lab: Lab) -> Part:
    async def check() -> Finding:
        device = await asyncio.to_thread(device_info, lab.models.manager)
        return Finding(figures=device.model_dump())

    return Part("device", check)


def _agents(lab: Lab, tenant: str) -> Part:
    async def check() -> Finding:
        return judge_agents(await lab.agents.agents.count_by_status(tenant))

    return Part("agents", check)


def _messages(lab: Lab) -> Part:
    async def check() -> Finding:
        return judge_messages(await lab.bus.depths(), most=lab.settings.message_queue)

    return Part("messages", check)


def _disk(lab: Lab) -> Part:
    async def check() -> Finding:
        return await asyncio.to_thread(_look_at_disk, lab.settings.data_dir)

    return Part("disk", check)


def _look_at_disk(folder: Path) -> Finding:
    disk = disk_of(folder)
    return judge_disk(total=disk.total, free=disk.free)
