"""PlainEngine: `model.generate` in one thread, one request after the other.

Works with every causal model transformers can run. Imports torch and transformers, so import it only to open one.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import GenerationConfig

from llm.engine.admission import PATIENCE_SEC, POLL_SEC, PromptCheck, no_room
from llm.engine.base import Done, Failed, FinishReason, Request, Room, Timings, Token
from llm.engine.bridge import EventStream
from llm.engine.decode import AnswerText
from llm.engine.sampling import make_generator, next_token
from llm.engine.threads import set_threads
from llm.failures import broken, forget_frames
from llm.loading.base import Loaded
from llm.loading.faults import is_no_memory
from state.errors import LabError, NoMemory, Unavailable

log = logging.getLogger(__name__)

MOST_WAITING = 64
"""Requests that may wait for one model; at a second each, the last waits a minute."""


@dataclass(frozen=True)
class _Job:
    request: Request
    stream: EventStream
    submitted: float = field(default_factory=time.perf_counter)


class PlainEngine:
    """One daemon thread per loaded model; it alone touches the model."""

    def __init__(
        self, loaded: Loaded, room: Room, *, most_waiting: int = MOST_WAITING, patience_sec: float = PATIENCE_SEC
    ) -> None:
        """`room`: for the KV of the one request that runs; `patience_sec`: how long it waits for it."""
        self._name = loaded.card.name
        self._room = room
        self._least_bytes = room.granted_bytes
        self._patience_sec = patience_sec
        self._bytes_per_token = loaded.kv_bytes_per_token
        self._check = PromptCheck(loaded, loaded.kv_bytes_per_token, room)
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._most_waiting = most_waiting
        self._closing = threading.Event()
        self._admission = threading.Lock()
        # The model is an argument, not an attribute: when the thread ends, nothing here keeps its memory.
        self._thread = threading.Thread(
            target=self._serve, args=(loaded,), name=f"engine-{loaded.card.name}-{loaded.strategy}", daemon=True
        )
        self._thread.start()

    def submit(self, request: Request) -> EventStream:
        """See `Engine.submit`. Raises NoMemory when the request could never fit, BadRequest for an unusable prompt."""
        self._check(request, len(request.prompt) + request.max_tokens)
        with self._admission:  # so that nothing enters the queue behind close's last word
            if self._closing.is_set():
                raise Unavailable(f"{self._name} is being unloaded; ask again")
            if self._jobs.qsize() >= self._most_waiting:
                raise Unavailable(f"{self._name} has {self._most_waiting} requests waiting; ask again later")
            job = _Job(request, EventStream())
            self._jobs.put(job)
        return job.stream

    def close(self) -> None:
        """See `Engine.close`. Waits for the current step, a prefill at the longest."""
        with self._admission:
            first = not self._closing.is_set()
            self._closing.set()
            if first:
                self._jobs.put(None)
        self._thread.join()

    def _serve(self, loaded: Loaded) -> None:
        set_threads(loaded.size_bytes)
        while (job := self._jobs.get()) is not None:
            if self._closing.is_set() or job.stream.cancelled:
                waited = Timings(queue_wait=time.perf_counter() - job.submitted)
                job.stream.put(Done("cancelled", len(job.request.prompt), 0, waited))
                continue
            try:
                self._take_room(job)
                job.stream.put(_answer(loaded, job, lambda job=job: self._must_stop(job)))  # type: ignore[misc]
            except LabError as error:
                job.stream.put(Failed(error))
            # The stream's edge: a model may raise anything, and only the request that met it may end.
            except Exception as error:
                forget_frames(error)
                job.stream.put(Failed(self._told(job.request, error)))
            finally:
                if self._room.granted_bytes > self._least_bytes:
                    self._room.resize(self._least_bytes)
            del job  # or the last prompt would stay until the next one

    def _told(self, request: Request, error: Exception) -> LabError:
        if is_no_memory(error):
            return _out_of_memory(self._name, request, error)
        log.error("generation failed: model=%s", self._name, exc_info=error)
        return broken(f"{self._name} failed while generating", error)

    def _take_room(self, job: _Job) -> None:
        """Wait until the request's KV has room. Raises NoMemory when it has none for too long."""
        tokens = len(job.request.prompt) + job.request.max_tokens
        needed = tokens * self._bytes_per_token
        until = time.monotonic() + self._patience_sec
        while needed > self._room.granted_bytes and not self._room.resize(needed) and not self._must_stop(job):
            if time.monotonic() > until:
                raise no_room(self._name, tokens, needed, self._patience_sec)
            time.sleep(POLL_SEC)

    def _must_stop(self, job: _Job) -> bool:
        return job.stream.cancelled or self._closing.is_set()


def _out_of_memory(name: str, request: Request, cause: BaseException) -> NoMemory:
    error = NoMemory(f"{name}: no memory for {len(request.prompt):,} + {request.max_tokens:,} tokens; shorten them")
    error.__cause__ = cause
    return error


def _answer(loaded: Loaded, job: _Job, must_stop: Callable[[], bool]) -> Done:
    """Run one request to its end, putting its tokens into its stream."""
    started = time.perf_counter()
    steps = _Steps(loaded, job, must_stop)
    prompt = torch.tensor([job.request.prompt], dtype=torch.long, device=loaded.model.device)
    settings = GenerationConfig(  # type: ignore[no-untyped-call]
        max_new_tokens=job.request.max_tokens, do_sample=False, num_beams=1, use_cache=True, pad_token_id=0
    )
    with torch.inference_mode():
        loaded.model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            generation_config=settings,
            logits_processor=[steps.choose],
            stopping_criteria=[steps.take],
        )
    rest = steps.text.finish()
    if rest and steps.reason != "cancelled":
        job.stream.put(Token(rest, None))
    ended = time.perf_counter()
    first = None if steps.first_token is None else steps.first_token - job.submitted
    timings = Timings(queue_wait=started - job.submitted, first_token=first, inference=ended - started)
    return Done(steps.reason, len(job.request.prompt), steps.count, timings)


class _Steps:
    """What happens at each token: `choose` draws it (a logits processor), `take` shows it (a stopping criterion)."""

    def __init__(self, loaded: Loaded, job: _Job, must_stop: Callable[[], bool]) -> None:
        self._job = job
        self._must_stop = must_stop
        self._eos_ids = loaded.codec.eos_ids
        self._generator = make_generator(job.request.sampling, loaded.model.device)
        self.text = AnswerText(loaded.codec.decode, job.request.stop)
        self.count = 0
        self.first_token: float | None = None
        self.reason: FinishReason = "length"

    def choose(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores by which argmax picks the token drawn here."""
        constraint, logits = self._job.request.constraint, scores[0]
        if constraint is not None:
            logits = constraint.mask(logits.float())
        token = next_token(ids[0].tolist(), logits, self._job.request.sampling, self._generator)
        return torch.full_like(scores, float("-inf")).index_fill(1, torch.tensor([token], device=scores.device), 0.0)

    def take(self, ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Whether the answer is complete with the last of `ids`."""
        return torch.tensor([self._show(int(ids[0, -1]))], device=ids.device)

    def _show(self, token: int) -> bool:
        if self._must_stop():
            self.reason = "cancelled"
            return True
        self.count += 1
        self.first_token = self.first_token or time.perf_counter()
        if token in self._eos_ids:
            self.reason = "stop"
            return True
        constraint = self._job.request.constraint
        complete = constraint is not None and constraint.accept(token)
        self._job.stream.put(Token(self.text.push(token), token))
        if complete or self.text.stopped:
            self.reason = "stop"
        return complete or self.text.stopped
