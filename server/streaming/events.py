"""LangGraph stream parts → our events. One translator for the terminal, JSON lines and SSE.

| event | data |
| --- | --- |
| run | run_id, thread_id, graph, next: where a resumed run continues |
| node_start | node, task_id |
| model | model, strategy, loaded, attempt |
| token | node, message_id, text |
| node_end | node, task_id, seconds, update: the channels it wrote, error; interrupted: it asks a human |
| interrupt | interrupt_id, value: what a human is asked |
| result | output, score, attempts, metrics, …: `state.tasks.Result` |
| error | error: class, detail: one line |

A pull (`server/pulling.py`) tells `progress`: name, done_bytes, total_bytes; and its result is the model as `/models`
shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from langchain_core.messages import AIMessageChunk
from langgraph.types import Overwrite, StreamMode
from pydantic_core import to_jsonable_python

EventName = Literal["run", "node_start", "model", "token", "node_end", "interrupt", "progress", "result", "error"]

STREAM_MODES: tuple[StreamMode, ...] = ("tasks", "messages", "custom")
"""The LangGraph stream modes that `Translator` reads."""


@dataclass(frozen=True)
class Event:
    """One thing a run says. `data` is plain JSON."""

    name: EventName
    data: dict[str, Any]


@dataclass
class Translator:
    """Turns the parts of one run's `astream(stream_mode=STREAM_MODES, version="v2")` into events.

    `clock` gives seconds; the time between a task's start and its end is told with its end.
    """

    clock: Callable[[], float]
    _started: dict[str, float] = field(default_factory=dict)

    def translate(self, part: Mapping[str, Any]) -> Iterable[Event]:
        """The events of one part, none for parts that say nothing to a client."""
        data = part["data"]
        match part["type"]:
            case "custom" if isinstance(data, dict) and data.get("event") == "model":
                yield Event("model", {key: value for key, value in data.items() if key != "event"})
            case "messages":
                message, metadata = data
                if isinstance(message, AIMessageChunk) and message.text:
                    yield Event("token", {"node": _node(metadata), "message_id": message.id, "text": message.text})
            case "tasks" if "input" in data:
                self._started[data["id"]] = self.clock()
                yield Event("node_start", {"node": data["name"], "task_id": data["id"]})
            case "tasks":
                seconds = self.clock() - self._started.pop(data["id"], self.clock())
                yield Event(
                    "node_end",
                    {
                        "node": data["name"],
                        "task_id": data["id"],
                        "seconds": round(seconds, 4),
                        "update": to_json(data["result"]),
                        "error": str(data["error"]) if data["error"] else None,
                        **({"interrupted": True} if data.get("interrupts") else {}),
                    },
                )


def _node(metadata: Mapping[str, Any]) -> str | None:
    """The node of the run's own graph in which a model speaks; an agent's is called in a graph of its own."""
    outer = str(metadata.get("langgraph_checkpoint_ns") or "").partition("|")[0]
    return outer.partition(":")[0] or metadata.get("langgraph_node")


def to_json(value: object) -> Any:
    """A state value as plain JSON: models as objects, an overwritten channel as its new value."""
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, Overwrite):
        return to_json(value.value)
    return to_jsonable_python(value, serialize_unknown=True, inf_nan_mode="null")
