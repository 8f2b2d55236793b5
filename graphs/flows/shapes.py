"""Plain data held against the shape of a definition: each unknown key, missing key and wrong type told by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from graphs.flows.faults import Fault, FlowErrors, Path, Positions, in_order, listed, near, shown
from graphs.flows.reading import MAX_INTEGER
from state.agents import AGENT_ID

M = TypeVar("M", bound=BaseModel)

_WANTED = {
    "string_type": "a text",
    "dict_type": "a mapping of keys to values",
    "tuple_type": "a list",
    "int_type": "a whole number",
    "bool_type": "true or false",
}
MAX_TOLD = 1_000
"""Mistakes; whoever made so many finds the others then."""
IDS = "letters, digits, _, - and ., at most 64, the first a letter or a digit"


def shaped(model: type[M], data: Any, positions: Positions) -> M:
    """`data` as `model`; a key whose value is null counts as left out. Raises FlowErrors with every mistake."""
    if not isinstance(data, Mapping):
        known = listed(_keys(model))
        raise FlowErrors([positions.fault((), f"must be a mapping with the keys {known}, not {kind(data)}")])
    try:
        return model.model_validate(_without_nulls(data, model))
    except ValidationError as error:
        found = error.errors(include_url=False)
        inside = {wrong["loc"][:length] for wrong in found for length in range(len(wrong["loc"]))}
        # A list whose members are wrong is told to be too short besides.
        told = [_told(model, wrong, data, positions) for wrong in found[:MAX_TOLD] if wrong["loc"] not in inside]
        raise FlowErrors(in_order(told)) from None


def _told(model: type[BaseModel], wrong: ErrorDetails, data: Any, positions: Positions) -> Fault:
    path: Path = wrong["loc"]
    name = next((part for part in reversed(path) if isinstance(part, str)), "")
    value = wrong["input"]
    context = wrong.get("ctx", {})
    match wrong["type"]:
        case "extra_forbidden":
            known = _keys(_model_at(model, path[:-1]))
            return positions.fault(
                path, f"unknown key '{shown(name)}'{near(name, known)}; known: {listed(known)}", key=True
            )
        case "missing":
            return positions.fault(path, f"{_owner(model, path, data)} needs the key '{name}'")
        case "model_type":
            known = _keys(_model_at(model, path))
            return positions.fault(path, f"must be a mapping with the keys {listed(known)}, not {kind(value)}")
        case "string_pattern_mismatch":
            wanted = IDS if AGENT_ID in context["pattern"] else "a text without blanks at its ends"
            return positions.fault(path, f"{name}: '{shown(value)}' is not taken; write {wanted}")
        case "string_too_long" | "string_too_short" | "too_long" | "too_short":
            bound = context.get("max_length", context.get("min_length"))
            unit = "characters" if isinstance(value, str) else "entries"
            most = "at most" if wrong["type"].endswith("long") else "at least"
            return positions.fault(path, f"{name} has {len(value)} {unit}; {most} {bound} are taken")
    wanted = _WANTED.get(wrong["type"], "")
    if not wanted:
        return positions.fault(path, f"{name}: {shown(wrong['msg'])}")
    hint = ""
    if isinstance(value, str) and wanted == "a list":
        hint = f"; write [{shown(value)}]"
    elif isinstance(value, bool | int | float) and wanted == "a text" and abs(value) < MAX_INTEGER:
        hint = f'; write it in quotes: "{str(value).lower() if isinstance(value, bool) else value}"'
    return positions.fault(path, f"{name} must be {wanted}, not {kind(value)}{hint}")


def kind(value: object) -> str:
    """What a value is, in the words of whoever writes YAML."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the truth value {str(value).lower()}"
        case int() if abs(value) >= MAX_INTEGER:
            return "a number that is too large"  # which Python may refuse to write out
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text '{shown(value)}'"
        case list() | tuple():
            return "a list"
        case Mapping():
            return "a mapping"
    return f"a {type(value).__name__}"


def _keys(model: type[BaseModel] | None) -> list[str]:
    return list(model.model_fields) if model is not None else []


def _model_at(model: type[BaseModel], path: Path) -> type[BaseModel] | None:
    """The model of what stands at a path."""
    found: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, str) and found is not None:
            field = found.model_fields.get(part)
            found = None if field is None else _inner(field.annotation)
    return found


def _inner(annotation: Any) -> type[BaseModel] | None:
    for each in (annotation, *get_args(annotation)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None


def _owner(model: type[BaseModel], path: Path, data: Any) -> str:
    """`node 'write'`, `agent 2`, or `the flow` for the whole."""
    if len(path) < 3 or not isinstance(path[-2], int):
        return f"'{path[-2]}'" if len(path) > 1 else f"the {model.__name__.removesuffix('Spec').lower()}"
    word = str(path[-3]).removesuffix("s")
    owner = data
    for part in path[:-1]:
        owner = owner[part]
    named = next((owner[key] for key in ("id", "agent_id") if isinstance(owner.get(key), str)), None)
    return f"{word} {int(path[-2]) + 1}" if named is None else f"{word} '{shown(named)}'"


def _without_nulls(data: Mapping[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Without the keys of the definition itself that stand there without a value; what is inside `config` stays."""
    kept: dict[str, Any] = {}
    for key, value in data.items():
        inner = _model_at(model, (key,))
        if value is None and key in model.model_fields:
            continue
        if inner is not None and isinstance(value, Mapping):
            value = _without_nulls(value, inner)
        elif inner is not None and isinstance(value, list):
            value = [_without_nulls(one, inner) if isinstance(one, Mapping) else one for one in value]
        kept[key] = value
    return kept
