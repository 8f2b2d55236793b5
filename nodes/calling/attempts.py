"""An attempt as its own conversation tells it: parts answered, tools called, what it cost. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from nodes.costs import add_metrics, metrics_of
from nodes.planning.splitting import join_answers
from state.models import CallMetrics
from state.tasks import Attempt, Plan, ToolUse


def ends(scratch: Sequence[AnyMessage]) -> list[int]:
    """Where in `scratch` a request, or a part of one, was answered: the model's messages that no tool's follows."""
    return [
        place
        for place, message in enumerate(scratch)
        if isinstance(message, AIMessage)
        and (place + 1 == len(scratch) or not isinstance(scratch[place + 1], ToolMessage))
    ]


def tool_rounds(scratch: Sequence[AnyMessage]) -> int:
    """How often the model has asked for tools."""
    return sum(isinstance(message, AIMessage) and bool(message.tool_calls) for message in scratch)


def finish_attempt(plan: Plan, scratch: Sequence[AnyMessage], prompt: str = "") -> Attempt:
    """The attempt that `scratch` tells: its answer is what the model said last, or last about each part of `prompt`."""
    replies = [message for message in scratch if isinstance(message, AIMessage)]
    finals = [message for place in ends(scratch) if isinstance(message := scratch[place], AIMessage)]
    texts = [final.text.strip() for final in finals]
    metrics: CallMetrics | None = None
    for reply in replies:
        metrics = add_metrics(metrics, metrics_of(reply, model=plan.model, strategy=plan.strategy))
    assert metrics is not None, "an attempt holds at least its answer"
    return Attempt(
        number=plan.attempt,
        model=plan.model,
        strategy=plan.strategy,
        answer=join_answers(prompt, texts) if plan.parts else texts[-1],
        finish_reason=_worst_end(finals),
        sampling=plan.sampling,
        remedies=plan.remedies,
        tools=_uses(scratch),
        metrics=metrics,
        message_id=finals[-1].id,
    )


def _worst_end(finals: Sequence[AIMessage]) -> str:
    """How the answer ended; that one part was cut is what counts."""
    reasons = [str(final.response_metadata.get("finish_reason", "stop")) for final in finals]
    return "length" if "length" in reasons else reasons[-1]


def _uses(scratch: Sequence[AnyMessage]) -> tuple[ToolUse, ...]:
    """The tool calls that were answered or could have been, with their answers."""
    uses: list[ToolUse] = []
    last = set(ends(scratch))
    for place, message in enumerate(scratch):
        if not isinstance(message, AIMessage) or place in last:
            continue
        outputs = _answers_after(scratch[place + 1 :])
        for call in message.tool_calls:
            answer = outputs.get(call["id"] or "")
            uses.append(
                ToolUse(
                    name=call["name"],
                    arguments=call["args"],
                    output=answer.text if answer is not None else "",
                    failed=answer is None or answer.status == "error",
                )
            )
    return tuple(uses)


def _answers_after(messages: Sequence[AnyMessage]) -> dict[str, ToolMessage]:
    """The tools' messages that follow at once, by the call they answer: models use the same ids again later on."""
    found: dict[str, ToolMessage] = {}
    for message in messages:
        if not isinstance(message, ToolMessage):
            break
        found[message.tool_call_id] = message
    return found
