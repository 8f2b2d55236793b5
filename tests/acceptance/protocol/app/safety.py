"""Graphs that show what a run was told, keep what they are given, or wait."""

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from typing_extensions import TypedDict


class Kept(TypedDict, total=False):
    payload: Any
    seen: dict[str, Any]


async def _show(state: Kept, config: RunnableConfig, runtime: Runtime[Any]) -> Kept:
    configurable = {key: str(value) for key, value in config["configurable"].items()}
    told = {"configurable": configurable, "context": runtime.context, "tags": config.get("tags")}
    return {"seen": told}


async def _wait(state: Kept) -> Kept:
    await asyncio.sleep(float(state["payload"]))
    return {}


def _one(name: str, node: Any) -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Kept)
    built.add_node(name, node)
    built.add_edge(START, name)
    built.add_edge(name, END)
    return built


shows = _one("show", _show).compile()
keeps = _one("keep", lambda state: {}).compile()
waits = _one("wait", _wait).compile()
