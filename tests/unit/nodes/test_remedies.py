"""What a retry changes: a table from reasons to remedies, escalation, and never the same attempt twice."""

import pytest

from nodes.planning.remedies import COURSES, KEPT, next_remedies, next_sampling, repeats
from state.models import ModelCard, Sampling
from state.tasks import Attempt, Reason, Remedy, Verdict
from tests.unit.nodes.values import METRICS

CARD = ModelCard(name="m", path="m", context_length=1_000, max_output_tokens=100)
ALWAYS: frozenset[Remedy] = frozenset(
    {"say_the_reason", "raise_temperature", "stricter_format", "add_tools", "more_tokens"}
)


def attempt(number: int = 1, *remedies: Remedy, **sampling: float) -> Attempt:
    return Attempt(
        number=number,
        model="m",
        strategy="standard",
        answer="x",
        metrics=METRICS,
        remedies=remedies or ("none",),
        sampling=Sampling.model_validate(sampling),
    )


def verdict(*names: str, score: float = 0.1) -> Verdict:
    return Verdict(score=score, passed=False, reasons=tuple(Reason(name=name) for name in names))


def simple(remedy: Remedy) -> bool:
    """A greedy first attempt of the only model, on a request that is one."""
    return remedy in ALWAYS


def test_the_first_attempt_changes_nothing() -> None:
    assert next_remedies([], []) == ("none",)


@pytest.mark.parametrize(
    ("reason", "first", "again"),
    [
        ("empty", {"raise_temperature", "more_tokens"}, {"say_the_reason", "raise_temperature"}),
        ("truncated", {"more_tokens"}, {"more_tokens"}),
        ("repetition", {"raise_temperature"}, {"raise_temperature"}),
        ("gibberish", {"raise_temperature"}, {"raise_temperature"}),
        ("template_leak", {"say_the_reason", "raise_temperature"}, {"say_the_reason", "raise_temperature"}),
        ("echo", {"say_the_reason", "raise_temperature"}, {"say_the_reason", "raise_temperature"}),
        ("wrong_language", {"say_the_reason", "stricter_format"}, {"stricter_format", "raise_temperature"}),
        ("refusal", {"say_the_reason"}, {"say_the_reason", "raise_temperature"}),
        ("malformed_json", {"say_the_reason", "stricter_format"}, {"say_the_reason", "stricter_format"}),
        ("no_code", {"say_the_reason", "stricter_format"}, {"say_the_reason", "stricter_format"}),
        ("broken_constraint", {"say_the_reason", "stricter_format"}, {"say_the_reason", "stricter_format"}),
        (
            "wrong_arithmetic",
            {"say_the_reason", "add_tools"},
            {"say_the_reason", "add_tools", "raise_temperature"},
        ),
        ("wrong_result", {"say_the_reason", "add_tools"}, {"say_the_reason", "add_tools", "raise_temperature"}),
        ("unfinished_list", {"more_tokens"}, {"say_the_reason", "more_tokens"}),
        ("off_topic", {"say_the_reason"}, {"say_the_reason", "raise_temperature"}),
        ("judged_low", {"say_the_reason"}, {"say_the_reason", "raise_temperature"}),
        ("a_plug_ins_own", {"say_the_reason", "raise_temperature"}, {"say_the_reason", "raise_temperature"}),
    ],
)
def test_each_reason_has_its_course(reason: str, first: set[Remedy], again: set[Remedy]) -> None:
    assert set(next_remedies([attempt()], [verdict(reason)], simple)) == first
    twice = next_remedies([attempt(), attempt(2)], [verdict(reason)] * 2, simple)
    assert set(twice) == again


def test_every_course_does_something_even_where_little_can_be_had() -> None:
    for reason in COURSES:
        assert next_remedies([attempt()], [verdict(reason)], lambda remedy: remedy == "say_the_reason")


def test_an_answer_that_is_rejected_without_a_reason_is_asked_for_differently() -> None:
    assert next_remedies([attempt()], [verdict()], simple) == ("say_the_reason", "raise_temperature")


def test_what_cannot_be_had_is_left_out_and_the_reason_said_instead() -> None:
    assert next_remedies([attempt()], [verdict("truncated")], lambda remedy: False) == ("say_the_reason",)
    assert next_remedies([attempt()], [verdict("gibberish")], lambda remedy: False) == ("raise_temperature",)


@pytest.mark.parametrize("remedy", ["other_model", "other_strategy", "split_task"])
def test_the_second_failure_escalates_to_the_first_that_can_be_had(remedy: Remedy) -> None:
    def can(wanted: Remedy) -> bool:
        return simple(wanted) or wanted == remedy

    once = next_remedies([attempt()], [verdict("judged_low")], can)
    twice = next_remedies([attempt(), attempt(2)], [verdict("judged_low")] * 2, can)
    assert remedy not in once and remedy in twice
    assert len({"other_model", "other_strategy", "split_task"} & set(twice)) == 1


def test_another_model_starts_with_the_settings_of_the_run() -> None:
    remedies = next_remedies([attempt(), attempt(2)], [verdict("repetition")] * 2)
    assert "other_model" in remedies
    assert not {"raise_temperature", "lower_temperature", "other_strategy"} & set(remedies)
    hot = attempt(2, temperature=0.9, max_tokens=70)
    sampling = next_sampling(Sampling(temperature=0.2), remedies, [attempt(), hot], [], CARD)
    assert (sampling.temperature, sampling.max_tokens) == (0.2, None)


def test_what_a_retry_brought_stays_unless_answers_got_worse() -> None:
    tries = [attempt(), attempt(2, *KEPT)]
    better = next_remedies(tries, [verdict("empty"), verdict("truncated", score=0.5)])
    assert set(KEPT) <= set(better)
    worse = next_remedies(tries, [verdict("empty", score=0.5), verdict("truncated")], simple)
    assert not set(KEPT) & set(worse)


def test_two_reasons_do_not_undo_each_other_the_graver_decides() -> None:
    gibberish, echo = Reason(name="gibberish", weight=0.9), Reason(name="echo", weight=0.3)
    both = Verdict(score=0.0, passed=False, reasons=(echo, gibberish))
    remedies = next_remedies([attempt()], [both])
    assert "lower_temperature" in remedies and "raise_temperature" not in remedies


def test_a_hint_of_a_human_is_always_said() -> None:
    assert next_remedies([attempt()], [verdict("truncated")], simple, hint="shorter")[0] == "say_the_reason"
    assert next_remedies([], [], hint="after a plugin of the user's own") == ("say_the_reason",)


@pytest.mark.parametrize(
    ("before", "remedy", "after"),
    [
        (0.0, "raise_temperature", 0.7),
        (0.7, "raise_temperature", 0.9),
        (0.9, "raise_temperature", 1.0),
        (1.5, "raise_temperature", 1.5),
        (0.7, "lower_temperature", 0.35),
        (0.1, "lower_temperature", 0.0),
        (0.3, "say_the_reason", 0.3),
    ],
)
def test_temperature_climbs_and_halves(before: float, remedy: Remedy, after: float) -> None:
    sampling = next_sampling(Sampling(), [remedy], [attempt(temperature=before)], [], CARD)
    assert sampling.temperature == pytest.approx(after, abs=0.01)


def test_more_tokens_double_up_to_the_window() -> None:
    asked = [None, 200, 400, 800]
    for before, after in zip(asked, [200, 400, 800, 1_000], strict=True):
        last = [Attempt.model_validate({**attempt().model_dump(), "sampling": {"max_tokens": before}})]
        assert next_sampling(Sampling(), ["more_tokens"], last, [], CARD).max_tokens == after


def test_a_loop_is_penalised_from_then_on() -> None:
    once = next_sampling(Sampling(), ["raise_temperature"], [attempt()], [Reason(name="repetition")], CARD)
    assert once.repetition_penalty == 1.1
    last = [attempt(repetition_penalty=1.1)]
    assert next_sampling(Sampling(), ["say_the_reason"], last, [], CARD).repetition_penalty == 1.1


def test_only_a_greedy_plan_can_repeat_an_attempt() -> None:
    before = [attempt(1, "none"), attempt(2, "say_the_reason")]
    cases: list[tuple[tuple[Remedy, ...], Sampling, str, bool]] = [
        (("say_the_reason",), Sampling(), "m", True),
        (("lower_temperature",), Sampling(), "m", True),
        (("say_the_reason",), Sampling(temperature=0.7), "m", False),
        (("say_the_reason",), Sampling(max_tokens=9), "m", False),
        (("say_the_reason",), Sampling(), "other", False),
        (("say_the_reason", "add_tools"), Sampling(), "m", False),
    ]
    for remedies, sampling, model, same in cases:
        assert repeats(before, remedies, sampling, model, "standard") is same
