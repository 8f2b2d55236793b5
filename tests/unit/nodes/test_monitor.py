"""The resource monitor: strategies that fit, and retries that change something."""

from collections.abc import Callable

import pytest

from nodes.monitor import choose_strategy, next_sampling
from state.context import Context
from state.errors import NoMemory
from state.models import Strategy
from state.resources import Reading, Resident
from state.tasks import Attempt, Reason, Verdict
from tests.unit.nodes.values import METRICS

GB = 2**30


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
def test_a_model_that_never_fits_whole_is_loaded_in_four_bits_or_streamed(wanted, budget, chosen, noted) -> None:
    strategy, notes = choose_strategy("m", wanted, reading(budget), needs(8 * GB, 4 * GB, GB))
    assert strategy == chosen and bool(notes) == noted


def test_a_model_in_memory_stays_as_it_is() -> None:
    resident = Resident(name="m", strategy="standard", size_bytes=8 * GB, leases=0, last_used=0.0)
    assert choose_strategy("m", "standard", reading(6 * GB, resident), needs(8 * GB, 4 * GB, GB)) == ("standard", ())


def test_what_can_never_fit_is_refused_with_the_numbers() -> None:
    with pytest.raises(NoMemory, match=r"needs 1\.0 GiB even streamed, the budget is 512\.0 MiB"):
        choose_strategy("m", "standard", reading(GB // 2), needs(8 * GB, 4 * GB, GB))


def attempt(number: int) -> Attempt:
    return Attempt(number=number, model="m", strategy="standard", answer="x", metrics=METRICS)


def test_the_first_attempt_is_what_the_run_asked_for() -> None:
    sampling, remedies = next_sampling(Context(temperature=0.2, max_tokens=50, seed=7), [], [], usual_tokens=100)
    assert (sampling.temperature, sampling.max_tokens, sampling.seed, remedies) == (0.2, 50, 7, ("none",))


def test_every_retry_differs_from_the_attempt_before() -> None:
    low = Verdict(score=0.1, passed=False, reasons=(Reason(name="echo"),))
    plans = [
        next_sampling(Context(), [attempt(i + 1) for i in range(done)], [low] * done, usual_tokens=100)[0]
        for done in range(5)
    ]
    assert len({plan.model_dump_json() for plan in plans}) == 5
    assert [plan.temperature for plan in plans] == [0.0, 0.4, 0.7, 0.9, 0.9]


def test_an_answer_that_ran_out_of_tokens_gets_more_unless_a_limit_was_set() -> None:
    cut = Verdict(score=0.5, passed=False, reasons=(Reason(name="truncated"),))
    assert next_sampling(Context(), [attempt(1)], [cut], usual_tokens=100)[0].max_tokens == 200
    assert next_sampling(Context(max_tokens=30), [attempt(1)], [cut], usual_tokens=100)[0].max_tokens == 30
