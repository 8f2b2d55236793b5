"""Which model can serve a request, by the cards alone."""

from typing import Any

import pytest

from nodes.planning.candidates import Demand, demand_of, lacks, promises_more, propose
from state.models import ModelCard
from state.tasks import Analysis


def card(name: str, *capabilities: str, **fields: Any) -> ModelCard:
    plain = {"path": "x", "context_length": 2_000, "parameters": 100, "languages": ("en", "es")}
    return ModelCard.model_validate({**plain, "name": name, "capabilities": ("chat", *capabilities), **fields})


REMOTE = card("far", provider="openai", path=None, model_id="x", parameters=0)
SMALL, CODER, THINKER = (
    card("small"),
    card("coder", "code", parameters=500),
    card("thinker", "reasoning", parameters=900),
)
CARDS = [REMOTE, THINKER, CODER, SMALL]


@pytest.mark.parametrize(
    ("model", "demand", "missing"),
    [
        (SMALL, Demand("conversation", "en"), ()),
        (SMALL, Demand("conversation", "und"), ()),
        (SMALL, Demand("conversation", "de"), ("language de",)),
        (SMALL, Demand("code", "en"), ("code",)),
        (SMALL, Demand("math", "en"), ("math",)),
        (card("caller", "tools"), Demand("math", "en"), ()),
        (THINKER, Demand("math", "en"), ()),
        (SMALL, Demand("reasoning", "fr"), ("reasoning", "language fr")),
        (SMALL, Demand("other", "en", tools=True), ("tools",)),
        (SMALL, Demand("other", "en", tokens=2_000), ("a window for 2,000 tokens",)),
        (REMOTE, Demand("code", "de", tokens=10**6), ()),
    ],
)
def test_a_card_tells_what_the_model_lacks(model: ModelCard, demand: Demand, missing: tuple[str, ...]) -> None:
    assert lacks(model, demand) == missing


def test_the_demand_is_read_from_the_request() -> None:
    analysis = Analysis(kind="code", confidence=1.0, language="es", needs=("tools",))
    assert demand_of("ñ" * 300, analysis) == Demand("code", "es", 200, tools=True)
    assert demand_of("\ud800", analysis).tokens == 1


def pick(demand: Demand, usable: set[str], loaded: tuple[str, ...] = (), **more: Any) -> str | None:
    found = propose(CARDS, demand, loaded=loaded, tried=(), usable=lambda one: one.name in usable, **more)
    return found.name if found else None


def test_a_loaded_model_comes_first_then_the_smallest_that_is_usable() -> None:
    here = {"small", "coder", "thinker", "far"}
    assert pick(Demand("conversation", "en"), here) == "small"
    assert pick(Demand("conversation", "en"), here, loaded=("thinker",)) == "thinker"
    assert pick(Demand("code", "en"), here) == "coder"
    assert pick(Demand("conversation", "en"), {"coder"}) == "coder"
    assert pick(Demand("code", "en"), {"small"}) is None


def test_nothing_leaves_the_machine_unasked() -> None:
    assert pick(Demand("conversation", "en"), {"far"}) is None


def test_files_are_looked_for_no_further_than_the_first_that_will_do() -> None:
    asked: list[str] = []

    def usable(one: ModelCard) -> bool:
        asked.append(one.name)
        return one.name == "coder"

    propose(CARDS, Demand("conversation", "en"), loaded=(), tried=(), usable=usable)
    assert asked == ["small", "coder"]


def test_after_a_failure_only_what_promises_more_is_asked() -> None:
    here = {"small", "coder", "thinker"}
    assert pick(Demand("conversation", "en"), here, stronger_than=CODER) == "thinker"
    assert pick(Demand("conversation", "en"), here, stronger_than=THINKER) is None
    assert pick(Demand("conversation", "en"), here, stronger_than=REMOTE) is None
    assert promises_more(CODER, THINKER, Demand("code", "en"))
    assert not promises_more(THINKER, CODER, Demand("code", "en"))
