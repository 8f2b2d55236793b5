"""What a model is, exactly: its card and, for one in a local folder, the state of its files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from state.models import ModelCard

FRESH_SEC = 1.0
"""How long a look at the folder is believed: the disk is not asked for every call."""


class Identity:
    """Changes whenever the model may answer otherwise. A repository's revision is in its card and cannot change."""

    def __init__(self, card: ModelCard, folder: Path | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._card = card.model_dump_json()
        self._folder = folder
        self._clock = clock
        self._seen: tuple[float, str] | None = None

    @property
    def fresh(self) -> bool:
        """Whether `read` answers without looking at the disk."""
        return self._folder is None or (self._seen is not None and self._clock() - self._seen[0] < FRESH_SEC)

    def read(self) -> str:
        """The identity. May look at the disk, which takes tens of microseconds, or blocks on a network drive."""
        if self._folder is None:
            return self._card
        seen = self._seen
        if seen is None or self._clock() - seen[0] >= FRESH_SEC:
            seen = self._seen = (self._clock(), state_of(self._folder))
        return self._card + seen[1]


def state_of(folder: Path) -> str:
    """Names, sizes and times of change of a folder's files; "missing" without the folder."""
    try:
        with os.scandir(folder) as entries:
            found = sorted((entry.name, entry.stat()) for entry in entries if entry.is_file())
    except OSError:
        return "missing"
    return ";".join(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in found)
