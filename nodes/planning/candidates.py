"""Which model can serve a request: what the request demands, what a card lacks, who else would do. Pure.

Only models of this machine are ever proposed: nothing leaves it unless the default model or the caller says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from nodes.language import UNDETERMINED
from state.models import Capability, ModelCard
from state.tasks import Analysis, Kind

BYTES_PER_TOKEN = 3
"""Of UTF-8 text, at the least with a usual vocabulary: an English token has about four, a Spanish one three."""

ENOUGH: dict[Kind, tuple[Capability, ...]] = {
    "code": ("code",),
    # Arithmetic goes through the calculator, so that a model which calls tools will do.
    "math": ("math", "reasoning", "tools"),
    "reasoning": ("reasoning",),
}
"""For a kind of request, the capabilities of which a model needs one; other kinds need none but to chat."""

FAR_SMALLER = 100
"""A model with fewer than the default's weights by this factor is a toy beside it, whatever its card says it can do."""

BEST: dict[Kind, Capability] = {"code": "code", "math": "math", "reasoning": "reasoning"}
"""What another model should have when one that was enough has failed."""


@dataclass(frozen=True)
class Demand:
    """What a request asks of a model.

    `language`: ISO 639-1 or `und`; `tokens`: of the request, about; `tools`: it calls for some.
    """

    kind: Kind
    language: str = UNDETERMINED
    tokens: int = 0
    tools: bool = False


def demand_of(prompt: str, analysis: Analysis) -> Demand:
    """The demand of a request."""
    size = len(prompt.encode("utf-8", "replace"))
    tokens = math.ceil(size / BYTES_PER_TOKEN)
    return Demand(analysis.kind, analysis.language, tokens, tools="tools" in analysis.needs)


def lacks(card: ModelCard, demand: Demand) -> tuple[str, ...]:
    """What this card says that the model cannot do of the demand, in words; nothing for a model elsewhere.

    Cards of remote models often say little, and whoever made one the default knows it.
    """
    if card.provider != "local":
        return ()
    missing: list[str] = []
    enough = ENOUGH.get(demand.kind, ("tools",) if demand.tools else ())
    if enough and not set(enough) & set(card.capabilities):
        missing.append(enough[0])
    if demand.language not in (UNDETERMINED, *card.languages):
        missing.append(f"language {demand.language}")
    if demand.tokens >= card.context_length:
        missing.append(f"a window for {demand.tokens:,} tokens")
    return tuple(missing)


def propose(
    cards: Iterable[ModelCard],
    demand: Demand,
    *,
    loaded: Collection[str],
    tried: Collection[str],
    usable: Callable[[ModelCard], bool],
    stronger_than: ModelCard | None = None,
    in_place_of: ModelCard | None = None,
) -> ModelCard | None:
    """The best other model: one in memory first, then the one that takes the least to load; None when there is none.

    `usable` says whether a model's files are here and fit; it may be slow, so it is asked in that order and no further
    than the first yes. `stronger_than`: only models that promise more than this one, which has failed. `in_place_of`:
    no model that is far smaller than this one, which could answer after all.
    """
    fitting = [
        card
        for card in cards
        if card.provider == "local"
        and card.name not in tried
        and not lacks(card, demand)
        and (stronger_than is None or promises_more(card, stronger_than, demand))
        and (in_place_of is None or card.parameters * FAR_SMALLER > in_place_of.parameters or not card.parameters)
    ]
    fitting.sort(key=lambda card: (card.name not in loaded, card.parameters or math.inf, card.name))
    return next((card for card in fitting if usable(card)), None)


def promises_more(card: ModelCard, than: ModelCard, demand: Demand) -> bool:
    """Whether a model is worth asking after `than` failed: it is larger, or has what the kind of request asks for.

    Of a remote model neither is known, so that none of this machine counts as better.
    """
    if than.provider != "local":
        return False
    best = BEST.get(demand.kind)
    if best is not None and (best in card.capabilities) != (best in than.capabilities):
        return best in card.capabilities
    return card.parameters > than.parameters
