"""How busy the machine's processors are."""

from __future__ import annotations

from collections.abc import Callable

import psutil

Times = tuple[float, float]
"""Seconds since the machine's start: busy, and in all."""


def cpu_times() -> Times:
    told = psutil.cpu_times()
    idle = told.idle + getattr(told, "iowait", 0.0)
    # Time of guests is part of the user's, too.
    total = sum(told) - getattr(told, "guest", 0.0) - getattr(told, "guest_nice", 0.0)
    return total - idle, total


class CpuShare:
    """Since it was asked last, by whomever; psutil's own keeps that by thread."""

    def __init__(self, read: Callable[[], Times] = cpu_times) -> None:
        self._read = read
        self._last = read()

    def percent(self) -> float:
        """0 to 100, of all processors together."""
        busy, total = self._read()
        before, self._last = self._last, (busy, total)
        passed = total - before[1]
        return round(100 * min(1.0, max(0.0, busy - before[0]) / passed), 1) if passed > 0 else 0.0
