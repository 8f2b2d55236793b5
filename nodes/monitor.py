"""The resource monitor: model, strategy and settings of the next attempt, from memory and from what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cached_property

from langgraph.runtime import Runtime
from langgraph.types import Overwrite

from nodes.humans.load import as_chosen
from nodes.planning.choosing import Chooser, Notes
from nodes.planning.remedies import next_remedies, next_sampling, repeats
from nodes.planning.splitting import split_request
from nodes.summarise import best_attempt
from state.context import Context
from state.models import ModelCard, Sampling, Strategy
from state.ports import ChatModels
from state.run import RunState
from state.tasks import Plan, Remedy


async def monitor_resources(state: RunState, runtime: Runtime[Context], *, models: ChatModels) -> dict[str, object]:
    """Reads `task`, `analysis`, `loads`, `attempts`, `verdicts`, `decision`; writes `plan` and empties `scratch`.

    Raises NotFound, and NoMemory when no model that may be asked can ever fit.
    """
    context = as_chosen(runtime.context or Context(), state.loads)
    # Sizing a model and finding it on the disk read files, which must not hold up the event loop.
    plan = await asyncio.to_thread(lambda: Planner(state, context, models).plan())
    return {"plan": plan, "scratch": Overwrite([])}


class Planner:
    """Makes the plan of one attempt. Blocks."""

    def __init__(self, state: RunState, context: Context, models: ChatModels) -> None:
        assert state.task is not None and state.analysis is not None, "analyze_task runs first"
        self._state, self._context, self._models = state, context, models
        # A plugin of the user's own that answered first is no model: what follows it is a model's first attempt.
        self._attempts = [attempt for attempt in state.attempts if attempt.strategy is not None]
        self._verdicts = [state.verdicts[attempt.number - 1] for attempt in self._attempts]
        self._prompt = state.task.prompt
        self._chooser = Chooser(models, context, state.task.prompt, state.analysis)

    def plan(self) -> Plan:
        """The next attempt. Raises NotFound, NoMemory."""
        hint = self._state.decision.hint if self._state.decision is not None else None
        remedies = next_remedies(self._attempts, self._verdicts, self._possible, hint=hint)
        card, notes = self._model(remedies)
        wanted, why = self._strategy(card, remedies)
        strategy, load_bytes, placed = self._chooser.place(card, wanted)
        sampling, remedies = self._sampling(card, strategy, remedies)
        reasons = [reason.name for reason in self._verdicts[-1].reasons] if self._verdicts else []
        return Plan(
            attempt=len(self._state.attempts) + 1,
            model=card.name,
            strategy=strategy,
            sampling=sampling,
            load_bytes=load_bytes,
            remedies=remedies,
            parts=self._parts if "split_task" in remedies else (),
            notes=(*notes, *why, *placed, *retry_notes(remedies, sampling, reasons)),
            reading=self._chooser.reading,
        )

    def _model(self, remedies: Sequence[Remedy]) -> tuple[ModelCard, Notes]:
        """Another one where the last failed; else the one that did best so far; for a first attempt, what suits."""
        if not self._attempts or self._context.model is not None:
            return self._chooser.first_model()
        if "other_model" in remedies and self._stronger is not None:
            return self._stronger, (f"{self._stronger.name} instead of {self._attempts[-1].model}, which failed",)
        return self._models.card(best_attempt(self._attempts, self._state.verdicts).model), ()

    def _strategy(self, card: ModelCard, remedies: Sequence[Remedy]) -> tuple[Strategy, Notes]:
        """As the last attempt of this model, or in full precision where 4 bits failed."""
        if "other_strategy" in remedies:
            return "standard", ("full precision instead of 4 bits",)
        before = [a.strategy for a in self._attempts if a.model == card.name and self._context.strategy is None]
        return (before[-1] if before else None) or self._chooser.wanted, ()

    def _sampling(
        self, card: ModelCard, strategy: Strategy, remedies: tuple[Remedy, ...]
    ) -> tuple[Sampling, tuple[Remedy, ...]]:
        """The settings, warmer where the plan would otherwise repeat an attempt."""
        context, attempts = self._context, self._attempts
        asked = Sampling(temperature=context.temperature, max_tokens=context.max_tokens, seed=context.seed)
        reasons = self._verdicts[-1].reasons if self._verdicts else ()
        sampling = next_sampling(asked, remedies, attempts, reasons, card)
        if repeats(attempts, remedies, sampling, card.name, strategy):
            remedies = (*(remedy for remedy in remedies if remedy != "lower_temperature"), "raise_temperature")
            sampling = next_sampling(asked, remedies, attempts, reasons, card)
        return sampling, remedies

    def _possible(self, remedy: Remedy) -> bool:
        """Whether a remedy can be had after the last attempt."""
        last, context = self._attempts[-1], self._context
        card = self._models.card(last.model)
        match remedy:
            case "more_tokens":
                return context.max_tokens is None and (last.sampling.max_tokens or 0) < card.context_length
            case "add_tools":
                return "tools" in card.capabilities and context.max_tool_rounds > 0 and context.tools != ()
            case "lower_temperature":
                return last.sampling.temperature > 0
            case "other_model":
                return self._stronger is not None
            case "other_strategy":
                free = last.strategy == "optimized" and context.strategy is None and card.provider == "local"
                return free and self._chooser.fits(card, "standard")
            case "split_task":
                return len(self._parts) > 1
        return True

    @cached_property
    def _stronger(self) -> ModelCard | None:
        """A model that has not been tried and promises more than the last."""
        tried = [attempt.model for attempt in self._attempts]
        return self._chooser.stronger_than(self._models.card(tried[-1]), tried)

    @cached_property
    def _parts(self) -> tuple[str, ...]:
        return split_request(self._prompt)


def retry_notes(remedies: Sequence[Remedy], sampling: Sampling, reasons: Sequence[str]) -> Notes:
    """What a retry changes and because of what, in one line; nothing for a first attempt."""
    if "none" in remedies or not remedies:
        return ()
    told: dict[Remedy, str] = {
        "lower_temperature": f"temperature {sampling.temperature:g}",
        "raise_temperature": f"temperature {sampling.temperature:g}",
        "more_tokens": f"up to {sampling.max_tokens} tokens",
    }
    changes = ", ".join(told.get(remedy, remedy.replace("_", " ")) for remedy in remedies)
    return (f"{', '.join(dict.fromkeys(reasons)) or 'score too low'}: {changes}",)
