"""What a run asks a human, and what it takes for an answer. Pure: from values to values.

A question is JSON of our own (`about`, `question`, `choices` and what there is to see) with the two keys that chat
front ends for LangGraph draw forms from: `action_requests` and `review_configs`. An answer is taken in either shape:

    "approve"                                                          a bare word, for everything that is asked
    {"decision": "edit", "answer": "…"}                                ours: answer | args | model, strategy | hint
    {"decisions": [{"type": "edit", "edited_action": {"args": {…}}}]}  the front ends', one for each action request
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeGuard

from pydantic import BaseModel, ConfigDict, ValidationError

from state.models import Strategy
from state.tasks import Decision, LoadDecision

Question = dict[str, Any]

SCORE = ("accept", "edit", "retry", "reject")
LOAD = ("approve", "edit", "reject")
TOOLS = ("approve", "edit", "respond", "reject")
_FRONT_END_WORDS = {"accept": "approve", "retry": "respond"}


class CallDecision(BaseModel):
    """What becomes of one tool call: made with these arguments, or answered with this message in the tool's place."""

    model_config = ConfigDict(frozen=True)

    decision: Literal["approve", "edit", "reject", "respond"]
    name: str
    args: dict[str, Any]
    message: str = ""


class _Reply(BaseModel):
    """One answer in our own words, whatever shape it came in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    decision: Literal["accept", "approve", "edit", "retry", "respond", "reject"]
    answer: str | None = None
    name: str | None = None
    args: dict[str, Any] | None = None
    model: str | None = None
    strategy: Strategy | None = None
    hint: str | None = None
    message: str | None = None

    @property
    def words(self) -> str | None:
        return (self.hint or self.message or "").strip() or None


def question(
    about: str,
    text: str,
    choices: Sequence[str],
    actions: Sequence[tuple[str, Mapping[str, Any], str]],
    /,
    **seen: Any,
) -> Question:
    """What a run interrupts with: `actions` are name, arguments and description of what is to be decided."""
    allowed = [_FRONT_END_WORDS.get(word, word) for word in choices]
    return {
        "about": about,
        "question": text,
        "choices": list(choices),
        **seen,
        "action_requests": [{"name": name, "args": dict(args), "description": told} for name, args, told in actions],
        "review_configs": [{"action_name": name, "allowed_decisions": allowed} for name, _, _ in actions],
    }


def read_score(asked: Question, value: object) -> Decision:
    """What becomes of an answer with a low score. Raises ValueError in one line."""
    reply = _only(asked, value)
    match reply.decision:
        case "accept" | "approve":
            return Decision(decision="accept")
        case "edit":
            text = reply.answer if reply.answer is not None else (reply.args or {}).get("answer")
            if not isinstance(text, str) or not text.strip():
                raise ValueError('answer: an edit needs the corrected text as "answer"')
            return Decision(decision="edit", answer=text)
        case "retry" | "respond":
            return Decision(decision="retry", hint=reply.words)
    return Decision(decision="reject", hint=reply.words)


def read_load(asked: Question, value: object) -> LoadDecision:
    """What becomes of an expensive load. Raises ValueError in one line."""
    reply = _only(asked, value)
    planned = asked["action_requests"][0]["args"]
    match reply.decision:
        case "accept" | "approve":
            return LoadDecision(decision="approve", **planned)
        case "edit":
            return _chosen_load(reply, planned)
        case "reject":
            return LoadDecision(decision="reject", message=reply.words, **planned)
    raise ValueError(_not_taken(asked, reply.decision))


def read_calls(asked: Question, value: object) -> tuple[CallDecision, ...]:
    """What becomes of each tool call that was asked about, in their order. Raises ValueError in one line."""
    requests = asked["action_requests"]
    replies = _replies(asked, value)
    if not _is_list(value):
        if len(requests) > 1 and replies[0].decision in ("edit", "respond"):
            raise ValueError(f'decision: {len(requests)} tool calls wait; send {{"decisions": […]}} with one for each')
        replies = replies * len(requests)
    if len(replies) != len(requests):
        raise ValueError(f"decisions: {len(requests)} calls wait, {len(replies)} decisions came; send one for each")
    return tuple(
        _call_decision(asked, request["name"], request["args"], reply)
        for request, reply in zip(requests, replies, strict=True)
    )


Answer = Decision | LoadDecision | tuple[CallDecision, ...]
READERS: Mapping[str, Callable[[Question, object], Answer]] = {
    "score": read_score,
    "load": read_load,
    "tools": read_calls,
}


def read_answer(asked: Any, value: object) -> Answer | None:
    """An answer to any of our questions; None where the question is not ours, as a plug-in's. Raises ValueError."""
    reader = READERS.get(str(asked.get("about"))) if isinstance(asked, dict) else None
    return reader(asked, value) if reader is not None else None


def _chosen_load(reply: _Reply, planned: Mapping[str, Any]) -> LoadDecision:
    wanted = {"model": reply.model, "strategy": reply.strategy, **(reply.args or {})}
    wanted = {name: each for name, each in wanted.items() if each is not None}
    if not wanted:
        raise ValueError('model: an edit names another "model" or "strategy" to load')
    if unknown := wanted.keys() - {"model", "strategy"}:
        raise ValueError(f'args: {", ".join(sorted(unknown))} cannot be set; an edit names "model" or "strategy"')
    try:
        return LoadDecision.model_validate({"decision": "edit", "model": planned["model"], **wanted})
    except ValidationError as error:
        raise ValueError(_first(error)) from error


def _call_decision(asked: Question, name: str, args: dict[str, Any], reply: _Reply) -> CallDecision:
    match reply.decision:
        case "accept" | "approve":
            return CallDecision(decision="approve", name=name, args=args)
        case "edit":
            if reply.args is None:
                raise ValueError('args: an edit needs the corrected arguments as "args"')
            offered = asked.get("tools", [name])
            if reply.name is not None and reply.name not in offered:
                raise ValueError(f"name: '{reply.name[:80]}' is not offered; name one of: {', '.join(offered)}")
            return CallDecision(decision="edit", name=reply.name or name, args=reply.args)
        case "reject":
            return CallDecision(decision="reject", name=name, args=args, message=reply.words or "")
        case "respond":
            if reply.words is None:
                raise ValueError('message: to respond in the tool\'s place, say what it answers as "message"')
            return CallDecision(decision="respond", name=name, args=args, message=reply.words)
    raise ValueError(_not_taken(asked, reply.decision))


def _only(asked: Question, value: object) -> _Reply:
    replies = _replies(asked, value)
    if len(replies) != 1:
        raise ValueError(f"decisions: one thing is asked, {len(replies)} decisions came; send one")
    wanted = asked["action_requests"][0]["name"]
    if replies[0].name not in (None, wanted):
        raise ValueError(f"name: only '{wanted}' can be edited here")
    return replies[0]


def _replies(asked: Question, value: object) -> list[_Reply]:
    if not _is_list(value):
        return [_reply(asked, value)]
    given = value["decisions"]
    if not isinstance(given, list):
        raise ValueError("decisions: send a list, one decision for each action request")
    return [_reply(asked, each) for each in given]


def _reply(asked: Question, value: object) -> _Reply:
    if isinstance(value, str):
        value = {"decision": value.strip().lower()}
    elif isinstance(value, Mapping) and "type" in value:
        value = _from_front_end(value)
    wanted = f'send {{"decision": "{"|".join(asked["choices"])}"}}'
    if not isinstance(value, Mapping):
        raise ValueError(f"{type(value).__name__} is no decision; {wanted}")
    try:
        return _Reply.model_validate(value)
    except ValidationError as error:
        raise ValueError(f"{_first(error)}; {wanted}") from error


def _from_front_end(value: Mapping[str, Any]) -> dict[str, Any]:
    edited = value.get("edited_action")
    action = {key: edited.get(key) for key in ("name", "args")} if isinstance(edited, Mapping) else {}
    rest = {key: each for key, each in value.items() if key not in ("type", "edited_action")}
    return {**rest, **action, "decision": value["type"]}


def _is_list(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping) and "decisions" in value


def _not_taken(asked: Question, word: str) -> str:
    return f"decision: '{word}' is not taken here; send one of: {', '.join(asked['choices'])}"


def _first(error: ValidationError) -> str:
    wrong = error.errors()[0]
    return f"{'.'.join(str(part)[:80] for part in wrong['loc']) or 'value'}: {wrong['msg']}"
