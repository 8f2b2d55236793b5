"""References in texts and values: `${query}`, `${input.topic}`, `${write}`, `${extract.items.0.name}`; `$${` is `${`.

Found and filled by one regular expression of our own: what is filled in is never looked at again, nothing is evaluated,
no attribute is reached. The first part names who said it (`query`, `previous`, `input` or a step), the others a path
in that value: keys of objects, indexes of lists. An id with dots in it is taken before a shorter one. What may be
missing, or null as the answer of a step that failed is, has a default: `${input.language:-Spanish}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from state.errors import BadRequest

MAX_CHARS = 1_000_000
"""Of all texts that one value becomes when it is filled: a short template can name a long answer many times."""
MAX_DEPTH = 50
DEFAULT = ":-"
"""Before the text that stands for what is missing, as in a shell."""
_REFERENCE = re.compile(r"\$\$\{|\$\{([^${}\n]{1,300})\}|\$\{")
_PATH = re.compile(r"[^\s.]+(\.[^\s.]+)*")

Spot = tuple[str | int, ...]
"""Where in a value a text stands: keys and indexes."""


@dataclass(frozen=True)
class Scope:
    """What may be named. `values` are plain JSON; `texts` are the same for reading, where that is another thing."""

    values: Mapping[str, Any]
    texts: Mapping[str, str] = field(default_factory=dict)
    pending: Collection[str] = ()
    """Names that nobody has said anything under yet: filled in as `‹write.score›`, to show what will stand there."""


@dataclass(frozen=True)
class Found:
    """One reference: its path, None where the braces are not closed or hold none."""

    inside: str | None
    text: str
    spot: Spot = ()


def find(value: Any, spot: Spot = ()) -> Iterator[Found]:
    """Every reference in a value's texts, in order; what looks like one and is none as well."""
    match value:
        case str():
            for match in _REFERENCE.finditer(value):
                if match[0] != "$${":
                    inside, _, _ = (match[1] or "").partition(DEFAULT)
                    yield Found(inside if _PATH.fullmatch(inside) else None, match[0], spot)
        case Mapping():
            for key, inner in value.items():
                yield from find(inner, (*spot, key))
        case list() | tuple():
            for index, inner in enumerate(value):
                yield from find(inner, (*spot, index))


def name_of(inside: str, names: Collection[str]) -> tuple[str, tuple[str, ...]] | None:
    """Who is named and the path in what they said, the longest name first; None where nobody of `names` is."""
    parts = inside.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        if name in names:
            return name, tuple(parts[length:])
    return None


def fill(value: Any, scope: Scope) -> Any:
    """`value` with its references filled. A text that is one reference and nothing else becomes what it names, with
    its JSON type. Raises BadRequest, which names what there is, where nothing is named so.
    """
    return _Filling(scope).value(value, 0)


def fill_text(text: str, scope: Scope) -> str:
    """A text with its references filled, each as a text: `${write}` is what the step said. Raises as `fill`."""
    return _Filling(scope).text(text)


class _Filling:
    """One value's filling, with the characters that it has made so far."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._chars = 0

    def value(self, value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise BadRequest(f"a value with references is nested deeper than {MAX_DEPTH}")
        match value:
            case str():
                whole = _REFERENCE.fullmatch(value)
                return self._counted(self._named(whole[1])[0]) if whole and whole[1] else self.text(value)
            case Mapping():
                return {key: self.value(inner, depth + 1) for key, inner in value.items()}
            case list() | tuple():
                return [self.value(inner, depth + 1) for inner in value]
        return value

    def text(self, text: str) -> str:
        return _REFERENCE.sub(self._one, text)

    def _one(self, match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if match[1] is None:
            raise BadRequest(f"'{match[0]}' is no reference; write $${{ for the characters themselves")
        value, said = self._named(match[1])
        filled = said if said is not None else as_text(value)
        self._counted(filled)
        return filled

    def _counted(self, filled: Any) -> Any:
        self._chars += len(as_text(filled))
        if self._chars > MAX_CHARS:
            raise BadRequest(f"references fill in more than {MAX_CHARS} characters; name shorter parts")
        return filled

    def _named(self, inside: str) -> tuple[Any, str | None]:
        """The value, and the text of it where that is known to be another."""
        path, optional, default = inside.partition(DEFAULT)
        try:
            value, said = self._looked_up(path)
        except BadRequest:
            if not optional:
                raise
            value, said = None, None
        return (default, None) if optional and value is None else (value, said)

    def _looked_up(self, inside: str) -> tuple[Any, str | None]:
        if self._scope.pending and name_of(inside, self._scope.pending) is not None:
            return f"‹{inside}›", None
        found = name_of(inside, self._scope.values)
        if found is None:
            known = ", ".join(self._scope.values) or "nothing"
            raise BadRequest(f"${{{inside}}}: there is no '{inside.split('.')[0]}'; there is: {known}")
        name, path = found
        value = self._scope.values[name]
        for done, part in enumerate(path):
            value = _part(value, part, ".".join((name, *path[:done])), inside)
        return value, None if path else self._scope.texts.get(name)


def _part(value: Any, part: str, reached: str, inside: str) -> Any:
    match value:
        case Mapping() if part in value:
            return value[part]
        case list() | tuple() if part.isdecimal() and len(part) < 7 and int(part) < len(value):
            return value[int(part)]
        case Mapping():
            has = "has " + (", ".join(str(key) for key in list(value)[:20]) or "no keys")
        case list() | tuple():
            has = f"is a list of {len(value)}"
        case str():
            has = "is a text"
        case _:
            has = f"is {as_text(value)[:40]}"
    raise BadRequest(f"${{{inside}}}: '{reached}' {has}, nothing named '{part}'")


def as_text(value: Any) -> str:
    """A text as it is, other JSON in its compact form."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
