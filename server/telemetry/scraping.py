"""One scrape of a lab, whichever door it comes through."""

from __future__ import annotations

from server.lab import Lab
from server.run_queue.worker import SLOTS
from server.telemetry.exposition import Slots, exposition


async def scrape(lab: Lab) -> bytes:
    """What Prometheus is told, whether Postgres answers or not."""
    readings = await lab.looker.look()
    running = readings.stored.in_flight.running if readings.stored is not None else 0
    return exposition(lab.telemetry, readings, lab.bus.figures, slots_of(lab.settings.workers, running))


def slots_of(workers: int, running: int) -> Slots:
    """More runs than this server's slots are at work elsewhere, too."""
    most = SLOTS * workers
    return Slots(most, min(running, most))
