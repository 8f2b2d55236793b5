"""A human in the loop: before a model that takes much memory is loaded, the run stops and asks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from langgraph.runtime import Runtime

from llm.sizing import human_bytes
from nodes.humans.decisions import LOAD, Question, question, read_load
from nodes.humans.score import ask
from nodes.planning.placement import choose_strategy, is_resident
from state.context import Context
from state.errors import BadRequest, NoMemory
from state.models import Strategy
from state.ports import ChatModels
from state.run import RunState
from state.tasks import LoadDecision, Plan


async def approve_load(state: RunState, runtime: Runtime[Context], *, models: ChatModels) -> dict[str, object]:
    """Reads `plan`; appends to `loads`. Interrupts with the model, its bytes and the memory there is."""
    assert state.plan is not None, "monitor_resources runs first"
    limit = (runtime.context or Context()).approve_load_over or 0

    def read(asked: Question, reply: object) -> LoadDecision:
        decision = read_load(asked, reply)
        if decision.decision == "edit":
            check_choice(decision, models)
        return decision

    # Sizing the model that a human chooses reads its files, which must not hold up the event loop.
    return {"loads": [await asyncio.to_thread(ask, load_question(state.plan, limit), read)]}


def check_choice(chosen: LoadDecision, models: ChatModels) -> None:
    """Raises ValueError in one line when there is no such model, or when it can never fit. Blocks."""
    wanted = chosen.strategy or models.default_strategy
    try:
        card = models.card(chosen.model)
        if card.provider == "local":
            choose_strategy(card.name, wanted, models.reading(), partial(models.bytes_needed, card.name))
    except (BadRequest, NoMemory) as error:
        raise ValueError(f"model: {error}") from error


def load_question(plan: Plan, limit: int) -> Question:
    """What is asked about the planned load. `limit` is what may be loaded unasked, in bytes."""
    size = human_bytes(plan.load_bytes)
    told = f"{plan.model} as {plan.strategy} takes {size} of memory"
    return question(
        "load",
        f"{told}, more than {human_bytes(limit)}. Load it, choose another model or strategy, or reject it?",
        LOAD,
        [("load_model", {"model": plan.model, "strategy": plan.strategy}, told)],
        model=plan.model,
        strategy=plan.strategy,
        load_bytes=plan.load_bytes,
        limit_bytes=limit,
        notes=list(plan.notes),
        memory=plan.reading.model_dump(mode="json") if plan.reading is not None else None,
    )


def needs_approval(plan: Plan, loads: Sequence[LoadDecision], limit: int | None) -> bool:
    """Whether a human is asked before this plan: its load exceeds `limit` bytes and no human has allowed it yet."""
    allowed = any(
        load.decision != "reject" and load.model == plan.model and load.strategy in (None, plan.strategy)
        for load in loads
    )
    return limit is not None and plan.load_bytes > limit and not allowed


def sized_now(plan: Plan, models: ChatModels) -> Plan:
    """The plan with the bytes that its load takes now: while a human was asked, or a process died, models leave.

    Blocks.
    """
    card = models.card(plan.model)
    if card.provider != "local":
        return plan
    reading = models.reading()
    loaded = is_resident(plan.model, plan.strategy, reading)
    needed = 0 if loaded else models.bytes_needed(plan.model, plan.strategy)
    return plan.model_copy(update={"load_bytes": needed, "reading": reading})


def as_chosen(context: Context, loads: Sequence[LoadDecision]) -> Context:
    """The run's settings with the model and strategy that a human chose last in the place of a planned load."""
    chosen = next((load for load in reversed(loads) if load.decision == "edit"), None)
    if chosen is None:
        return context
    strategy: Strategy | None = chosen.strategy or context.strategy
    return context.model_copy(update={"model": chosen.model, "strategy": strategy})
