"""What the agents of a run share: a blackboard that all steps at work see at once, kept with each step's checkpoint."""

from __future__ import annotations

import asyncio
import copy
import json
import re
import threading
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from weakref import WeakSet, WeakValueDictionary

from state.errors import BadRequest
from state.shared import GLOBAL, SharedChange, history_of, values_of

MAX_VALUE_BYTES = 1_000_000
MAX_STEP_BYTES = 10_000_000
"""Written in one step, by keys that are written again, too: every change is kept."""
MAX_KEYS = 1_000
"""In a namespace."""
MAX_CHANGES = 10_000
"""On a thread."""
MAX_KEY = 200
"""Characters."""
DEPTH = 50
WATCHED = 1_000
"""Changes that wait for a watcher; beyond them the oldest are dropped."""
RECENT = 32
"""Boards held though no step is at work: in a superstep one step may end before another begins."""

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""In JSON, and no backslash that happens to stand before `u0000`."""


class Blackboard:
    """The shared context of one run in this process: what its state has kept, and what is written right now.

    May be used from threads: agents that are no coroutines run in them.
    """

    def __init__(self, kept: Sequence[SharedChange]) -> None:
        self._kept = list(kept)
        self._live: list[tuple[str, SharedChange]] = []
        """With the step that wrote it."""
        self._held: dict[str, dict[str, Any]] = {}
        """By namespace, as far as asked for: going through all changes at each write takes seconds in the end."""
        self._watchers: WeakSet[_Watcher] = WeakSet()
        self._lock = threading.RLock()

    def follow(self, kept: Sequence[SharedChange]) -> None:
        """The state as the next step finds it: once it has grown, what was live is in it, or was given up."""
        with self._lock:
            if len(kept) != len(self._kept):
                self._kept, self._live = list(kept), []
                self._held.clear()

    def begin(self, step: str) -> None:
        """A step begins, perhaps again: what an earlier attempt wrote never was."""
        with self._lock:
            self._live = [(by, change) for by, change in self._live if by != step]
            self._held.clear()

    def write(self, step: str, change: SharedChange) -> None:
        """Raises BadRequest where there is too much already."""
        with self._lock:
            if len(self._kept) + len(self._live) >= MAX_CHANGES:
                raise BadRequest(f"the shared context has {MAX_CHANGES:,} changes, which is all that a thread keeps")
            held = self._holding(change.namespace)
            if not change.deleted and change.key not in held and len(held) >= MAX_KEYS:
                raise BadRequest(f"the shared context has {MAX_KEYS:,} keys, which is all it holds; delete some")
            self._live.append((step, change))
            if change.deleted:
                held.pop(change.key, None)
            else:
                held[change.key] = change.value
            if change.namespace == GLOBAL:
                for watcher in self._watchers:
                    watcher.tell(change)

    @property
    def changes(self) -> list[SharedChange]:
        """All, oldest first."""
        with self._lock:
            return [*self._kept, *(change for _, change in self._live)]

    def values(self, namespace: str) -> dict[str, Any]:
        """By key; the values are everybody's."""
        with self._lock:
            return dict(self._holding(namespace))

    def _holding(self, namespace: str) -> dict[str, Any]:
        if namespace not in self._held:
            self._held[namespace] = values_of(self.changes, namespace)
        return self._held[namespace]

    def written_by(self, step: str) -> list[SharedChange]:
        with self._lock:
            return [change for by, change in self._live if by == step]

    def watch(self, key: str | None) -> AsyncIterator[SharedChange]:
        """Global changes from now on, for as long as the iterator is held."""
        watcher = _Watcher(key)
        with self._lock:
            self._watchers.add(watcher)
        return watcher


class Blackboards:
    """One blackboard a run, as long as a step of it holds it or it is one of the last that were asked for."""

    def __init__(self) -> None:
        self._boards: WeakValueDictionary[UUID, Blackboard] = WeakValueDictionary()
        self._recent: deque[Blackboard] = deque(maxlen=RECENT)

    def of(self, run_id: UUID | None, kept: Sequence[SharedChange]) -> Blackboard:
        """The run's, with what its state has kept; a run without an id has a new one for each step."""
        board = None if run_id is None else self._boards.get(run_id)
        if board is None:
            board = Blackboard(kept)
            if run_id is not None:
                self._boards[run_id] = board
                self._recent.append(board)
        board.follow(kept)
        return board


class SharedView:
    """The blackboard as one agent sees it in one step; fills `state.agent_ports.SharedContext`."""

    def __init__(self, board: Blackboard, agent_id: str, step: str) -> None:
        self._board, self._agent_id, self._step = board, agent_id, step
        self._bytes = 0
        board.begin(step)

    def get(self, key: str, default: Any = None, *, private: bool = False) -> Any:
        held = self._board.values(self._namespace(private))
        return copy.deepcopy(held[key]) if key in held else default

    def set(self, key: str, value: Any, *, private: bool = False) -> None:
        text = json_text(f"the value of {key!r}", value)
        self._bytes += len(text)
        if self._bytes > MAX_STEP_BYTES:
            raise BadRequest(
                f"step {self._step} has written {self._bytes:,} bytes; at most {MAX_STEP_BYTES:,} are kept"
            )
        # What the agent does to its value afterwards is its own affair.
        self._write(key, private, json.loads(text))

    def delete(self, key: str, *, private: bool = False) -> None:
        if key in self._board.values(self._namespace(private)):
            self._write(key, private, deleted=True)

    def values(self, *, private: bool = False) -> Mapping[str, Any]:
        return copy.deepcopy(self._board.values(self._namespace(private)))

    def history(self, key: str, *, private: bool = False) -> Sequence[SharedChange]:
        return copy.deepcopy(history_of(self._board.changes, key, self._namespace(private)))

    def watch(self, key: str | None = None) -> AsyncIterator[SharedChange]:
        """To be called on the event loop. Who falls behind by more than 1,000 changes misses the oldest."""
        return self._board.watch(key)

    def changes(self) -> list[SharedChange]:
        """What the agent wrote in this step, for the channel `shared`."""
        return self._board.written_by(self._step)

    def _namespace(self, private: bool) -> str:
        return self._agent_id if private else GLOBAL

    def _write(self, key: str, private: bool, value: Any = None, *, deleted: bool = False) -> None:
        check_key(key)
        namespace = self._namespace(private)
        at = datetime.now(UTC)
        change = SharedChange(namespace=namespace, key=key, value=value, deleted=deleted, by=self._agent_id, at=at)
        self._board.write(self._step, change)


class _Watcher:
    def __init__(self, key: str | None) -> None:
        self._key = key
        self._waiting: deque[SharedChange] = deque(maxlen=WATCHED)
        self._word = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __aiter__(self) -> _Watcher:
        return self

    async def __anext__(self) -> SharedChange:
        while not self._waiting:
            self._word.clear()
            await self._word.wait()
        return self._waiting.popleft()

    def tell(self, change: SharedChange) -> None:
        """From any thread."""
        if self._key is None or change.key == self._key:
            with suppress(RuntimeError):  # the event loop is closed: nobody listens
                self._loop.call_soon_threadsafe(self._hear, change)

    def _hear(self, change: SharedChange) -> None:
        # Its own: values are lists and objects, which others hold, too.
        self._waiting.append(copy.deepcopy(change))
        self._word.set()


def check_key(key: str) -> None:
    """Raises BadRequest."""
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY or not key.isprintable():
        raise BadRequest(f"a key of the shared context has 1 to {MAX_KEY} printable characters; got {str(key)[:80]!r}")


def json_text(name: str, value: Any) -> str:
    """`value` as JSON. Raises BadRequest when it is none, or too much of it."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRequest(f"{name} is no plain JSON: {str(error)[:200]}") from error
    if size > MAX_VALUE_BYTES:
        raise BadRequest(f"{name} has {size:,} bytes as JSON; at most {MAX_VALUE_BYTES:,} are kept")
    if _NUL.search(text):
        raise BadRequest(f"{name} holds a NUL character, which cannot be stored")
    if text.count("[") + text.count("{") > DEPTH and deeper(value, DEPTH):
        raise BadRequest(f"{name} is nested deeper than {DEPTH}")
    return text


def deeper(value: Any, depth: int) -> bool:
    """Whether lists and objects in `value` are nested more than so many deep."""
    level = [value]
    for _ in range(depth):
        # Level by level: a value may have a million parts.
        level = [
            inner
            for one in level
            if isinstance(one, dict | list | tuple)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return any(isinstance(one, dict | list | tuple) for one in level)
