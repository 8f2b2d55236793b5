"""Calls of models within runs, seen by a LangChain callback: our models', and those of an application's own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import LLMResult
from prometheus_client import CollectorRegistry, Counter, Histogram

from server.telemetry.names import Names

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
MOST_MODELS = 100
STRATEGIES = frozenset({"standard", "optimized", "streaming", "remote"})
OTHER = "other"
"""Strategy of a model that an application brings itself."""


@dataclass(frozen=True)
class ModelCall:
    """What one call cost. Seconds; tokens."""

    model: str
    strategy: str
    inference_sec: float
    first_token_sec: float | None = None
    prompt_tokens: int = 0
    reused_tokens: int = 0
    """Of the prompt's, taken from an earlier call's keys and values."""
    generated_tokens: int = 0
    remembered: bool = False
    """Answered from the store of answers: no model was asked."""


@dataclass
class Totals:
    """Of a process since its start."""

    calls: int = 0
    prompt_tokens: int = 0
    reused_tokens: int = 0
    generated_tokens: int = 0
    inference_sec: float = 0.0

    def add(self, call: ModelCall) -> None:
        """One that was remembered cost nothing."""
        self.calls += 1
        if not call.remembered:
            self.prompt_tokens += call.prompt_tokens
            self.reused_tokens += call.reused_tokens
            self.generated_tokens += call.generated_tokens
            self.inference_sec += call.inference_sec


class ModelMeter:
    """Of one process. May be told from any thread."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic) -> None:
        self.totals = Totals()
        self._counting = threading.Lock()
        self._clock, self._names = clock, Names(MOST_MODELS)
        self._calls = Counter(
            "lab_model_calls",
            "Calls of models within runs: completed, remembered (from the store of answers), failed, cancelled",
            ("model", "strategy", "outcome"),
            registry=registry,
        )
        self._tokens = Counter(
            "lab_model_tokens",
            "Tokens of prompts, of these those reused from earlier calls, and tokens generated",
            ("model", "kind"),
            registry=registry,
        )
        self._first = Histogram(
            "lab_model_first_token_seconds",
            "Time from a call to its first token, loading the model among it",
            ("model",),
            buckets=SECONDS,
            registry=registry,
        )
        self._inference = Histogram(
            "lab_model_inference_seconds",
            "Time that models worked on an answer, without waiting and loading",
            ("model", "strategy"),
            buckets=SECONDS,
            registry=registry,
        )

    def watch(self) -> ModelWatch:
        """For the callbacks of one run."""
        return ModelWatch(self, self._clock)

    def completed(self, call: ModelCall) -> None:
        model = self._names(call.model)
        strategy = call.strategy if call.strategy in STRATEGIES else OTHER
        self._calls.labels(model, strategy, "remembered" if call.remembered else "completed").inc()
        with self._counting:
            self.totals.add(call)
        if call.remembered:
            return
        for kind, tokens in (
            ("prompt", call.prompt_tokens),
            ("reused", call.reused_tokens),
            ("generated", call.generated_tokens),
        ):
            self._tokens.labels(model, kind).inc(max(0, tokens))
        self._inference.labels(model, strategy).observe(call.inference_sec)
        if call.first_token_sec is not None:
            self._first.labels(model).observe(call.first_token_sec)

    def failed(self, model: str, strategy: str, outcome: str) -> None:
        strategy = strategy if strategy in STRATEGIES else OTHER
        self._calls.labels(self._names(model), strategy, outcome).inc()


@dataclass
class _Open:
    model: str
    strategy: str
    begun: float
    first: float | None = None


class ModelWatch(BaseCallbackHandler):
    """Sees one run's calls; what a call cost it says itself in its metadata, else the clock does."""

    # In the run's own task: LangChain would hand each event to a thread.
    run_inline = True
    ignore_chain = ignore_agent = ignore_retriever = ignore_custom_event = ignore_retry = True

    def __init__(self, meter: ModelMeter, clock: Callable[[], float]) -> None:
        self._meter, self._clock = meter, clock
        self._open: dict[UUID, _Open] = {}

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: UUID, **said: Any) -> None:
        self._begin(run_id, said)

    def on_llm_start(self, serialized: Any, prompts: Any, *, run_id: UUID, **said: Any) -> None:
        self._begin(run_id, said)

    def on_llm_new_token(self, token: Any, *, run_id: UUID, **said: Any) -> None:
        call = self._open.get(run_id)
        if call is not None and call.first is None:
            call.first = self._clock() - call.begun

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **said: Any) -> None:
        call = self._open.pop(run_id, None)
        if call is not None:
            self._meter.completed(call_of(response, call.model, call.first, self._clock() - call.begun))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **said: Any) -> None:
        call = self._open.pop(run_id, None)
        if call is not None:
            cancelled = isinstance(error, asyncio.CancelledError | GeneratorExit)
            self._meter.failed(call.model, call.strategy, "cancelled" if cancelled else "failed")

    def _begin(self, run_id: UUID, said: Mapping[str, Any]) -> None:
        named = said.get("metadata") or {}
        asked = said.get("invocation_params") or {}
        model = _text(named.get("ls_model_name")) or _text(asked.get("model")) or OTHER
        self._open[run_id] = _Open(model, _text(asked.get("strategy")), self._clock())


def call_of(response: LLMResult, model: str, first_sec: float | None, seconds: float) -> ModelCall:
    """What a call cost, as its answer says it; `model` and the times where it says nothing."""
    answers = [answer for several in response.generations for answer in several]
    message = getattr(answers[0], "message", None) if answers else None
    said = getattr(message, "response_metadata", None) or {}
    usage = getattr(message, "usage_metadata", None) or {}
    ours = "inference_time_sec" in said
    first = said.get("time_to_first_token_sec") if ours else first_sec
    return ModelCall(
        model=(_text(said.get("model_name")) if ours else "") or model,
        strategy=_text(said.get("strategy")),
        inference_sec=_number(said["inference_time_sec"]) if ours else seconds,
        first_token_sec=None if first is None else _number(first),
        prompt_tokens=int(_number(said.get("prompt_tokens") or usage.get("input_tokens"))),
        reused_tokens=int(_number(said.get("prompt_tokens_reused"))),
        generated_tokens=int(_number(said.get("tokens_generated") or usage.get("output_tokens"))),
        remembered=said.get("response_cache") is True,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> float:
    return max(0.0, float(value)) if isinstance(value, int | float) and value == value else 0.0  # NaN is not itself
