"""Which types a checkpoint may build: those that an application's own code can have put there, and no others."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from typing_extensions import is_typeddict


def reachable_types(annotations: Iterable[object]) -> set[type]:
    """The classes with fields that the annotations name, however deep: pydantic models, dataclasses, enums, named
    tuples. Nothing else comes out of a checkpoint as an object of a class.

    TypedDicts are looked into, generics, unions, aliases and forward references as well. What cannot be resolved, such
    as a name that only type checkers see, is passed over.
    """
    found: set[type] = set()
    seen: dict[int, object] = {}
    waiting = list(annotations)
    while waiting:
        annotation = waiting.pop()
        if id(annotation) in seen:
            continue
        seen[id(annotation)] = annotation  # kept, so that no other object gets its id
        if isinstance(annotation, type) and is_kept(annotation):
            found.add(annotation)
        waiting += [*_fields_of(annotation), *_parts_of(annotation)]
    return found


def is_kept(found: type) -> bool:
    """Whether LangGraph's serialiser writes objects of this class as such."""
    try:
        models_or_enums = issubclass(found, BaseModel | Enum)
    except TypeError:  # list[int] calls itself a type
        return False
    return models_or_enums or dataclasses.is_dataclass(found) or _is_named_tuple(found)


def types_in(modules: Iterable[ModuleType]) -> set[type]:
    """The classes of these kinds that the modules define: state that is annotated with Any may hold them."""
    return {
        value
        for module in modules
        for value in list(vars(module).values())
        if isinstance(value, type) and value.__module__ == module.__name__ and is_kept(value)
    }


def modules_under(folders: Iterable[Path], modules: Mapping[str, ModuleType]) -> Iterator[ModuleType]:
    """Of those imported, the application's own: below its folders, and not installed there."""
    roots = [str(folder) + "/" for folder in folders]
    for module in list(modules.values()):
        file = getattr(module, "__file__", None)
        if file and "site-packages" not in file and any(file.startswith(root) for root in roots):
            yield module


def _parts_of(annotation: object) -> Iterator[object]:
    """Arguments of a generic, a union or Annotated; what an alias, a NewType or a type variable stands for."""
    if (origin := get_origin(annotation)) is not None:
        yield origin
    for part in get_args(annotation):
        yield from part if isinstance(part, list) else [part]
    if not isinstance(annotation, type):
        yield from (getattr(annotation, name, None) for name in ("__value__", "__supertype__", "__bound__"))
    if isinstance(annotation, TypeVar):
        yield from annotation.__constraints__


def _fields_of(annotation: object) -> Iterator[object]:
    """What a class's own fields are annotated with."""
    if is_typeddict(annotation):
        yield from _hints(annotation).values()
    elif isinstance(annotation, type) and is_kept(annotation):
        if issubclass(annotation, BaseModel):
            yield from (field.annotation for field in annotation.model_fields.values())
        elif not issubclass(annotation, Enum):
            yield from _hints(annotation).values()


def _is_named_tuple(found: type) -> bool:
    return issubclass(found, tuple) and hasattr(found, "_fields")


def _hints(found: Any) -> dict[str, Any]:
    """Resolved annotations; where one cannot be, the others still count."""
    try:
        return get_type_hints(found, include_extras=True)
    except Exception:  # whatever evaluating a user's annotation raises
        names = vars(sys.modules.get(found.__module__, object))
        told = getattr(found, "__annotations__", {})
        texts = {name: getattr(annotation, "__forward_arg__", annotation) for name, annotation in told.items()}
        return {name: names.get(text) if isinstance(text, str) else text for name, text in texts.items()}
