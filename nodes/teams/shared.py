"""PLACEHOLDER by CREW so that the graphs run; MESSAGES replaces the whole file. `step.py` uses only `Blackboards()`,
`Blackboards.of(run_id, changes) -> Blackboard`, `SharedView(board, agent_id)` with `.values()` and `.changes()`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from state.shared import GLOBAL, SharedChange, history_of, values_of


class Blackboard:
    """What the steps of one run have written: kept changes and those of steps that run now."""

    def __init__(self, kept: Sequence[SharedChange]) -> None:
        self.kept = list(kept)


class Blackboards:
    """One blackboard a run, shared by the steps that run at the same time."""

    def of(self, run_id: UUID | None, changes: Sequence[SharedChange]) -> Blackboard:
        return Blackboard(changes)


class SharedView:
    """One agent's view; remembers what it wrote."""

    def __init__(self, board: Blackboard, agent_id: str) -> None:
        self._board, self._agent_id = board, agent_id
        self._written: list[SharedChange] = []

    def get(self, key: str, default: Any = None, *, private: bool = False) -> Any:
        return self.values(private=private).get(key, default)

    def set(self, key: str, value: Any, *, private: bool = False) -> None:
        self._write(key, private, value=value)

    def delete(self, key: str, *, private: bool = False) -> None:
        self._write(key, private, deleted=True)

    def values(self, *, private: bool = False) -> Mapping[str, Any]:
        return values_of(self._board.kept, self._agent_id if private else GLOBAL)

    def history(self, key: str, *, private: bool = False) -> Sequence[SharedChange]:
        return history_of(self._board.kept, key, self._agent_id if private else GLOBAL)

    async def watch(self, key: str | None = None) -> AsyncIterator[SharedChange]:
        for change in ():
            yield change

    def changes(self) -> list[SharedChange]:
        """What the agent wrote in this step, for the channel `shared`."""
        return self._written

    def _write(self, key: str, private: bool, value: Any = None, *, deleted: bool = False) -> None:
        namespace = self._agent_id if private else GLOBAL
        change = SharedChange(
            namespace=namespace, key=key, value=value, deleted=deleted, by=self._agent_id, at=datetime.now(UTC)
        )
        self._board.kept.append(change)
        self._written.append(change)
