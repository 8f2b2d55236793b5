"""Ways to answer the same requests with the same model, greedily, and when each answer's tokens came.

Every one of them computes in as many torch threads as the engine takes for a model of this size (one). Imports torch.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from statistics import mean, median
from typing import Any

import torch
from transformers import DynamicCache
from transformers.generation.streamers import BaseStreamer

from llm.engine.base import Done, Engine, Failed, Request, Token
from state.models import Sampling

STATIC_ROWS = 16


@dataclass(frozen=True)
class Job:
    """One request: the answer has exactly this many tokens, since the model never ends one."""

    prompt: tuple[int, ...]
    tokens: int


@dataclass
class Outcome:
    """Seconds count from the moment in which all callers asked; dictionaries are by the job's place in `jobs`."""

    jobs: Sequence[Job]
    seconds: float = 0.0
    answers: dict[int, list[int]] = field(default_factory=dict)
    arrivals: dict[int, list[float]] = field(default_factory=dict)
    """When the caller had each token, or the first one alone, where the contestant shows it."""
    decode_tokens_per_sec: float = 0.0
    """While all callers' answers were being decoded, and no prompt read."""

    @property
    def tokens_per_sec(self) -> float:
        return sum(job.tokens for job in self.jobs) / self.seconds

    @property
    def first_token(self) -> float:
        """Median over the jobs, in seconds."""
        return median(times[0] for times in self.arrivals.values())


Contestant = Callable[[Sequence[Job], int], Outcome]
"""Jobs, and how many callers share them: each asks for its next when its last is answered."""


def lock_around_generate(model: Any) -> Contestant:
    """A thread for each caller, one `generate` at a time: what a server without an engine does."""

    def run(jobs: Sequence[Job], callers: int) -> Outcome:
        outcome, lock = Outcome(jobs), threading.Lock()
        started = time.perf_counter()

        def answer(number: int) -> None:
            torch.set_num_threads(1)  # each thread's own setting
            with lock:
                streamer = _FirstToken()
                outcome.answers[number] = _generate(model, [jobs[number].prompt], jobs[number].tokens, streamer)[0]
                outcome.arrivals[number] = [streamer.at - started]

        with ThreadPoolExecutor(callers) as pool:
            list(pool.map(answer, range(len(jobs))))
        outcome.seconds = time.perf_counter() - started
        return outcome

    return run


def static_batches(model: Any) -> Contestant:
    """Batches of up to 16 through `generate`, padded to the longest prompt, run until the longest answer ends."""

    def run(jobs: Sequence[Job], callers: int) -> Outcome:
        torch.set_num_threads(1)
        outcome, rows = Outcome(jobs), min(callers, STATIC_ROWS)
        started = time.perf_counter()
        for first in range(0, len(jobs), rows):
            batch = jobs[first : first + rows]
            answers = _generate(model, [job.prompt for job in batch], max(job.tokens for job in batch))
            for row, (job, answer) in enumerate(zip(batch, answers, strict=True)):
                outcome.answers[first + row] = answer[: job.tokens]
        outcome.seconds = time.perf_counter() - started
        return outcome

    return run


def bare_loop(model: Any) -> Contestant:
    """The ceiling: forward and argmax over a cache, all rows at once, nothing else.

    Its prompts are as long as the jobs' are in the mean, all of them: padding and its mask would slow it down.
    """

    @torch.inference_mode()
    def run(jobs: Sequence[Job], callers: int) -> Outcome:
        torch.set_num_threads(1)
        outcome, tokens = Outcome(jobs), jobs[0].tokens
        length = round(mean(len(job.prompt) for job in jobs))
        ids = torch.tensor([(job.prompt * length)[:length] for job in jobs])
        started = time.perf_counter()
        cache = DynamicCache(config=model.config)
        ids = model(ids, past_key_values=cache, logits_to_keep=1).logits.argmax(-1)
        prefilled = time.perf_counter()
        for _ in range(tokens - 1):
            ids = model(ids, past_key_values=cache).logits.argmax(-1)
        ended = time.perf_counter()
        outcome.seconds = ended - started
        outcome.decode_tokens_per_sec = len(jobs) * (tokens - 1) / (ended - prefilled)
        return outcome

    return run


def engine_slots(engine: Engine) -> Contestant:
    """The engine, its callers on one event loop."""

    def run(jobs: Sequence[Job], callers: int) -> Outcome:
        return asyncio.run(_ask_engine(engine, jobs, callers))

    return run


async def _ask_engine(engine: Engine, jobs: Sequence[Job], callers: int) -> Outcome:
    outcome, waiting = Outcome(jobs), iter(range(len(jobs)))
    started = time.perf_counter()

    async def caller() -> None:
        for number in waiting:  # shared: whoever is free takes the next
            ids, times = outcome.answers.setdefault(number, []), outcome.arrivals.setdefault(number, [])
            async for event in engine.submit(greedy(jobs[number].prompt, jobs[number].tokens)):
                if isinstance(event, Failed):
                    raise event.error
                if isinstance(event, Token) and event.id is not None:
                    times.append(time.perf_counter() - started)
                    ids.append(event.id)
                if isinstance(event, Done) and event.tokens_generated != jobs[number].tokens:
                    raise RuntimeError(f"{event.tokens_generated} tokens of {jobs[number].tokens}: {event.reason}")

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    outcome.seconds = time.perf_counter() - started
    outcome.decode_tokens_per_sec = decode_rate(list(outcome.arrivals.values()))
    return outcome


def decode_rate(arrivals: Sequence[Sequence[float]]) -> float:
    """Tokens a second from when every answer has begun until the first one ends; 0 when they do not overlap."""
    begun, ends = max(times[0] for times in arrivals), min(times[-1] for times in arrivals)
    count = sum(begun < at <= ends for times in arrivals for at in times)
    return count / (ends - begun) if ends > begun else 0.0


def greedy(prompt: Sequence[int], tokens: int) -> Request:
    """A request for the likeliest tokens."""
    return Request(tuple(prompt), Sampling(), tokens)


class _FirstToken(BaseStreamer):
    """Notes when `generate` hands over its first token; the call before that one brings the prompt."""

    def __init__(self) -> None:
        self.calls, self.at = 0, 0.0

    def put(self, value: object) -> None:
        self.calls += 1
        if self.calls == 2:
            self.at = time.perf_counter()

    def end(self) -> None:
        pass


def _generate(
    model: Any, prompts: Sequence[Sequence[int]], tokens: int, streamer: BaseStreamer | None = None
) -> list[list[int]]:
    """Answers of exactly `tokens` tokens; shorter prompts are padded on the left."""
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    with torch.inference_mode():
        out = model.generate(
            ids, attention_mask=mask, do_sample=False, max_new_tokens=tokens, pad_token_id=0, streamer=streamer
        )
    answers: list[list[int]] = out[:, longest:].tolist()
    return answers
