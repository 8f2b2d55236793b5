"""One scrape of a lab, whichever door it comes through."""

from __future__ import annotations

import asyncio

from server.lab import Lab
from server.run_queue.worker import SLOTS
from server.telemetry.exposition import Slots, families_of, text_of


async def scrape(lab: Lab, *, serves: bool = True) -> bytes:
    """What Prometheus is told, whether Postgres answers or not.

    `serves`: over HTTP; the slots of its workers are told then.
    """
    readings = await lab.looker.look()
    running = readings.stored.in_flight.running if readings.stored is not None else 0
    slots = slots_of(lab.settings.workers, running) if serves else None
    families = families_of(lab.telemetry, readings, lab.bus.figures, slots)
    return await asyncio.to_thread(text_of, lab.telemetry.registry, families)


def slots_of(workers: int, running: int) -> Slots:
    """More runs than this server's slots are at work elsewhere, too."""
    most = SLOTS * workers
    return Slots(most, min(running, most))
