"""The resource monitor: models that can serve and fit, strategies, waiting, and retries that change something."""

from collections.abc import Callable
from typing import Any

import pytest

from nodes.monitor import Planner
from nodes.planning.placement import choose_strategy
from state.context import Context
from state.errors import NoMemory, NotFound
from state.models import ModelCard, Strategy
from state.resources import Reading, Resident
from state.run import RunState
from state.tasks import Analysis, Attempt, Kind, Plan, Reason, Task, Verdict
from tests.fakes import FakeModels
from tests.unit.nodes.values import METRICS

GB = 2**30


def card(name: str, *capabilities: str, parameters: int = 1_000, **fields: Any) -> ModelCard:
    plain = {"path": "x", "context_length": 2_000, "languages": ("en", "es"), "max_output_tokens": 100}
    given = {"name": name, "capabilities": ("chat", *capabilities), "parameters": parameters}
    return ModelCard.model_validate({**plain, **given, **fields})


SMALL, CODER, LARGE = card("small"), card("coder", "code", parameters=3_000), card("large", parameters=9_000)
SIZES = {"small": GB, "coder": 3 * GB, "large": 9 * GB}


def models(**settings: Any) -> FakeModels:
    given = {"cards": (SMALL, LARGE, CODER), "needed": SIZES, "budget": 16 * GB}
    return FakeModels(**{**given, **settings})


def in_memory(name: str, *, leases: int = 0, pinned: bool = False, size: int = 0) -> Resident:
    return Resident(
        name=name,
        strategy="standard",
        size_bytes=size or SIZES[name],
        leases=leases,
        last_used=0.0,
        pinned=pinned,
    )


def planned(
    models: FakeModels,
    kind: Kind = "conversation",
    *,
    prompt: str = "Hello",
    context: Context | None = None,
    language: str = "en",
    tried: list[tuple[str, Strategy]] | None = None,
    reasons: tuple[str, ...] = ("judged_low",),
) -> Plan:
    """The next plan after attempts with these models, each rejected for the same reasons."""
    state = RunState(
        task=Task(prompt=prompt),
        analysis=Analysis(kind=kind, confidence=1.0, language=language),
        attempts=[
            Attempt(number=number, model=name, strategy=strategy, answer="x", metrics=METRICS)
            for number, (name, strategy) in enumerate(tried or [], start=1)
        ],
        verdicts=[
            Verdict(score=0.1, passed=False, reasons=tuple(Reason(name=name) for name in reasons)) for _ in tried or []
        ],
    )
    return Planner(state, context or Context(), models).plan()


def test_the_default_model_serves_what_it_can() -> None:
    fake = models()
    plan = planned(fake)
    assert (plan.model, plan.strategy, plan.load_bytes, plan.notes) == ("small", "standard", GB, ())
    assert plan.remedies == ("none",) and plan.reading is not None
    assert fake.looked_for == []  # no file of another model was looked for


def test_a_loaded_default_costs_no_look_at_any_file() -> None:
    fake = models(resident=[in_memory("small")])
    assert planned(fake).load_bytes == 0
    assert fake.looked_for == [] and fake.sized == []


@pytest.mark.parametrize(
    ("settings", "context", "model", "note"),
    [
        ({}, Context(), "coder", "coder: small lacks code"),
        ({}, Context(model="small"), "small", None),
        ({}, Context(model="large"), "large", None),
        ({"absent": ["coder"]}, Context(), "small", "small lacks code, and no other model here fits"),
        # 3 GiB in full precision, .75 in 4 bits
        ({"budget": 2 * GB}, Context(), "coder", "coder: small lacks code"),
        ({"budget": GB // 2}, Context(), "small", "small lacks code, and no other model here fits"),
    ],
)
def test_another_model_is_chosen_for_what_the_default_cannot_do(
    settings: dict[str, Any], context: Context, model: str, note: str | None
) -> None:
    plan = planned(models(**settings), "code", context=context)
    assert plan.model == model
    assert plan.notes[:1] == ((note,) if note else ())


TOY, BIG = card("toy", "tools", parameters=10**6), card("big", parameters=7 * 10**9, languages=("en",))
TOYS = {"cards": (BIG, TOY), "needed": {"big": 4 * GB, "toy": GB // 1000}}


@pytest.mark.parametrize(("kind", "language"), [("math", "en"), ("conversation", "es")])
def test_a_toy_does_not_answer_in_place_of_a_large_default(kind: Kind, language: str) -> None:
    plan = planned(models(**TOYS), kind, language=language)
    assert plan.model == "big" and plan.notes[0].startswith("big lacks ")


def test_nor_does_a_toy_when_the_default_has_to_wait() -> None:
    other = Resident(name="other", strategy="standard", size_bytes=14 * GB, leases=1, last_used=0.0)
    toy = Resident(name="toy", strategy="standard", size_bytes=GB // 1000, leases=0, last_used=0.0)
    plan = planned(models(**TOYS, resident=[other, toy]))
    assert plan.model == "big" and plan.notes[0].startswith("big waits for memory")


def test_a_toy_answers_where_the_default_never_fits() -> None:
    assert planned(models(**TOYS, budget=GB // 100), language="es").model == "toy"
    assert planned(models(**TOYS, budget=GB // 100)).model == "toy"


def test_a_model_that_somebody_names_is_never_replaced() -> None:
    with pytest.raises(NotFound):
        planned(models(), context=Context(model="none"))
    with pytest.raises(NoMemory, match="large needs"):
        planned(models(budget=GB // 2), context=Context(model="large"))


def test_a_request_too_long_for_the_default_goes_to_a_longer_window() -> None:
    long = card("long", parameters=9_000, context_length=100_000)
    fake = models(cards=(SMALL, long), needed={"small": GB, "long": GB})
    plan = planned(fake, prompt="word " * 3_000)
    assert plan.model == "long" and "lacks a window for 3,000 tokens" in plan.notes[0]


def test_a_default_that_never_fits_makes_way_for_one_that_does() -> None:
    fake = models(cards=(LARGE, SMALL, CODER), budget=GB // 2)
    plan = planned(fake)
    assert plan.model == "small" and plan.strategy == "optimized"
    assert "large needs" in plan.notes[0] and "the budget is 512.0 MiB" in plan.notes[0]


def test_what_can_never_fit_is_refused_with_what_would_be_needed() -> None:
    with pytest.raises(NoMemory, match=r"small needs 102\.4 MiB even streamed, the budget is 50\.0 MiB.*LAB_MAX_VRAM"):
        planned(models(budget=50 * 2**20))


def test_pinned_models_leave_less_to_the_others() -> None:
    held = in_memory("large", pinned=True)
    plan = planned(models(budget=9 * GB + GB // 2, resident=[held]))
    assert plan.strategy == "optimized" and "of which pinned models hold 9.0 GiB" in plan.notes[0]


def test_a_model_that_waits_for_memory_says_so() -> None:
    fake = models(budget=9 * GB, resident=[in_memory("large", leases=2)])
    plan = planned(fake, context=Context(model="small"))
    assert plan.model == "small"
    assert plan.notes == ("small waits for memory: it needs 1.0 GiB, 9.0 GiB of 9.0 GiB are in use by 2 calls",)


def test_who_would_wait_makes_way_for_a_loaded_model_that_can_answer() -> None:
    fake = models(budget=9 * GB, resident=[in_memory("large", leases=2)])
    plan = planned(fake)
    assert (plan.model, plan.load_bytes) == ("large", 0)
    assert plan.notes == ("large is loaded, small would have to wait for memory",)


def test_an_idle_model_in_the_way_is_no_reason_to_wait() -> None:
    plan = planned(models(budget=9 * GB, resident=[in_memory("large")]))
    assert (plan.model, plan.notes) == ("small", ())


def test_another_model_answers_when_one_has_failed_twice() -> None:
    plan = planned(models(), tried=[("small", "standard"), ("small", "standard")])
    assert plan.model == "coder" and "other_model" in plan.remedies
    assert plan.notes[0] == "coder instead of small, which failed"
    assert plan.sampling.temperature == 0.0


def test_the_model_that_did_best_answers_when_there_is_no_other() -> None:
    fake = models(absent=["coder"])
    plan = planned(fake, tried=[("small", "standard"), ("large", "standard")])
    assert "other_model" not in plan.remedies and plan.model == "small"
    assert plan.sampling.temperature > 0


def test_four_bits_that_wrote_noise_are_followed_by_full_precision_where_it_fits() -> None:
    tried: list[tuple[str, Strategy]] = [("small", "optimized")]
    plan = planned(models(default_strategy="optimized"), tried=tried, reasons=("gibberish",))
    assert plan.strategy == "standard" and "full precision instead of 4 bits" in plan.notes
    fake = models(default_strategy="optimized", budget=GB // 2)
    assert planned(fake, tried=tried, reasons=("gibberish",)).strategy == "optimized"
    context = Context(strategy="optimized")
    assert planned(models(), context=context, tried=tried, reasons=("gibberish",)).strategy == "optimized"


def test_a_limit_of_the_caller_is_not_raised() -> None:
    tried: list[tuple[str, Strategy]] = [("small", "standard")]
    plan = planned(models(), context=Context(max_tokens=30), tried=tried, reasons=("truncated",))
    assert plan.sampling.max_tokens == 30 and plan.remedies == ("say_the_reason",)
    more = planned(models(), tried=tried, reasons=("truncated",))
    assert more.sampling.max_tokens == 200 and more.notes == ("truncated: up to 200 tokens",)


def test_no_plan_is_made_twice() -> None:
    plans = [planned(models(absent=["coder", "large"]), tried=[("small", "standard")] * done) for done in range(5)]
    assert len({plan.sampling.model_dump_json() for plan in plans}) == 5
    assert [plan.attempt for plan in plans] == [1, 2, 3, 4, 5]


def test_what_follows_a_plugin_is_a_first_attempt() -> None:
    state = RunState(
        task=Task(prompt="Hi"),
        analysis=Analysis(kind="conversation", confidence=1.0, language="en"),
        attempts=[Attempt(number=1, model="my plugin", answer="x", metrics=METRICS)],
        verdicts=[Verdict(score=0.0, passed=False, reasons=(Reason(name="empty"),))],
    )
    plan = Planner(state, Context(), models()).plan()
    assert (plan.attempt, plan.model, plan.remedies) == (2, "small", ("none",))


def reading(budget: int, *resident: Resident) -> Reading:
    return Reading(
        device="cpu", ram_total_bytes=32 * GB, ram_free_bytes=16 * GB, budget_bytes=budget, resident=resident
    )


def needs(standard: int, optimized: int, streaming: int) -> Callable[[Strategy], int]:
    sizes: dict[Strategy, int] = {"standard": standard, "optimized": optimized, "streaming": streaming}
    return sizes.__getitem__


@pytest.mark.parametrize(
    ("wanted", "budget", "chosen", "noted"),
    [
        ("standard", 10 * GB, "standard", False),
        ("standard", 6 * GB, "optimized", True),
        ("optimized", 6 * GB, "optimized", False),
        ("standard", 2 * GB, "streaming", True),
        ("optimized", 2 * GB, "streaming", True),
        ("streaming", 2 * GB, "streaming", False),
    ],
)
def test_a_model_that_never_fits_whole_is_loaded_in_four_bits_or_streamed(
    wanted: Strategy, budget: int, chosen: Strategy, noted: bool
) -> None:
    strategy, notes = choose_strategy("m", wanted, reading(budget), needs(8 * GB, 4 * GB, GB))
    assert strategy == chosen and bool(notes) == noted


def test_a_model_in_memory_stays_as_it_is() -> None:
    resident = Resident(name="m", strategy="standard", size_bytes=8 * GB, leases=0, last_used=0.0)
    assert choose_strategy("m", "standard", reading(6 * GB, resident), needs(8 * GB, 4 * GB, GB)) == ("standard", ())
