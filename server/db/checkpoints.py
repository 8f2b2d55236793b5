"""LangGraph's checkpointer and store over our pool, with a serialiser that builds only types we name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, cast, get_args

import ormsgpack
from langgraph.checkpoint.serde._msgpack import SAFE_MSGPACK_METHODS, SAFE_MSGPACK_TYPES
from langgraph.checkpoint.serde.jsonplus import (
    EXT_DELTA_SNAPSHOT,
    EXT_METHOD_SINGLE_ARG,
    EXT_NUMPY_ARRAY,
    JsonPlusSerializer,
)
from psycopg import AsyncConnection
from psycopg.rows import DictRow
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

from server.db.committing import Committer
from server.db.grouped import GroupedSaver
from state.context import Context
from state.crew_run import CrewContext, CrewOutput, CrewState
from state.errors import Broken
from state.run import RunInput, RunOutput, RunState

SCHEMAS: tuple[type[BaseModel], ...] = (RunInput, RunState, RunOutput, Context, CrewState, CrewOutput, CrewContext)
Pool = AsyncConnectionPool[AsyncConnection[DictRow]]

_KINDS = {"null", "bytes", "bytearray", "msgpack", "empty"}
"""What a blob may be. `json` is LangGraph's format before msgpack, `pickle` runs code; we have never written either."""


def open_checkpointer(pool: Pool, committer: Committer, types: Collection[tuple[str, ...]] = ()) -> GroupedSaver:
    """What graphs keep their checkpoints in; `types`: module and name of what they may hold besides `SCHEMAS`."""
    serializer = StrictSerializer(SCHEMAS).with_msgpack_allowlist(types)
    return GroupedSaver(pool, committer, serializer)


class StrictSerializer(JsonPlusSerializer):
    """Builds LangGraph's safe types and the models reachable from `schemas`; anything else is refused loudly.

    Strict whatever LANGGRAPH_STRICT_MSGPACK says. LangGraph alone would hand back the raw payload of a type that is not
    allowed, with a warning, and the graph would go on with it; here writing and reading it raise Broken. Types that
    `compile(checkpointer=…)` adds under that variable are allowed too: they come from code, not from a row.
    """

    def __init__(self, schemas: Iterable[type[BaseModel]]) -> None:
        super().__init__(pickle_fallback=False, allowed_msgpack_modules=tuple(reachable_models(*schemas)))

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Raises Broken for what could not be read again: better now than when the thread is asked for."""
        kind, payload = super().dumps_typed(obj)
        if kind == "msgpack":
            for name in self._strange(payload):
                raise Broken(
                    f"the state holds a {'.'.join(name)}, which no schema of the graph names; annotate it there"
                )
        return kind, payload

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        kind, payload = data
        if kind not in _KINDS:
            raise Broken(f"a checkpoint holds {kind!r} data, which is never read; the row was not written by agent-lab")
        if kind == "msgpack":
            self._check(payload)
        return super().loads_typed(data)

    def _check(self, payload: bytes) -> None:
        """Raises Broken when anything in `payload` names a type or method that is not allowed, or cannot be read.

        A pass of its own: inside LangGraph's hook the raw payload would be returned in the place of what is refused.
        """
        try:
            strange = self._strange(payload)
        except (ValueError, TypeError, LookupError) as error:
            raise Broken(f"a checkpoint cannot be read ({error}); the row was not written by agent-lab") from error
        for name in strange:
            raise Broken(f"a checkpoint names {'.'.join(name)}, which is not part of any state; it is refused")

    def _strange(self, payload: bytes) -> set[tuple[str, ...]]:
        """What `payload` names that is not allowed."""
        allowed = cast("set[tuple[str, ...]]", self._allowed_msgpack_modules or set())
        return named_types(payload) - SAFE_MSGPACK_TYPES - SAFE_MSGPACK_METHODS - allowed


def named_types(payload: bytes) -> set[tuple[str, ...]]:
    """(module, name) of each type and (module, name, method) of each call that msgpack data asks for; builds none."""
    found: set[tuple[str, ...]] = set()

    def note(code: int, inner: bytes) -> None:
        if code == EXT_NUMPY_ARRAY:  # names no type; its bytes are no msgpack
            return
        value = ormsgpack.unpackb(inner, ext_hook=note, option=ormsgpack.OPT_NON_STR_KEYS)
        if code == EXT_METHOD_SINGLE_ARG:
            found.add((str(value[0]), str(value[1]), str(value[3])))
        elif code != EXT_DELTA_SNAPSHOT:
            found.add((str(value[0]), str(value[1])))

    ormsgpack.unpackb(payload, ext_hook=note, option=ormsgpack.OPT_NON_STR_KEYS)
    return found


def reachable_models(*schemas: type[BaseModel]) -> set[type[BaseModel]]:
    """The models themselves and every model in their fields' annotations, however deep."""
    found: set[type[BaseModel]] = set()
    waiting = list(schemas)
    while waiting:
        model = waiting.pop()
        if model not in found:
            found.add(model)
            waiting += [inner for field in model.model_fields.values() for inner in _models_in(field.annotation)]
    return found


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
