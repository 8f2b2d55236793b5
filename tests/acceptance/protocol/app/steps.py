"""Graphs without a model of their own: three steps, two hundred streamed tokens, a loop of twenty steps."""

from __future__ import annotations

import operator
from typing import Annotated, Any

from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.graph import END, START, MessagesState, StateGraph
from typing_extensions import TypedDict


class Trail(TypedDict, total=False):
    trail: Annotated[list[str], operator.add]
    note: str


def _says(name: str) -> Any:
    async def step(state: Trail) -> Trail:
        return {"trail": [name]}

    return step


def _three() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Trail)
    for name in ("a", "b", "c"):
        built.add_node(name, _says(name))
    built.add_edge(START, "a")
    built.add_edge("a", "b")
    built.add_edge("b", "c")
    built.add_edge("c", END)
    return built


graph = _three().compile()

WORDS = " ".join(f"w{n}" for n in range(100))
"""A fake model splits its text at spaces and keeps them as pieces of their own: 199 tokens."""


async def _speak(state: MessagesState) -> dict[str, Any]:
    model = GenericFakeChatModel(messages=iter([AIMessage(WORDS)]))
    return {"messages": [await model.ainvoke(state["messages"])]}


def _tokens() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(MessagesState)
    built.add_node("speak", _speak)
    built.add_edge(START, "speak")
    built.add_edge("speak", END)
    return built


tokens = _tokens().compile()


class Count(TypedDict):
    count: int


async def _count(state: Count) -> Count:
    return {"count": state["count"] + 1}


def _loop() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Count)
    built.add_node("step", _count)
    built.add_edge(START, "step")
    built.add_conditional_edges("step", lambda state: END if state["count"] >= 20 else "step")
    return built


loop = _loop().compile()
