"""Choosing among the models of this machine for one plan: by what the request demands, by what fits, by who waits.

What costs, files above all, is looked at only when a choice depends on it; all of this blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial

from nodes.calling.window import sendable_text
from nodes.planning.candidates import Demand, demand_of, lacks, propose
from nodes.planning.placement import choose_strategy, fits, is_resident, must_wait, wait_note
from state.context import Context
from state.errors import NoMemory
from state.models import ModelCard, Strategy
from state.ports import ChatModels
from state.tasks import Analysis

Notes = tuple[str, ...]


class Chooser:
    """Chooses from one reading of the memory."""

    def __init__(self, models: ChatModels, context: Context, prompt: str, analysis: Analysis) -> None:
        self._models, self._context, self._prompt = models, context, prompt
        self.reading = models.reading()
        self._demand = demand_of(prompt, analysis)
        self.wanted: Strategy = context.strategy or models.default_strategy
        # Sizing reads a model's files, some 2 ms each time.
        self._bytes_needed = cache(models.bytes_needed)

    def first_model(self) -> tuple[ModelCard, Notes]:
        """The model that the run names; else the default, if it can serve the request, fits and need not wait; else one
        that can, where there is one. Raises NotFound; NoMemory where none fits.
        """
        if self._context.model is not None:
            return self._models.card(self._context.model), ()
        default = self._models.card(self._models.default_model)
        if missing := lacks(default, self._exact(default)):
            other = self._propose(tried=[default.name], in_place_of=default)
            why = f"{default.name} lacks {' and '.join(missing)}"
            if other is not None:
                return other, (f"{other.name}: {why}",)
            model, notes = self._beside(default)
            return model, (f"{why}, and no other model here fits", *notes)
        if default.provider != "local" or is_resident(default.name, self.wanted, self.reading):
            return default, ()
        return self._beside(default)

    def stronger_than(self, card: ModelCard, tried: Sequence[str]) -> ModelCard | None:
        """A model that promises more than this one, which failed; None where there is none, or one is named."""
        if self._context.model is not None:
            return None
        return self._propose(tried=tried, stronger_than=card)

    def place(self, card: ModelCard, wanted: Strategy) -> tuple[Strategy, int, Notes]:
        """The strategy, the bytes its load takes (0: none) and why, or for what it waits. Raises NoMemory."""
        if card.provider != "local":
            return wanted, 0, ()
        strategy, notes = choose_strategy(card.name, wanted, self.reading, partial(self._bytes_needed, card.name))
        if is_resident(card.name, strategy, self.reading):
            return strategy, 0, notes
        needed = self._bytes_needed(card.name, strategy)
        if must_wait(card.name, strategy, needed, self.reading):
            notes = (*notes, wait_note(card.name, needed, self.reading))
        return strategy, needed, notes

    def fits(self, card: ModelCard, strategy: Strategy) -> bool:
        """Whether it is in memory this way or can be, once all who can have left."""
        if is_resident(card.name, strategy, self.reading):
            return True
        return fits(self._bytes_needed(card.name, strategy), card.name, self.reading)

    def _beside(self, default: ModelCard) -> tuple[ModelCard, Notes]:
        """The default model, unless it never fits or would have to wait and another could answer."""
        try:
            strategy, needed, _ = self.place(default, self.wanted)
        except NoMemory as error:
            other = self._propose(tried=[default.name])
            if other is None:
                raise
            return other, (f"{other.name}: {error}",)
        if needed and must_wait(default.name, strategy, needed, self.reading):
            other = self._propose(tried=[default.name], only_loaded=True, in_place_of=default)
            if other is not None:
                return other, (f"{other.name} is loaded, {default.name} would have to wait for memory",)
        return default, ()

    def _exact(self, card: ModelCard) -> Demand:
        """The demand with the request's tokens counted, where their number decides whether this model can serve it."""
        if card.provider != "local" or len(self._prompt.encode("utf-8", "replace")) < card.context_length:
            return self._demand
        return replace(self._demand, tokens=self._models.chat(card.name).get_num_tokens(sendable_text(self._prompt)))

    def _propose(
        self,
        *,
        tried: Sequence[str],
        only_loaded: bool = False,
        stronger_than: ModelCard | None = None,
        in_place_of: ModelCard | None = None,
    ) -> ModelCard | None:
        loaded = {resident.name for resident in self.reading.resident}
        return propose(
            [card for card in self._models.cards() if not only_loaded or card.name in loaded],
            self._demand,
            loaded=loaded,
            tried=tried,
            usable=self._usable,
            stronger_than=stronger_than,
            in_place_of=in_place_of,
        )

    def _usable(self, card: ModelCard) -> bool:
        """Whether its files are here and it fits whole, at least in 4 bits; streamed it would be too slow to prefer."""
        ways: list[Strategy] = [self.wanted, "optimized"]
        return self._models.is_here(card.name) and any(self.fits(card, way) for way in ways if way != "streaming")
