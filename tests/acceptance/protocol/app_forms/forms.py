"""Every form in which langgraph.json may name a graph; each answers with what it was given."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

from langchain_core.runnables import RunnableConfig
from langgraph.func import entrypoint
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from langgraph_sdk.runtime import ServerRuntime
from pydantic import BaseModel
from typing_extensions import TypedDict


class Said(TypedDict, total=False):
    said: Any


def _builder(what: Any) -> StateGraph[Any, Any, Any, Any]:
    async def say(state: Said) -> Said:
        return {"said": what}

    built = StateGraph(Said)
    built.add_node("say", say)
    built.add_edge(START, "say")
    return built


builder = _builder("builder")
compiled = _builder("compiled").compile(name="a name of its own")


def of_nothing() -> Any:
    return _builder("nothing")


def of_config(config: RunnableConfig) -> Any:
    configurable = config["configurable"]
    return _builder(
        {
            "color": configurable.get("color"),
            "ids": sorted(
                key for key in ("assistant_id", "graph_id", "run_id", "thread_id", "user_id") if key in configurable
            ),
            "executes": configurable["__is_for_execution__"],
            "metadata": config["metadata"].get("purpose"),
        }
    ).compile()


def of_anything(settings) -> Any:  # type: ignore[no-untyped-def]  # a single parameter is the config
    return _builder(sorted(settings)).compile()


def of_runtime(runtime: ServerRuntime) -> Any:
    execution = runtime.execution_runtime
    return _builder(
        {
            "access": runtime.access_context,
            "context": None if execution is None else execution.context,
            "store": hasattr(runtime.store, "aput"),
            "user": runtime.user is None,
        }
    ).compile()


def of_both(runtime: ServerRuntime, config: RunnableConfig) -> Any:
    return _builder([runtime.access_context, config["configurable"].get("color")]).compile()


def of_keyword(*, config: RunnableConfig) -> Any:
    return _builder(["keyword", config["configurable"].get("color")])


async def awaited(config: RunnableConfig) -> Any:
    return _builder(["awaited", config["configurable"].get("color")]).compile()


class Maker:
    def __call__(self, config: RunnableConfig) -> Any:
        return _builder("an object that can be called").compile()


maker = Maker()
entered: list[str] = []


@contextlib.contextmanager
def managed(config: RunnableConfig) -> Iterator[Any]:
    entered.append("sync")
    try:
        yield _builder("managed").compile()
    finally:
        entered.remove("sync")


@contextlib.asynccontextmanager
async def async_managed(config: RunnableConfig) -> AsyncIterator[Any]:
    entered.append("async")
    try:
        yield _builder("async managed").compile()
    finally:
        entered.remove("async")


@contextlib.asynccontextmanager
async def open_managers() -> AsyncIterator[Any]:
    """A builder, out of a context manager that asks for nothing; says which of the others are open now."""
    yield _builder(list(entered))


@entrypoint()
async def functional(given: dict[str, Any]) -> dict[str, Any]:
    return {"functional": given}


async def environment(config: RunnableConfig) -> Any:
    return _builder({name: os.environ.get(name) for name in ("FORM_COLOR", "FORM_NUMBER", "FORM_MISSING")})


def broken(config: RunnableConfig) -> Any:
    raise ValueError("this factory is broken")


def no_graph(config: RunnableConfig) -> Any:
    return 5


class Shade(Enum):
    DARK = "dark"


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Line:
    begin: Point
    shade: Shade


class Page(BaseModel):
    lines: list[Line]


class Drawing(TypedDict, total=False):
    page: Page
    line: Line
    shade: Shade
    seen: list[str]


async def _draw(state: Drawing) -> Drawing:
    line = Line(Point(1, 2), Shade.DARK)
    return {"page": Page(lines=[line]), "line": line, "shade": Shade.DARK}


async def _look(state: Drawing) -> Drawing:
    """After a human's answer, so from the checkpoint."""
    interrupt("look?")
    return {"seen": [type(state[name]).__name__ for name in ("page", "line", "shade")]}  # type: ignore[literal-required]


def _drawing() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Drawing)
    built.add_node("draw", _draw)
    built.add_node("look", _look)
    built.add_edge(START, "draw")
    built.add_edge("draw", "look")
    return built


drawing = _drawing().compile()
