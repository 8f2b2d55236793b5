"""What becomes of a run whose worker is gone. Decided from values alone."""

from __future__ import annotations

from server.db.claims import Lost
from server.run_queue.shapes import Ending

ABANDONED = "the process that ran it ended"


def ending_of_lost(lost: Lost) -> Ending | None:
    """How the run ends, or None: it goes on with another worker, from its last checkpoint."""
    if lost.max_attempts == 1:
        return _failed(ABANDONED) if lost.cancel is None else Ending("interrupted", "idle")
    if lost.cancel is not None:
        return None  # the next worker stops it before it goes on, or rolls it back
    if lost.attempt >= lost.max_attempts:
        return _failed(f"each of the {lost.attempt} workers that ran it died or was stopped")
    return None


def _failed(message: str) -> Ending:
    return Ending("error", "error", error={"error": "WorkerLost", "message": message})
