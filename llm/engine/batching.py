"""BatchingEngine: continuous batching. Requests join and leave the batch at every step.

One daemon thread per loaded model owns torch; callers come from any thread and any event loop. Imports torch and
transformers, so import it only to open one.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque

import torch

from llm.engine.admission import PATIENCE_SEC, POLL_SEC, PromptCheck
from llm.engine.arena import KVShape
from llm.engine.base import Request, Room
from llm.engine.batch import Batch
from llm.engine.bridge import EventStream
from llm.engine.row import Row
from llm.engine.slots import length_class
from llm.engine.threads import set_threads
from llm.failures import broken
from llm.loading.base import Loaded
from state.errors import Unavailable

log = logging.getLogger(__name__)

MOST_ROWS = 64
"""Requests that share a step. On a CPU more gain nothing; on a GPU the room for KV ends it sooner."""

MOST_WAITING = 256
"""Requests that may wait for a place in the batch."""

STEP_TOKENS = {"cpu": 128, "mps": 256, "cuda": 1024}
"""Tokens of one step, decoding rows included: what a long prompt may delay the others' next token by, and what a
cancellation waits for."""


class BatchingEngine:
    """See the module. `room` is what its KV may take; `shape` comes from `suits.shared_shape`."""

    def __init__(
        self,
        loaded: Loaded,
        room: Room,
        shape: KVShape,
        *,
        most_rows: int = MOST_ROWS,
        most_waiting: int = MOST_WAITING,
        step_tokens: int | None = None,
        patience_sec: float = PATIENCE_SEC,
    ) -> None:
        self._name = loaded.card.name
        self._codec = loaded.codec
        self._device = loaded.model.device
        self._room = room
        self._check = PromptCheck(loaded, shape.bytes_per_token, room)
        self._most_waiting = most_waiting
        self._changed = threading.Condition()
        self._arrived: deque[Row] = deque()
        self._waiting: list[Row] = []
        self._closing = False
        self._orders = itertools.count()
        step = step_tokens or STEP_TOKENS.get(self._device.type, 128)
        # Arguments, not attributes: when the thread ends, nothing here keeps the model's memory.
        self._thread = threading.Thread(
            target=self._serve,
            args=(loaded, shape, most_rows, step, patience_sec),
            name=f"engine-{loaded.card.name}-{loaded.strategy}",
            daemon=True,
        )
        self._thread.start()

    def submit(self, request: Request) -> EventStream:
        """See `Engine.submit`. Raises NoMemory when the request could never fit, BadRequest for an empty prompt."""
        # A row is kept in the arena of its length class.
        self._check(request, length_class(len(request.prompt) + request.max_tokens))
        stream = EventStream()
        with self._changed:
            if self._closing:
                raise Unavailable(f"{self._name} is being unloaded; ask again")
            if len(self._arrived) + len(self._waiting) >= self._most_waiting:
                raise Unavailable(f"{self._name} has {self._most_waiting} requests waiting; ask again later")
            self._arrived.append(Row(request, stream, next(self._orders), self._codec, self._device))
            self._changed.notify()
        return stream

    def close(self) -> None:
        """See `Engine.close`. Waits for the current step."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _serve(self, loaded: Loaded, shape: KVShape, most_rows: int, step_tokens: int, patience_sec: float) -> None:
        set_threads(loaded.size_bytes)
        batch = Batch(
            loaded,
            shape,
            self._room,
            self._waiting,
            most_rows=most_rows,
            step_tokens=step_tokens,
            patience_sec=patience_sec,
        )
        with torch.inference_mode():
            moved = True
            while self._collect(batch, wait=not moved):
                try:
                    moved = batch.turn()
                # The thread's edge: a mistake of ours must end in every reader's terminal event, not in silence.
                except Exception as error:
                    log.exception("the engine failed: model=%s", self._name)
                    batch.fail_all(broken(f"{self._name} failed", error))
                if not batch:
                    batch.rest()
            batch.cancel_all()

    def _collect(self, batch: Batch, *, wait: bool) -> bool:
        """Bring new requests into the batch, waiting for one when there is nothing to do. False when closing."""
        with self._changed:
            if wait and batch:
                self._changed.wait(POLL_SEC)
            while not (self._arrived or batch or self._closing):
                self._changed.wait()
            while self._arrived:
                batch.add(self._arrived.popleft())
            return not self._closing
