"""The resource monitor: model, strategy and settings of the next attempt, from memory and from what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from langgraph.runtime import Runtime
from langgraph.types import Overwrite

from llm.sizing import human_bytes
from state.context import Context
from state.errors import NoMemory
from state.models import Sampling, Strategy
from state.ports import ChatModels
from state.resources import Reading
from state.run import RunState
from state.tasks import Attempt, Plan, Remedy, Verdict

RETRY_TEMPERATURE = (0.4, 0.7, 0.9)
"""Temperatures of the second, third and later attempts: the same greedy call would give the same answer."""
MORE_TOKENS = 2
"""How many times the usual answer length a retry gets when an answer ran out of tokens and nobody set a limit."""


async def monitor_resources(state: RunState, runtime: Runtime[Context], *, models: ChatModels) -> dict[str, object]:
    """Reads `attempts`, `verdicts`, `decision`; writes `plan` and empties `scratch`. Raises NotFound, NoMemory."""
    context = runtime.context or Context()
    reading = models.reading()
    name = context.model or models.default_model
    # Sizing a model reads its files, which must not hold up the event loop.
    strategy, notes = await asyncio.to_thread(
        choose_strategy,
        name,
        context.strategy or models.default_strategy,
        reading,
        partial(models.bytes_needed, name),
    )
    card = models.card(name)
    sampling, remedies = next_sampling(context, state.attempts, state.verdicts, usual_tokens=card.max_output_tokens)
    plan = Plan(
        attempt=len(state.attempts) + 1,
        model=card.name,
        strategy=strategy,
        sampling=sampling,
        remedies=remedies,
        notes=notes,
        reading=reading,
    )
    return {"plan": plan, "scratch": Overwrite([])}


def choose_strategy(
    name: str, wanted: Strategy, reading: Reading, bytes_needed: Callable[[Strategy], int]
) -> tuple[Strategy, tuple[str, ...]]:
    """The strategy to load with, and why when it is not the wanted one.

    A model that fits as wanted keeps its strategy (the manager waits for leased memory). One that never fits so is
    loaded in 4 bits, or, where these do not fit either, streamed from the disk. Raises NoMemory, with the numbers, when
    no strategy can ever fit.
    """
    if any(resident.name == name and resident.strategy == wanted for resident in reading.resident):
        return wanted, ()
    needed = bytes_needed(wanted)
    if needed <= reading.budget_bytes:
        return wanted, ()
    reason = f"{name} takes {human_bytes(needed)} as {wanted}, the budget is {human_bytes(reading.budget_bytes)}"
    if bytes_needed("optimized") <= reading.budget_bytes:
        return "optimized", (f"{reason}: 4-bit",)
    smallest = bytes_needed("streaming")
    if smallest <= reading.budget_bytes:
        return "streaming", (f"{reason}: streamed from the disk, which is slow",)
    raise NoMemory(
        f"{name} needs {human_bytes(smallest)} even streamed, the budget is {human_bytes(reading.budget_bytes)}; "
        "choose a smaller model (`lab models`) or raise LAB_MAX_VRAM_USAGE"
    )


def next_sampling(
    context: Context, attempts: Sequence[Attempt], verdicts: Sequence[Verdict], *, usual_tokens: int
) -> tuple[Sampling, tuple[Remedy, ...]]:
    """Settings of the next attempt. A retry always changes something: the reasons are said, sampling varies."""
    if not attempts:
        return Sampling(temperature=context.temperature, max_tokens=context.max_tokens, seed=context.seed), ("none",)
    retry = len(attempts) - 1
    remedies: list[Remedy] = ["say_the_reason", "vary_sampling"]
    max_tokens = context.max_tokens
    if verdicts and any(reason.name == "truncated" for reason in verdicts[-1].reasons) and max_tokens is None:
        remedies.append("more_tokens")
        max_tokens = MORE_TOKENS * usual_tokens
    return (
        Sampling(
            temperature=max(context.temperature, RETRY_TEMPERATURE[min(retry, len(RETRY_TEMPERATURE) - 1)]),
            top_p=0.95,
            max_tokens=max_tokens,
            seed=(context.seed or 0) + len(attempts),
        ),
        tuple(remedies),
    )
