"""LangGraph's stream parts as the events that clients of the Agent Server know, and what a run leaves behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langgraph.types import StreamMode

from server.streaming.events import STREAM_MODES, Translator
from server.streaming.lab_stream import LAB
from server.streaming.messages import GrowingMessages, MessagePairs, Told, is_hidden
from server.wire.values import encode

_OF_THE_SERVER: tuple[StreamMode, ...] = ("values", "tasks", "checkpoints")
"""Subscribed in every run: what `Outcome` is made of."""

_CHECKPOINT_KEYS = ("checkpoint_id", "thread_id", "checkpoint_ns", "checkpoint_map")

INTERRUPT = "__interrupt__"


def subscribed(modes: Sequence[str]) -> list[StreamMode]:
    """The stream modes that LangGraph is asked for when a client asks for `modes`.

    LangGraph emits in an order of its own; the order here changes nothing.
    """
    known: dict[str, StreamMode] = {
        "values": "values",
        "updates": "updates",
        "messages": "messages",
        "messages-tuple": "messages",
        "custom": "custom",
        "debug": "debug",
        "tasks": "tasks",
        "checkpoints": "checkpoints",
    }
    asked = [known[mode] for mode in modes if mode in known]
    lab = STREAM_MODES if LAB in modes else ()
    return list(dict.fromkeys([*asked, *lab, *_OF_THE_SERVER]))


@dataclass
class Outcome:
    """What a run leaves behind, filled in while it runs; read it when the run has ended."""

    values: Any = None
    """The state of the thread, every channel of it. None: there is no state."""
    interrupts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By task: what it asks, `{id, value}` each, as a thread shows it."""
    next: tuple[str, ...] = ()
    """Nodes that come next. Of a run that ended without an error, those it stopped before: it is interrupted."""
    checkpoint: dict[str, Any] | None = None
    """`checkpoint_id`, `thread_id` and `checkpoint_ns` of the last checkpoint."""
    output: bytes | None = None
    """What `wait` and a `join` of a run in flight answer, as JSON. None: the thread's values, to be read when asked."""
    _asked: list[Any] = field(default_factory=list)

    @property
    def interrupted(self) -> bool:
        """Stopped before its end, by a question or by a breakpoint; only where it did not fail."""
        return bool(self.next)

    def note_checkpoint(self, payload: Mapping[str, Any]) -> None:
        """A checkpoint of the thread itself."""
        self.values = payload["values"]
        self.next = tuple(payload["next"])
        self.checkpoint = checkpoint_of(payload["config"])
        self.interrupts = {
            task["id"]: [_shown(asked) for asked in task["interrupts"]]
            for task in payload["tasks"]
            # A task that failed before is told without them; one that was answered and ended, with its old ones.
            if task.get("interrupts") and not task.get("result")
        }

    def note_task(self, payload: Mapping[str, Any]) -> None:
        """A task's start or end; what it asks is told with its end.

        Where nested graphs are streamed, the innermost task comes first and keeps the question; those around it repeat.
        """
        if "interrupts" not in payload:
            return
        asked = [_shown(one) for one in payload["interrupts"]]
        self.interrupts.pop(payload["id"], None)
        known = {one["id"] for others in self.interrupts.values() for one in others}
        if news := [one for one in asked if one["id"] not in known]:
            self.interrupts[payload["id"]] = news

    def note_output(self, data: Any) -> None:
        """A part that the client asked for, `values` or `updates`, of the graph itself.

        Questions gather: the first part that asks is the output as it is, several together hold nothing else.
        """
        if isinstance(data, Mapping) and data.get(INTERRUPT):
            first = not self._asked
            self._asked += data[INTERRUPT]
            self.output = encode(data if first else {INTERRUPT: self._asked})

    def note_values(self, data: Any) -> None:
        """Values that the client asked for."""
        if isinstance(data, Mapping) and data.get(INTERRUPT):
            self.note_output(data)
        elif not self._asked:  # what others finish beside a question does not hide it
            self.output = encode(data)


def checkpoint_of(config: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Which checkpoint a config names, as clients name it."""
    if config is None:
        return None
    named = config.get("configurable", {})
    return {key: named[key] for key in _CHECKPOINT_KEYS if key in named}


def unwatched(task: Mapping[str, Any]) -> None:
    """Where nobody counts tasks."""


@dataclass
class Speaker:
    """Turns the parts of one run into events, and notes in `outcome` what the run leaves behind."""

    modes: frozenset[str]
    outcome: Outcome
    temporary: bool = False
    """Its thread goes with the run: clients are told of no checkpoints, which they could not go back to."""
    watch: Callable[[Mapping[str, Any]], None] = unwatched
    """Told of the tasks of the graph itself, before their events are made."""
    _pairs: MessagePairs = field(default_factory=MessagePairs)
    _growing: GrowingMessages = field(default_factory=GrowingMessages)
    _lab: Translator = field(default_factory=lambda: Translator(time.monotonic))

    def tell(self, namespace: tuple[str, ...], mode: str, data: Any) -> Iterable[Told]:
        """The events of one part; none for what the client did not ask for."""
        if LAB in self.modes:
            self._note_all(namespace, mode, data)
            # Of what a node calls, an agent's own graph, only the words are told.
            if (namespace and mode != "messages") or (mode == "messages" and is_hidden(data[1])):
                return ()
            return [(event.name, encode(event.data)) for event in self._lab.translate({"type": mode, "data": data})]
        if mode == "messages":
            return self._message(namespace, *data)
        self._note_all(namespace, mode, data)
        if mode not in self.modes or (self.temporary and _is_checkpoint(mode, data)):
            return ()
        if mode == "debug":
            data = _with_checkpoints(data)
        return ((_named(mode, namespace), encode(data)),)

    def _note_all(self, namespace: tuple[str, ...], mode: str, data: Any) -> None:
        if mode == "tasks":
            self.outcome.note_task(data)
            if not namespace:
                self.watch(data)
        elif not namespace:
            self._note(mode, data)

    def _message(self, namespace: tuple[str, ...], message: Any, metadata: Mapping[str, Any]) -> Iterable[Told]:
        if is_hidden(metadata):
            return ()
        if "messages-tuple" in self.modes:
            return self._pairs.tell(_named("messages", namespace), message, metadata)
        return self._growing.tell(message, metadata)

    def _note(self, mode: str, data: Any) -> None:
        match mode:
            case "checkpoints":
                self.outcome.note_checkpoint(data)
            case "values" if mode in self.modes:
                self.outcome.note_values(data)
            case "updates":
                self.outcome.note_output(data)


def _is_checkpoint(mode: str, data: Any) -> bool:
    return mode == "checkpoints" or (mode == "debug" and data["type"] == "checkpoint")


def _named(mode: str, namespace: tuple[str, ...]) -> str:
    return "|".join((mode, *namespace)) if namespace else mode


def _shown(asked: Any) -> dict[str, Any]:
    """A question as a thread shows it, from an `Interrupt` or from its dict."""
    if isinstance(asked, Mapping):
        return {"id": asked["id"], "value": asked["value"]}
    return {"id": asked.id, "value": asked.value}


def _with_checkpoints(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """A `debug` part, its checkpoints also as clients name them: chat front ends branch from these."""
    if data["type"] != "checkpoint":
        return data
    payload = data["payload"]
    return {
        **data,
        "payload": {
            **payload,
            "tasks": [_with_checkpoint(task) for task in payload["tasks"]],
            "checkpoint": checkpoint_of(payload["config"]),
            "parent_checkpoint": checkpoint_of(payload["parent_config"]),
        },
    }


def _with_checkpoint(task: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where a task is a graph of its own, its `state` names where that graph's checkpoints are."""
    state = task.get("state")
    if not (isinstance(state, Mapping) and "configurable" in state):
        return task
    return {**{key: value for key, value in task.items() if key != "state"}, "checkpoint": checkpoint_of(state)}
