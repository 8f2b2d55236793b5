"""Graphs that wait: for a human, for time, for nothing; and one that fails. What run routes are tried with."""

from __future__ import annotations

import asyncio
import operator
from typing import Annotated, Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.func import entrypoint
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, Send, interrupt
from typing_extensions import TypedDict


class Answers(TypedDict, total=False):
    trail: Annotated[list[str], operator.add]
    answers: Annotated[list[Any], operator.add]


def _mark(name: str) -> Any:
    async def mark(state: Answers) -> Answers:
        return {"trail": [name]}

    return mark


def _ask(name: str) -> Any:
    async def ask(state: Answers) -> Answers:
        answer = interrupt({"question": f"{name}?"})
        return {"trail": [name], "answers": [answer]}

    return ask


def _asking(*asked: str) -> StateGraph[Any, Any, Any, Any]:
    """`before`, then every one of `asked` side by side, then `after`."""
    built = StateGraph(Answers)
    built.add_node("before", _mark("before"))
    built.add_node("after", _mark("after"))
    built.add_edge(START, "before")
    for name in asked:
        built.add_node(name, _ask(name))
        built.add_edge("before", name)
    built.add_edge([*asked], "after")
    built.add_edge("after", END)
    return built


asks = _asking("ask").compile()
asks_two = _asking("left", "right").compile()


async def _twice(state: Answers) -> Answers:
    first = interrupt("first?")
    second = interrupt("second?")
    return {"trail": ["twice"], "answers": [first, second]}


def _asks_twice() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Answers)
    built.add_node("twice", _twice)
    built.add_edge(START, "twice")
    built.add_edge("twice", END)
    return built


asks_twice = _asks_twice().compile()


async def _inner_ask(state: Answers) -> Answers:
    return {"trail": ["inner"], "answers": [interrupt("inside?")]}


def _nested() -> StateGraph[Any, Any, Any, Any]:
    inner = StateGraph(Answers)
    inner.add_node("inner", _inner_ask)
    inner.add_edge(START, "inner")
    outer = StateGraph(Answers)
    outer.add_node("first", _mark("first"))
    outer.add_node("child", inner.compile())
    outer.add_edge(START, "first")
    outer.add_edge("first", "child")
    return outer


asks_inside = _nested().compile()


@entrypoint()
async def asks_plainly(number: int) -> dict[str, Any]:
    """A graph without a state of its own: a function that asks."""
    return {"number": number, "answer": interrupt({"number": number})}


class Work(TypedDict, total=False):
    trail: Annotated[list[str], operator.add]
    seconds: float
    ticks: int
    fail: str


async def _work(state: Work) -> Work:
    """Says `tick` as often as asked, then takes its seconds; fails where it is told to."""
    write = get_stream_writer()
    for number in range(state.get("ticks", 0)):
        write({"tick": number})
        await asyncio.sleep(0.01)
    await asyncio.sleep(state.get("seconds", 0.0))
    if state.get("fail"):
        raise ValueError(state["fail"])
    return {"trail": ["work"]}


def _working() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Work)
    built.add_node("start", _mark("start"))
    built.add_node("work", _work)
    built.add_node("stop", _mark("stop"))
    built.add_edge(START, "start")
    built.add_edge("start", "work")
    built.add_edge("work", "stop")
    built.add_edge("stop", END)
    return built


works = _working().compile()


class Told(TypedDict, total=False):
    told: dict[str, Any]


class Wanted(TypedDict, total=False):
    model: str
    depth: int


async def _tell(state: Told, config: RunnableConfig, runtime: Runtime[Wanted]) -> Told:
    """What reached the node: keys of its configuration that a client may set, its context, tags, metadata."""
    configurable = {k: v for k, v in config.get("configurable", {}).items() if k in ("color", "model", "depth")}
    metadata = {k: v for k, v in config.get("metadata", {}).items() if not k.startswith("__") and isinstance(v, str)}
    return {
        "told": {
            "configurable": configurable,
            "context": runtime.context,
            "tags": list(config.get("tags") or []),
            "metadata": metadata,
            "recursion_limit": config.get("recursion_limit"),
            "thread_id": config.get("configurable", {}).get("thread_id"),
            "run_id": str(config.get("configurable", {}).get("run_id")),
            "assistant_id": str(config.get("configurable", {}).get("assistant_id")),
            "graph_id": config.get("configurable", {}).get("graph_id"),
        }
    }


def _telling() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Told, context_schema=Wanted)
    node: Any = _tell  # its type says more than the builder's overloads know
    built.add_node("tell", node)
    built.add_edge(START, "tell")
    built.add_edge("tell", END)
    return built


tells = _telling().compile()


class Chat(MessagesState, total=False):
    seconds: float


async def _model(state: Chat) -> dict[str, Any]:
    """Calls the slow tool when the last word of its human says so; answers with how much it was told otherwise."""
    last: AnyMessage = state["messages"][-1]
    if isinstance(last, HumanMessage) and last.text.endswith("tool"):
        call = {"id": f"call-{len(state['messages'])}", "name": "slow", "args": {}}
        return {"messages": [AIMessage("", tool_calls=[call])]}
    return {"messages": [AIMessage(f"I see {len(state['messages'])} messages")]}


async def _tools(state: Chat) -> dict[str, Any]:
    await asyncio.sleep(state.get("seconds", 0.0))
    calls = state["messages"][-1].tool_calls  # type: ignore[union-attr]
    return {"messages": [ToolMessage("done", tool_call_id=call["id"]) for call in calls]}


def _chat() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Chat)
    built.add_node("model", _model)
    built.add_node("tools", _tools)
    built.add_edge(START, "model")
    built.add_conditional_edges("model", lambda state: "tools" if state["messages"][-1].tool_calls else END)
    built.add_edge("tools", "model")
    return built


chat = _chat().compile()


class Piece(TypedDict, total=False):
    trail: Annotated[list[str], operator.add]
    piece: str


async def _do_piece(state: Piece) -> Piece:
    return {"trail": [f"piece {state.get('piece', 'none')}"]}


async def _jump(state: Piece) -> Command[Any]:
    return Command(update={"trail": ["jump"]}, goto=[Send("piece", {"piece": "x"}), Send("piece", {"piece": "y"})])


def _pieces() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Piece)
    built.add_node("jump", _jump, destinations=("piece",))
    built.add_node("piece", _do_piece)
    built.add_edge(START, "jump")
    return built


pieces = _pieces().compile()
