"""What is kept of every run to list it and to find it by: what was asked, what was answered, a few figures. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from server.db.json_values import storable_text
from server.wire.values import encode

MOST = 50_000
"""Characters of a request and of an answer: two such texts of any script fit a tsvector, which holds 1 MB."""
MOST_METRICS = 4_096
"""Bytes of a result's metrics as JSON; larger ones are no metrics of ours and are left out."""
MOST_AGENTS = 100
MOST_NAME = 200

_HUMAN = ("human", "user", "HumanMessageChunk")
_AI = ("ai", "assistant", "AIMessageChunk")


def request_of(given: object) -> str | None:
    """What a run's input asks: its prompt or query, its last human message, else the input as JSON."""
    match given:
        case None | "":
            return None
        case str():
            return kept_text(given)
        case Mapping():
            said = _spoken(given.get("messages"), _HUMAN) if given.get("messages") else None
            for text in (given.get("prompt"), given.get("query"), said):
                if isinstance(text, str) and text.strip():
                    return kept_text(text)
            # Of a flow all that is asked may be in the fields.
            fields = given.get("input_data") if set(given) <= {"query", "input_data"} else given
            return kept_json(encode(fields)) if fields else None
    return kept_json(encode(given))


def answer_of(values: object, encoded: bytes) -> str | None:
    """What a run that came to its end answers: its result's output, its last AI message, else its state as JSON.

    `values`: the state that it left; `encoded`: the same as JSON.
    """
    result = _field(values, "result")
    for text in (_field(result, "output"), result):
        if isinstance(text, str):
            return kept_text(text)
    if messages := _field(values, "messages"):
        said = _spoken(messages, _AI, unless_after=_HUMAN)
        return None if said is None else kept_text(said)
    return kept_json(encoded) if values else None


def figures_of(values: object) -> bytes | None:
    """JSON of what a result says of itself: score, attempts, kind, language, agents, metrics; None: it says nothing."""
    result = _field(values, "result")
    if result is None or isinstance(result, str):
        return None
    numbers = {name: _number(_field(result, name)) for name in ("score", "attempts")}
    words = {name: _name(_field(result, name)) for name in ("kind", "language")}
    turns = _field(result, "agents")
    turns = turns[:MOST_AGENTS] if isinstance(turns, list | tuple) else ()
    agents = [*dict.fromkeys(name for turn in turns if (name := _name(_field(turn, "agent_id"))))]
    told = {**numbers, **words, "agents": agents or None, "metrics": _metrics(result, turns)}
    told = {name: value for name, value in told.items() if value is not None}
    return encode(told) if told else None


def goes_on(kwargs: Mapping[str, Any]) -> bool:
    """Whether a run goes on with what the run before it on its thread left undone, rather than begin anew."""
    if kwargs.get("checkpoint"):
        return False  # with something earlier, perhaps
    return kwargs.get("input") is None or (kwargs.get("command") or {}).get("resume") is not None


def kept_text(text: str) -> str:
    """As the column keeps it."""
    return storable_text(text[:MOST])


def kept_json(encoded: bytes) -> str:
    """JSON as a text, cut like one."""
    return encoded[: 4 * MOST].decode(errors="ignore")[:MOST]


def _metrics(result: object, turns: Sequence[object]) -> Any:
    """As a lab run measured them; of a crew or a flow what its agents told, together."""
    metrics = _field(result, "metrics")
    if isinstance(metrics, Mapping | BaseModel):
        return metrics if len(encode(metrics)) <= MOST_METRICS else None
    if not turns:
        return None
    models = [*dict.fromkeys(name for turn in turns if (name := _name(_field(turn, "model"))))]
    seconds = round(_sum(turns, "execution_time"), 4)
    return {
        "model_name": ", ".join(models)[:MOST_NAME] or None,
        "strategy": None,
        "cache_hit": None,
        "inference_time_sec": seconds,
        "total_time_sec": seconds,
        "prompt_tokens": int(_sum(turns, "input_tokens")),
        "tokens_generated": int(_sum(turns, "output_tokens")),
    }


def _sum(turns: Sequence[object], name: str) -> float:
    numbers = (_number(_field(turn, name)) or 0 for turn in turns)
    return sum(float(number) for number in numbers if number >= 0)


def _field(value: object, name: str) -> Any:
    """Of an object of JSON or of one of the states' own models; nothing of a stranger's code is called."""
    if isinstance(value, Mapping):
        return value.get(name)
    return getattr(value, name, None) if isinstance(value, BaseModel) and name in type(value).model_fields else None


def _spoken(messages: object, speakers: Sequence[str], unless_after: Sequence[str] = ()) -> str | None:
    """The text of the newest message of these speakers; None where one of `unless_after` has spoken since."""
    listed = messages if isinstance(messages, list | tuple) else [messages]
    for message in reversed(listed):
        speaker, content = _message(message)
        if speaker in speakers:
            return _text(content)
        if speaker in unless_after:
            return None
    return None


def _message(message: object) -> tuple[object, object]:
    """Who speaks and what, in the forms that LangChain takes for a message; a bare text is a human's."""
    match message:
        case str():
            return "human", message
        case [str() as speaker, content]:
            return speaker, content
    speaker = _field(message, "type")
    # A dict of OpenAI's form says `role`; its `type` is, if anything, "message".
    return (speaker if speaker in (*_HUMAN, *_AI) else _field(message, "role") or speaker), _field(message, "content")


def _text(content: object) -> str | None:
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    texts = [block if isinstance(block, str) else _field(block, "text") for block in blocks]
    return "\n".join(text for text in texts if isinstance(text, str)) or None


def _number(value: object) -> int | float | None:
    """None for what is no figure: graphs of others may leave any number there, and Postgres compares what is kept."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:  # NaN is not, either
        return None
    return value


def _name(value: object) -> str | None:
    return storable_text(value[:MOST_NAME]) if isinstance(value, str) else None
