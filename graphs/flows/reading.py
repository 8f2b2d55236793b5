"""YAML or JSON as plain data with the place of every value; nothing but texts, numbers, true, false, null, lists and
mappings ever comes out.

The parser's events are walked here, without a recursion and without a constructor: tags, anchors, aliases, merge keys,
doubled keys, further documents and whatever exceeds the bounds are refused before anything is built of them. Scalars
are read as in YAML 1.2's core and JSON: `yes`, `on`, dates and `12:30` are texts, and so is `010`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from graphs.flows.faults import Fault, FlowErrors, Mark, Path, Positions, shown
from graphs.flows.text import readable

MAX_DEPTH = 20
MAX_NODES = 10_000
MAX_INTEGER = 2**63
"""Whole numbers are below it: what JSON of other programs, and our own encoder, can carry."""
MAX_DIGITS = 40
"""Of a number as it is written."""

_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: value for value, words in ((True, "true True TRUE"), (False, "false False FALSE")) for word in words.split()
}
# The parser in C takes a tenth of the time and is part of PyYAML's wheels; they agree on what is accepted.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Document:
    """What a file says. `data` is plain JSON."""

    data: Any
    positions: Positions


def read_document(text: str, file: str) -> Document:
    """Read a YAML or JSON text; `file` is how it is called in messages. Blocks, up to a tenth of a second.

    Raises FlowErrors.
    """
    text = readable(text, file)
    reading = _Reading(file)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            reading.take(event)
    except yaml.MarkedYAMLError as error:
        raise FlowErrors([*reading.faults, _syntax(error, file)]) from None
    except yaml.YAMLError as error:
        raise FlowErrors([Fault(f"cannot be read: {shown(str(error))}", file=file)]) from None
    if reading.faults:
        raise FlowErrors(reading.faults)
    if not reading.roots:
        raise FlowErrors([Fault("it is empty", file=file)])
    return Document(reading.roots[0], Positions(file, reading.values, reading.keys))


@dataclass
class _Open:
    """A list or mapping that is not closed yet."""

    value: Any
    path: Path
    key: str | None = None
    """Of a mapping, the key whose value comes next."""


@dataclass
class _Reading:
    """What the events have said so far. A mistake that leaves the rest readable is kept in `faults`; another raises."""

    file: str
    roots: list[Any] = field(default_factory=list)
    values: dict[Path, Mark] = field(default_factory=dict)
    keys: dict[Path, Mark] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)
    nodes: int = 0

    def take(self, event: yaml.Event) -> None:
        """One event. Raises FlowErrors."""
        if isinstance(event, yaml.NodeEvent):
            self._node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self.stack.pop()

    def _node(self, event: yaml.NodeEvent) -> None:
        self._check(event)
        top = self.stack[-1] if self.stack else None
        if top is not None and isinstance(top.value, dict) and top.key is None:
            self._key(event, top)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(self.stack) >= MAX_DEPTH:
                raise self._stop(event, f"nested deeper than {MAX_DEPTH}")
            value: Any = [] if isinstance(event, yaml.SequenceStartEvent) else {}
            self.stack.append(_Open(value, self._put(event, value)))
        else:
            self._put(event, self._value(event) if isinstance(event, yaml.ScalarEvent) else None)

    def _check(self, event: yaml.NodeEvent) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self._stop(event, f"more than {MAX_NODES} values; a definition has fewer")
        if self.roots and not self.stack:
            raise self._stop(event, "a second document begins; a file holds one")
        if isinstance(event, yaml.AliasEvent):
            self._fault(event, f"the alias *{shown(event.anchor)} is not taken; write out what it stands for")
        elif event.anchor is not None:
            self._fault(event, f"the anchor &{shown(event.anchor)} is not taken; leave it out")
        if (tag := getattr(event, "tag", None)) is not None:
            self._fault(event, f"the tag {shown(tag)} is not taken; write plain values")

    def _key(self, event: yaml.NodeEvent, top: _Open) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._stop(event, "a key must be a text")
        key = self._text(event)
        if key == "<<" and not event.style:
            self._fault(event, "the merge key << is not taken; write the keys out")
        if key in top.value:
            self._fault(event, f"the key '{shown(key)}' stands here a second time")
        self.keys[*top.path, key] = _mark(event)
        top.value[key] = None
        top.key = key

    def _put(self, event: yaml.NodeEvent, value: Any) -> Path:
        """Into what is open; returns its path."""
        path: Path = ()
        if not self.stack:
            self.roots.append(value)
        elif isinstance((top := self.stack[-1]).value, list):
            path = (*top.path, len(top.value))
            top.value.append(value)
        else:
            assert top.key is not None, "a mapping's value follows its key"
            path = (*top.path, top.key)
            top.value[top.key], top.key = value, None
        self.values[path] = _mark(event)
        return path

    def _value(self, event: yaml.ScalarEvent) -> Any:
        text = event.value
        if event.style:  # quoted, or a block
            return self._text(event)
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            if len(text) <= MAX_DIGITS and abs(whole := int(text)) < MAX_INTEGER:
                return whole
            self._fault(event, f"{shown(text)} is too large for a whole number; in quotes it is a text")
        elif _FLOAT.fullmatch(text) and len(text) <= MAX_DIGITS:
            if math.isfinite(number := float(text)):
                return number
            self._fault(event, f"{text} is too large for a number; in quotes it is a text")
        return self._text(event)

    def _text(self, event: yaml.ScalarEvent) -> str:
        text: str = event.value
        if (bad := re.search("[\0\ud800-\udfff]", text)) is not None:
            self._fault(event, f"a text holds the character U+{ord(bad[0]):04X}, which cannot be kept")
        return text

    def _fault(self, event: yaml.Event, message: str) -> Fault:
        self.faults.append(Fault(message, (), self.file, _mark(event)))
        return self.faults[-1]

    def _stop(self, event: yaml.Event, message: str) -> FlowErrors:
        self._fault(event, message)
        return FlowErrors(self.faults)


def _mark(event: yaml.Event) -> Mark:
    mark: Any = event.start_mark  # the stubs say that it may be missing
    return Mark(mark.line + 1, mark.column + 1)


def _syntax(error: yaml.MarkedYAMLError, file: str) -> Fault:
    places: list[Any] = [mark for mark in (error.problem_mark, error.context_mark) if mark is not None]
    said = ", ".join(part for part in (error.context, error.problem) if part)
    mark = Mark(places[0].line + 1, places[0].column + 1) if places else None
    return Fault(f"this is no YAML: {shown(said)}", (), file, mark)
