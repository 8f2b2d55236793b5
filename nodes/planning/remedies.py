"""What a retry changes because of what was wrong: a table from reasons to remedies, and the rules around it. Pure.

A reason that comes back goes one step further in its course. From the second failure on, whatever the reasons, another
model, another strategy or smaller parts are tried where there are any. No attempt is made twice: when nothing else
would differ from an attempt before, the sampling does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType

from state.models import ModelCard, Sampling
from state.tasks import Attempt, Reason, Remedy, Verdict

Course = tuple[tuple[Remedy, ...], ...]
"""Remedies for the first, second, … answer with the same fault; the last step stands for all later ones."""

_SAY: Course = (("say_the_reason",), ("say_the_reason", "raise_temperature"))
_FORM: Course = (("say_the_reason", "stricter_format"), ("say_the_reason", "stricter_format", "lower_temperature"))
_TOOLS: Course = (("say_the_reason", "add_tools"), ("say_the_reason", "add_tools", "raise_temperature"))
_LOST: Course = (("lower_temperature", "other_strategy"), ("other_model", "raise_temperature"))

COURSES = MappingProxyType[str, Course](
    {
        # A model that is shown its own loop or noise goes on with it: these are asked afresh, the answer is not shown.
        "empty": (("raise_temperature", "more_tokens"), ("say_the_reason", "raise_temperature")),
        "truncated": (("more_tokens",), ("more_tokens",), ("more_tokens", "split_task")),
        "repetition": (("raise_temperature", "other_strategy"), ("raise_temperature", "other_model")),
        "gibberish": _LOST,
        "template_leak": (("say_the_reason", "raise_temperature"),),
        "echo": (("say_the_reason", "raise_temperature"),),
        "wrong_language": (("say_the_reason", "stricter_format"), ("stricter_format", "raise_temperature")),
        "refusal": (("say_the_reason", "other_model"), ("say_the_reason", "raise_temperature", "other_model")),
        "no_code": _FORM,
        "malformed_code": _FORM,
        "missing_name": _FORM,
        "malformed_json": _FORM,
        "missing_keys": _FORM,
        "broken_constraint": _FORM,
        "long_summary": _FORM,
        "untranslated": _FORM,
        "wrong_arithmetic": _TOOLS,
        "wrong_result": _TOOLS,
        "unfinished_list": (("split_task", "more_tokens"), ("say_the_reason", "more_tokens", "split_task")),
        "off_topic": (("say_the_reason", "other_model"), ("say_the_reason", "raise_temperature", "other_model")),
        "judged_low": _SAY,
    }
)
UNKNOWN: Course = (("say_the_reason", "raise_temperature"),)
"""For a plug-in's reasons, and for an answer that is rejected without one."""

ESCALATION: tuple[Remedy, ...] = ("other_model", "other_strategy", "split_task")
"""The first of these that can be done joins the second retry and later ones."""

KEPT: tuple[Remedy, ...] = ("add_tools", "stricter_format", "split_task")
"""What a retry brought stays for the next one, unless the answers got worse with it."""

TEMPERATURES = (0.7, 0.9, 1.0)
"""Rungs that `raise_temperature` climbs; a call at the same prompt and temperature 0 gives the same answer."""
RETRY_TOP_P = 0.95
LOOP_PENALTY = 1.1
"""Repetition penalty after an answer that ran in a loop; 1.0 is none, and from 1.2 on models lose their commas."""


def next_remedies(
    attempts: Sequence[Attempt],
    verdicts: Sequence[Verdict],
    possible: Callable[[Remedy], bool] = lambda remedy: True,
    *,
    hint: str | None = None,
) -> tuple[Remedy, ...]:
    """What the next attempt changes; `("none",)` for a model's first. The n-th verdict is the n-th attempt's.

    `possible` says whether a remedy can be had: tokens left in the window, another model here, a request with parts. It
    is asked only for what is wanted, since it may look at files. `hint`: of a human, who is told to the model.
    """
    if not attempts:
        return ("say_the_reason",) if hint else ("none",)
    wanted = dict.fromkeys([*_for_reasons(verdicts), *_kept(attempts, verdicts)])
    chosen = [remedy for remedy in wanted if possible(remedy)]
    if len(attempts) > 1 and not set(ESCALATION) & set(chosen):
        chosen += [remedy for remedy in ESCALATION if possible(remedy)][:1]
    if hint:
        chosen.insert(0, "say_the_reason")
    if not chosen:  # a model that may not write more can be told to write less
        chosen.append("say_the_reason" if "more_tokens" in wanted else "raise_temperature")
    return tuple(dict.fromkeys(_with_other_model(chosen) if "other_model" in chosen else chosen))


def next_sampling(
    asked: Sampling, remedies: Sequence[Remedy], attempts: Sequence[Attempt], reasons: Sequence[Reason], card: ModelCard
) -> Sampling:
    """Settings of the next attempt. `asked`: what the run asked for, which is the first attempt's and another model's.

    More tokens double what the last attempt had, within the window of `card`.
    """
    if not attempts:
        return asked
    last = attempts[-1].sampling
    temperature, max_tokens = last.temperature, asked.max_tokens or last.max_tokens
    if "other_model" in remedies:
        temperature, max_tokens = asked.temperature, asked.max_tokens
    if "more_tokens" in remedies and asked.max_tokens is None:
        max_tokens = min(2 * (last.max_tokens or card.max_output_tokens), card.context_length)
    if "raise_temperature" in remedies:
        temperature = next((rung for rung in TEMPERATURES if rung > temperature), max(temperature, TEMPERATURES[-1]))
    elif "lower_temperature" in remedies:
        temperature = round(temperature / 2, 2) if temperature > 0.1 else 0.0
    looped = any(reason.name == "repetition" for reason in reasons)
    return asked.model_copy(
        update={
            "temperature": temperature,
            "top_p": min(asked.top_p, RETRY_TOP_P) if temperature else asked.top_p,
            "repetition_penalty": LOOP_PENALTY if looped else last.repetition_penalty,
            "max_tokens": max_tokens,
            "seed": (asked.seed or 0) + len(attempts),
        }
    )


def repeats(
    attempts: Sequence[Attempt], remedies: Sequence[Remedy], sampling: Sampling, model: str, strategy: str
) -> bool:
    """Whether a greedy plan would most likely give an answer that was there already.

    That is so when an attempt of the same model was greedy, had the same room and was asked the same way; and when the
    reasons are said again after an answer that they did not change. What is sampled has a seed of its own.
    """
    if sampling.temperature:
        return False

    def way(taken: Sequence[Remedy], settings: Sampling, name: str, how: str | None) -> tuple[object, ...]:
        form = frozenset(taken) & {"say_the_reason", "add_tools", "stricter_format", "split_task"}
        return form, settings.temperature, settings.repetition_penalty, settings.max_tokens, name, how

    planned = way(remedies, sampling, model, strategy)
    return any(planned == way(a.remedies, a.sampling, a.model, a.strategy) for a in attempts)


def _for_reasons(verdicts: Sequence[Verdict]) -> list[Remedy]:
    """The remedies for the last verdict's reasons, the gravest first."""
    reasons = sorted(verdicts[-1].reasons, key=lambda reason: -reason.weight) if verdicts else []
    wanted: list[Remedy] = []
    for name in dict.fromkeys(reason.name for reason in reasons):
        course = COURSES.get(name, UNKNOWN)
        times = sum(any(reason.name == name for reason in verdict.reasons) for verdict in verdicts)
        wanted += course[min(times, len(course)) - 1]
    if not reasons:
        wanted += UNKNOWN[0]
    return _one_direction(wanted)


def _one_direction(wanted: Sequence[Remedy]) -> list[Remedy]:
    """Without the later of two remedies that undo each other: the graver reason decides."""
    up, down = "raise_temperature", "lower_temperature"
    if up in wanted and down in wanted:
        drop = max(up, down, key=lambda remedy: list(wanted).index(remedy))  # type: ignore[arg-type]
        return [remedy for remedy in wanted if remedy != drop]
    return list(wanted)


def _kept(attempts: Sequence[Attempt], verdicts: Sequence[Verdict]) -> list[Remedy]:
    if len(verdicts) > 1 and verdicts[-1].score < verdicts[-2].score:
        return []
    return [remedy for remedy in KEPT if remedy in attempts[-1].remedies]


def _with_other_model(chosen: Sequence[Remedy]) -> list[Remedy]:
    """Another model starts with the settings that the run asked for, and needs no other strategy yet."""
    return [r for r in chosen if r not in ("raise_temperature", "lower_temperature", "other_strategy")]
