"""EvaluatorAgent: scores an answer with the validator's checks and, where one is named, a model as judge."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import Field

from nodes.agents.config import AgentConfig, config_of, read_config
from nodes.agents.usage import counted
from nodes.analyze import analyze
from nodes.judge import judge, judged_reason
from nodes.teams.texts import text_of
from nodes.validate import PASS_SCORE, validate, verdict_of
from state.agent_ports import Agent, AgentCall, AgentNeeds
from state.agents import AgentRecord, AgentReply
from state.errors import BadRequest
from state.flows import AgentSpec
from state.ports import ChatModels
from state.tasks import Verdict

ANSWER_KEYS = ("answer", "response", "text")
REQUEST_KEYS = ("request", "query", "task", "prompt")
"""Under which an input may say outright what is scored, and what was asked for."""


class EvaluatorConfig(AgentConfig):
    """`next_if_passed`, `next_if_failed`: in an adaptive crew, who goes on, or `end`."""

    min_score: float = Field(PASS_SCORE, ge=0.0, le=1.0)
    judge: str | None = Field(None, min_length=1, description="catalogue name of a model that grades as well")
    next_if_passed: str | None = None
    next_if_failed: str | None = None


class EvaluatorKind:
    """The kind `EvaluatorAgent`. Fills `state.agent_ports.AgentKind`."""

    name = "EvaluatorAgent"
    description = "scores the answers it is given, 0 to 1, with the reasons; with config.judge a model grades as well"
    capabilities = ("evaluation",)

    def check(self, spec: AgentSpec) -> None:
        """Raises BadRequest for settings of the wrong type."""
        read_config(EvaluatorConfig, spec.config, spec.agent_id)

    def make(self, spec: AgentSpec, needs: AgentNeeds, record: AgentRecord | None = None) -> Agent:
        """Raises BadRequest as `check` does."""
        self.check(spec)
        return EvaluatorAgent(spec, needs.models)


class EvaluatorAgent:
    """One evaluator, ready to be asked. Fills `state.agent_ports.Agent`."""

    def __init__(self, spec: AgentSpec, models: ChatModels) -> None:
        self._spec = spec
        self._models = models

    async def process(self, call: AgentCall) -> AgentReply:
        """Score what the call brings. Raises BadRequest when it brings nothing, NotFound for an unknown judge."""
        config = read_config(EvaluatorConfig, config_of(self._spec, call), self._spec.agent_id)
        material = material_of(call)
        with counted() as usage:
            verdict = await self._verdict(material, config, call)
        told = words_of(verdict)
        output = {
            "score": verdict.score,
            "passed": verdict.passed,
            "reasons": [reason.model_dump() for reason in verdict.reasons],
            "response": told,
        }
        following = config.next_if_passed if verdict.passed else config.next_if_failed
        return AgentReply(
            output=output,
            text=told,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            model=config.judge,
            next=following if following in (*call.choices, "end") else None,
        )

    async def _verdict(self, material: Material, config: EvaluatorConfig, call: AgentCall) -> Verdict:
        """The checks' verdict; a judge comes beside them and can only lower the score, as in the orchestrator."""
        request, answer, least = material.request, material.answer, config.min_score
        # A long answer takes tens of milliseconds, and the first one reads a file.
        analysis = await asyncio.to_thread(analyze, request or answer, ())
        verdict = await asyncio.to_thread(partial(validate, request, answer, analysis, min_score=least))
        if config.judge is None or not verdict.passed:
            return verdict
        grade = await judge(self._models, config.judge, request, answer, analysis)
        reason = judged_reason(grade, verdict.score, least) if grade is not None else None
        return verdict if reason is None else verdict_of((*verdict.reasons, reason), least)


@dataclass(frozen=True)
class Material:
    """What is scored. `request` may be empty: then only what no answer should be is looked for."""

    request: str
    answer: str


def material_of(call: AgentCall) -> Material:
    """What a call brings: said outright in its input, or the answers of the steps before it in a crew or a flow.

    Raises BadRequest when there is no answer in it.
    """
    match call.input:
        case {"user_query": str(said), "context": Mapping() as context}:
            material = _of_crew(said, context)
        case {**given} if answer := _text_under(ANSWER_KEYS, given):
            material = Material(_text_under(REQUEST_KEYS, given), answer)
        case {**given}:
            material = _of_flow(call, given)
    if not material.answer.strip():
        raise BadRequest(f"agent '{call.agent_id}': there is no answer to score; let it follow a step that gives one")
    return material


def _of_crew(said: str, context: Mapping[str, Any]) -> Material:
    """An evaluator that goes first scores the text it is given."""
    first = not context.get("results")
    return Material("" if first else text_of(context.get("task")), said)


def _of_flow(call: AgentCall, given: Mapping[str, Any]) -> Material:
    """Answers by the step that gave them; what was asked is the step's prompt or, before the answers, the task."""
    answers = [text for output in given.values() if (text := text_of(output).strip())]
    if isinstance(call.config.get("prompt"), str):
        request = call.text
    else:
        before = call.text.partition(answers[0])[0] if answers else ""
        request = before.rpartition("\n\n")[0]
    return Material(request.strip(), "\n\n".join(answers))


def _text_under(keys: tuple[str, ...], given: Mapping[str, Any]) -> str:
    return next((said for key in keys if isinstance(said := given.get(key), str) and said.strip()), "")


def words_of(verdict: Verdict) -> str:
    """The verdict for reading: `passed with 0.9` and what was found."""
    said = f"{'passed' if verdict.passed else 'rejected'} with {verdict.score:g}"
    found = "; ".join(": ".join(filter(None, (reason.name, reason.evidence))) for reason in verdict.reasons)
    return f"{said}: {found}" if found else said
