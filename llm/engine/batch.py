"""The running batch: who is in it, one step after the other. Imports torch; lives in the engine's thread alone."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence

import torch

from llm.engine.admission import no_room
from llm.engine.arena import KVShape
from llm.engine.base import FinishReason, Room
from llm.engine.flat import Step, Stretch, forward
from llm.engine.memory import KVMemory
from llm.engine.row import Row
from llm.engine.slots import next_to_join, share_step
from llm.failures import broken, forget_frames
from llm.loading.base import Loaded
from llm.loading.faults import is_no_memory
from state.errors import Broken, LabError, NoMemory

log = logging.getLogger(__name__)


class Batch:
    """Rows that run and rows that wait for a place. `turn` computes one step."""

    def __init__(
        self,
        loaded: Loaded,
        shape: KVShape,
        room: Room,
        waiting: list[Row],
        *,
        most_rows: int,
        step_tokens: int,
        patience_sec: float,
    ) -> None:
        """`waiting` is this thread's to change; others may look at its length."""
        self._name = loaded.card.name
        self._model = loaded.model
        self._layers = len(shape.layers)
        self._memory = KVMemory(shape, room)
        self._most_rows = most_rows
        self._step_tokens = step_tokens
        self._patience_sec = patience_sec
        self._running: list[Row] = []
        self._waiting = waiting
        self._is_full = False
        """Somebody was put back: nobody joins until one of the others has ended, or they would take turns for ever."""
        self._stuck_since: float | None = None

    def __bool__(self) -> bool:
        return bool(self._running or self._waiting)

    def add(self, row: Row) -> None:
        """Queue a request."""
        self._waiting.append(row)

    def rest(self) -> None:
        """Give memory back while nothing runs."""
        self._memory.rest()

    def turn(self) -> bool:
        """Drop who left, let others join, compute one step. False when nothing could be computed for want of room."""
        self._drop_cancelled()
        self._join()
        planned = self._plan()
        if planned:
            self._stuck_since = None
            self._compute(planned)
        elif self:
            return self._endure()
        return True

    def cancel_all(self) -> None:
        """End everything as cancelled."""
        for row in [*self._running, *self._waiting]:
            self._end(row, "cancelled")

    def fail_all(self, error: LabError) -> None:
        """End everything with an error."""
        for row in [*self._running, *self._waiting]:
            self._fail(row, error)

    def _drop_cancelled(self) -> None:
        for row in [row for row in (*self._running, *self._waiting) if row.stream.cancelled]:
            self._end(row, "cancelled")

    def _join(self) -> None:
        while self._waiting and len(self._running) < self._most_rows and not (self._is_full and self._running):
            callers = Counter(row.request.caller for row in self._running)
            row = self._waiting[next_to_join([row.waiting for row in self._waiting], callers)]
            taken = self._memory.place(row.ids)
            if taken is None:
                return  # nobody overtakes: a small request behind it would keep the large one out for ever
            row.join(*taken)
            self._waiting.remove(row)
            self._running.append(row)

    def _plan(self) -> list[tuple[Row, int]]:
        """Each running row with the number of tokens that it computes now. Rows that find no room give way."""
        planned: list[tuple[Row, int]] = []
        for row, share in zip(
            list(self._running), share_step([row.left for row in self._running], self._step_tokens), strict=True
        ):
            if share and row.place is not None and self._fit(row, row.computed + share):
                planned.append((row, share))
        return [(row, share) for row, share in planned if row.place is not None]

    def _fit(self, row: Row, tokens: int) -> bool:
        """See that a row's place holds `tokens`; the newest of the others gives way until it does."""
        while row.place is not None and not self._memory.grow(row.place, tokens, computed=row.computed):
            newest = max(self._running, key=lambda other: other.order)
            if newest is row:
                if len(self._running) == 1:
                    return False
                self._put_back(row)
            else:
                self._put_back(newest)
        return row.place is not None

    def _put_back(self, row: Row) -> None:
        assert row.place is not None
        self._memory.free(row.place)
        row.leave()
        self._running.remove(row)
        self._waiting.append(row)
        self._is_full = True

    def _endure(self) -> bool:
        """Nothing fits. Other models hold the memory; who has waited too long is told so."""
        now = time.monotonic()
        self._stuck_since = now if self._stuck_since is None else self._stuck_since
        if now - self._stuck_since < self._patience_sec:
            return False
        row = (self._running or self._waiting)[0]
        tokens = len(row.ids) + 1
        needed = tokens * self._memory.shape.bytes_per_token
        self._fail(row, no_room(self._name, tokens, needed, self._patience_sec))
        self._stuck_since = None
        return True

    def _compute(self, planned: Sequence[tuple[Row, int]]) -> None:
        """One forward pass, and the next token of each row whose tokens are then all computed."""
        rows = {row.place: (row, share) for row, share in planned if row.place is not None}
        step = Step(
            [Stretch(p, row.ids[row.computed : row.computed + n], row.computed) for p, (row, n) in rows.items()],
            self._model.device,
        )
        try:
            logits = forward(self._model, step, self._layers)
        # A model may raise anything. Only the rows that it raises for may end.
        except Exception as error:
            forget_frames(error)
            self._isolate(planned, error)
            return
        ready: list[tuple[Row, int]] = []
        for number, stretch in enumerate(step.order):
            row, share = rows[stretch.place]
            row.computed += share
            if not row.left:
                ready.append((row, number))
        self._choose(ready, logits)

    def _isolate(self, planned: Sequence[tuple[Row, int]], error: Exception) -> None:
        """A pass failed: without memory the newest row gives way, else each row is tried alone."""
        if is_no_memory(error) and len(planned) > 1:
            self._put_back(max((row for row, _ in planned), key=lambda row: row.order))
        elif len(planned) > 1:
            for one in planned:
                self._compute([one])
        elif is_no_memory(error):
            row = planned[0][0]
            refused = NoMemory(
                f"{self._name}: no memory to compute {len(row.ids):,} tokens; shorten the prompt, or unload a model"
            )
            refused.__cause__ = error
            self._fail(row, refused)
        else:
            self._fail(planned[0][0], error)

    def _choose(self, ready: Sequence[tuple[Row, int]], logits: torch.Tensor) -> None:
        """The next token of each row; `ready` names its line of `logits`."""
        plain = [(row, number) for row, number in ready if row.is_plain]
        if plain:  # all of them at once
            lines = logits if len(plain) == len(logits) else logits[[number for _, number in plain]]
            tokens = lines.argmax(dim=-1)
            finite = lines.gather(1, tokens[:, None])[:, 0].isfinite().tolist()
            for (row, _), token, is_number in zip(plain, tokens.tolist(), finite, strict=True):
                self._take(row, token if is_number else None)
        for row, number in ready:
            if not row.is_plain:
                self._take(row, logits[number])

    def _take(self, row: Row, choice: int | torch.Tensor | None) -> None:
        """Give a row its next token, or the logits to draw it from; None when they are not numbers."""
        try:
            if choice is None:
                raise Broken("the model's output holds no finite numbers (NaN or infinity)")
            reason = row.take(choice if isinstance(choice, int) else row.draw(choice))
        # The request's edge: its constraint, its tokenizer's decoder. The others go on.
        except Exception as error:
            forget_frames(error)
            self._fail(row, error)
            return
        if reason is not None:
            self._end(row, reason)

    def _end(self, row: Row, reason: FinishReason) -> None:
        if row.place is not None:
            self._memory.keep(row.ids[: row.computed], row.place)
        self._remove(row)
        row.finish(reason)

    def _fail(self, row: Row, error: Exception) -> None:
        self._remove(row, wipe=True)
        if not isinstance(error, LabError):
            log.error("generation failed: model=%s", self._name, exc_info=error)
            error = broken(f"{self._name} failed while generating", error)
        row.fail(error)

    def _remove(self, row: Row, *, wipe: bool = False) -> None:
        if row.place is not None:
            self._memory.free(row.place, wipe=wipe)
            row.place = None
        if row in self._running:
            self._running.remove(row)
            self._is_full = False
        else:
            self._waiting.remove(row)
