"""Going on with a run that was cut or that waits for a human; a wrong answer is refused before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from langgraph.types import Command, Interrupt, StateSnapshot

from graphs.services import Services
from nodes.humans.decisions import Answer, read_answer
from nodes.humans.tools import check_arguments
from state.errors import BadRequest, Conflict, NotFound
from state.tasks import Decision, LoadDecision


def resume_input(
    thread_id: UUID, before: StateSnapshot, decision: object, interrupt_id: str | None, services: Services
) -> Command[Any] | None:
    """What the graph is given to go on: a human's answer, or None where nobody is asked.

    Raises Conflict when the thread waits for something else, BadRequest for an answer that is none to what it asks,
    NotFound for one that names a question or a model there is not.
    """
    if not before.next:
        why = "its last run is finished" if before.created_at else "no run of it has come to a checkpoint"
        raise Conflict(f"thread {thread_id} has nothing to resume: {why}")
    if not before.interrupts:
        if decision is not None:
            raise Conflict(f"thread {thread_id} asks for no decision; resume it without one")
        return None
    asked = _asked(thread_id, before.interrupts, interrupt_id)
    if decision is None:
        taken = ", ".join(choices_of(asked.value)) or "any JSON"
        raise Conflict(f"thread {thread_id} waits for a human: resume it with a decision ({taken})")
    try:
        _check(read_answer(asked.value, decision), services)
    except ValueError as error:
        raise BadRequest(f"decision: {error}") from error
    return Command(resume={asked.id: decision})


def choices_of(question: object) -> list[str]:
    """The words that answer a question; none where it is not one of ours."""
    choices = question.get("choices") if isinstance(question, Mapping) else None
    return [str(choice) for choice in choices] if isinstance(choices, list) else []


def _asked(thread_id: UUID, waiting: Sequence[Interrupt], interrupt_id: str | None) -> Interrupt:
    ids = ", ".join(pending.id for pending in waiting)
    if interrupt_id is not None:
        for pending in waiting:
            if pending.id == interrupt_id:
                return pending
        raise NotFound(f"thread {thread_id} asks no question '{interrupt_id}'; what waits: {ids}")
    if len(waiting) > 1:
        raise Conflict(f"thread {thread_id} asks {len(waiting)} questions; say which one with interrupt_id: {ids}")
    return waiting[0]


def _check(answer: Answer | None, services: Services) -> None:
    """What the node would find too, with another question; here it is told at once."""
    match answer:
        case None | Decision() | LoadDecision(decision="reject"):
            return
        case LoadDecision():
            services.models.card(answer.model)
        case _:
            tools = {tool.name: tool for tool in services.tools}
            for each in answer:
                if each.decision == "edit" and each.name in tools:
                    check_arguments(tools[each.name], each.args)
