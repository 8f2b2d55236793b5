"""Graphs that put a thread into each of its states: waiting, waiting within a subgraph, failed, busy for a while."""

from __future__ import annotations

import asyncio
import operator
from typing import Annotated, Any

from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from typing_extensions import TypedDict


class Notes(TypedDict, total=False):
    notes: Annotated[list[str], operator.add]
    answer: str
    seconds: float


async def _ask(state: Notes) -> Notes:
    return {"notes": ["ask"], "answer": interrupt({"question": "which?"})}


async def _tell(state: Notes) -> Notes:
    return {"notes": ["tell"]}


def _asking() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Notes)
    built.add_node("ask", _ask)
    built.add_node("tell", _tell)
    built.add_edge(START, "ask")
    built.add_edge("ask", "tell")
    built.add_edge("tell", END)
    return built


asking = _asking().compile()


async def _before(state: Notes) -> Notes:
    return {"notes": ["before"]}


def _outer() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Notes)
    built.add_node("before", _before)
    built.add_node("inner", _asking().compile())
    built.add_edge(START, "before")
    built.add_edge("before", "inner")
    built.add_edge("inner", END)
    return built


outer = _outer().compile()


async def _fail(state: Notes) -> Notes:
    raise ValueError("this node always fails")


def _one(name: str, node: Any) -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Notes)
    built.add_node(name, node)
    built.add_edge(START, name)
    built.add_edge(name, END)
    return built


failing = _one("fail", _fail).compile()


async def _wait(state: Notes) -> Notes:
    await asyncio.sleep(state.get("seconds", 0.0))
    return {"notes": ["waited"]}


waiting = _one("wait", _wait).compile()


async def _choose(state: Notes) -> Command[Any]:
    return Command(update={"notes": ["choose"]}, goto="tell")


def _routed() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Notes)
    built.add_node("choose", _choose, destinations=("tell",))
    built.add_node("tell", _tell)
    built.add_edge(START, "choose")
    built.add_edge("tell", END)
    return built


routed = _routed().compile()
