"""What a graph's target in langgraph.json may be, and how one use of it becomes a graph."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

from langchain_core.runnables import RunnableConfig
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph.store.base import BaseStore
from langgraph_sdk.runtime import AccessContext, ServerRuntime, _ExecutionRuntime, _ReadRuntime

from state.errors import BadRequest

Compiled: TypeAlias = Pregel[Any, Any, Any, Any]
Part = Literal["config", "runtime"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Factory:
    """A function that makes a graph for each use."""

    call: Callable[..., Any]
    asks: Mapping[str, Part]
    """Its parameters: which of them is given what."""
    positional: frozenset[str] = frozenset()


class InvalidGraph(BadRequest):
    """A factory returned something that is no graph. The text and the status are the reference's."""

    status = 424


def parameters_of(call: Callable[..., Any]) -> Factory:
    """What a factory asks for: nothing, a RunnableConfig, a ServerRuntime, or both, in any order.

    A single parameter is the config unless it is annotated as the runtime. Raises BadRequest.
    """
    parameters = inspect.signature(call).parameters
    hints = _hints(call)
    asks: dict[str, Part] = {}
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        part = _part(hints.get(name, parameter.annotation))
        if part is None and len(parameters) == 1:
            part = "config"
        if part is not None:
            asks[name] = part
        elif parameter.default is parameter.empty:
            raise BadRequest(
                f"its parameter '{name}' cannot be filled; a factory takes nothing, config: RunnableConfig, "
                "runtime: ServerRuntime, or both"
            )
    only = parameters.values()
    return Factory(call, asks, frozenset(one.name for one in only if one.kind is one.POSITIONAL_ONLY))


@asynccontextmanager
async def made_by(factory: Factory, config: RunnableConfig, runtime: object) -> AsyncIterator[object]:
    """What the factory gives for one use; entered and left where it is a context manager.

    Synchronous ones run on a thread, as they may block. Raises whatever the factory raises.
    """
    parts: dict[Part, object] = {"config": config, "runtime": runtime}
    args = [parts[part] for name, part in factory.asks.items() if name in factory.positional]
    kwargs = {name: parts[part] for name, part in factory.asks.items() if name not in factory.positional}
    if inspect.iscoroutinefunction(_function_of(factory.call)):
        made = await factory.call(*args, **kwargs)
    else:
        made = await asyncio.to_thread(factory.call, *args, **kwargs)
        if inspect.isawaitable(made):
            made = await made
    if isinstance(made, AbstractAsyncContextManager):
        async with made as entered:
            yield entered
    elif isinstance(made, AbstractContextManager):
        async with _on_threads(made) as entered:
            yield entered
    else:
        yield made


@asynccontextmanager
async def _on_threads(manager: AbstractContextManager[Any]) -> AsyncIterator[Any]:
    entered = await asyncio.to_thread(manager.__enter__)
    try:
        yield entered
    except BaseException as error:
        if not await asyncio.to_thread(manager.__exit__, type(error), error, error.__traceback__):
            raise
    else:
        await asyncio.to_thread(manager.__exit__, None, None, None)


def runtime_for(access: str, store: BaseStore | None, context: object) -> object:
    """What a factory that asks for a ServerRuntime is given. There is no user until authentication exists."""
    if access == "threads.create_run":
        return _ExecutionRuntime(access_context="threads.create_run", user=None, store=store, context=context)  # type: ignore[arg-type]
    known: AccessContext = access  # type: ignore[assignment]
    return _ReadRuntime(access_context=known, user=None, store=store)  # type: ignore[arg-type]


def compiled(name: str, made: object) -> Compiled:
    """A graph out of a graph or a builder. Raises InvalidGraph."""
    if isinstance(made, StateGraph):
        made = made.compile()
    if isinstance(made, Pregel):
        return made
    raise InvalidGraph(f"Graph '{name}' is not valid. Review graph registration. {made!r}")


def _part(annotation: object) -> Part | None:
    if isinstance(annotation, str):  # a name that only type checkers know
        return "runtime" if "ServerRuntime" in annotation else "config" if "RunnableConfig" in annotation else None
    origin = get_origin(annotation) or annotation
    if origin is ServerRuntime or origin in (_ExecutionRuntime, _ReadRuntime):
        return "runtime"
    if annotation is RunnableConfig:
        return "config"
    return next((part for inner in get_args(annotation) if (part := _part(inner)) is not None), None)


def _hints(call: Callable[..., Any]) -> Mapping[str, object]:
    """Resolved annotations; {} where a name cannot be resolved, the annotations' text counts then."""
    try:
        return get_type_hints(_function_of(call))
    except Exception as error:  # whatever evaluating a user's annotation raises
        log.debug("annotations of %s are read as text: %s", call, error)
        return {}


def _function_of(call: Callable[..., Any]) -> Any:
    """The function behind a class or an object that can be called."""
    if inspect.isclass(call):
        return call.__init__
    if inspect.isroutine(call) or isinstance(call, functools.partial):
        return call
    return type(call).__call__
