"""Graphs for their looks: branches, subgraphs nested twice, states and contexts of every kind.

None of them is run for its result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command
from pydantic import BaseModel, Field
from typing_extensions import TypedDict


class Note(TypedDict, total=False):
    note: str


class Question(TypedDict):
    question: str


class Answer(TypedDict):
    answer: str


class Whole(Question, Answer, total=False):
    steps: list[str]


class Tone(TypedDict, total=False):
    tone: Literal["plain", "warm"]
    length: int


@dataclass
class Prompts:
    """What Studio offers to edit."""

    system_prompt: Annotated[
        str,
        {"__template_metadata__": {"kind": "llm"}},
    ] = field(default="Be brief.", metadata={"description": "What the model is told first."})
    limit: int = 3


class Settings(BaseModel):
    """Fields with the keys that Studio reads."""

    prompt: str = Field(
        default="Answer well.",
        description="The prompt.",
        json_schema_extra={"langgraph_nodes": ["only"], "langgraph_type": "prompt"},
    )
    model: Annotated[Literal["small", "large"], Field(json_schema_extra={"langgraph_nodes": ["only"]})] = "small"


class Order(BaseModel):
    """A pydantic state."""

    item: str = Field(description="What is ordered.")
    count: int = 1


@dataclass
class Walk:
    """A dataclass as state."""

    place: str
    steps: list[str] = field(default_factory=list)


async def _nothing(state: Any) -> dict[str, Any]:
    return {}


def _one(state: Any, **kinds: Any) -> StateGraph[Any, Any, Any, Any]:
    built: StateGraph[Any, Any, Any, Any] = StateGraph(state, **kinds)
    built.add_node("only", _nothing)
    built.add_edge(START, "only")
    built.add_edge("only", END)
    return built


def _choose(state: Whole) -> Literal["left", "right"]:
    return "left"


def _branching() -> StateGraph[Any, Any, Any, Any]:
    built: StateGraph[Any, Any, Any, Any] = StateGraph(
        Whole, input_schema=Question, output_schema=Answer, context_schema=Tone
    )
    built.add_node("ask", _nothing, metadata={"owner": "lab", "level": 2})
    built.add_node("left", _nothing)
    built.add_node("right", _nothing)
    built.add_edge(START, "ask")
    built.add_conditional_edges("ask", _choose)
    built.add_conditional_edges("left", lambda state: "again", {"again": "ask", "done": END})
    built.add_edge("right", END)
    return built


async def _jump(state: Note) -> Command[Literal["b", "__end__"]]:
    return Command(goto="b")


def _jumping() -> StateGraph[Any, Any, Any, Any]:
    built: StateGraph[Any, Any, Any, Any] = StateGraph(Note)
    built.add_node("a", _jump)
    built.add_node("b", _nothing)
    built.add_edge(START, "a")
    built.add_edge("b", END)
    return built


def _around(name: str, inner: Any, state: Any = Note) -> StateGraph[Any, Any, Any, Any]:
    built: StateGraph[Any, Any, Any, Any] = StateGraph(state)
    built.add_node("before", _nothing)
    built.add_node(name, inner)
    built.add_edge(START, "before")
    built.add_edge("before", name)
    built.add_edge(name, END)
    return built


branching = _branching().compile()
jumping = _jumping().compile()
nested = _around("outer", _around("inner", _one(Question).compile()).compile(), Whole).compile(name="nested graphs")
chat = _one(MessagesState, context_schema=Settings).compile()
order = _one(Order).compile()
walk = _one(Walk, context_schema=Prompts).compile()
told = _one(Note).compile()
builder = _one(Note, context_schema=Tone)
loose = _one(dict).compile()
listed = _one(Annotated[list, lambda old, new: old + new]).compile()


def made(config: dict[str, Any]) -> StateGraph[Any, Any, Any, Any]:
    """A factory: more nodes where its configuration asks for them."""
    built: StateGraph[Any, Any, Any, Any] = StateGraph(Note)
    names = [f"step{n}" for n in range(int(config.get("configurable", {}).get("steps", 1)))]
    for name in names:
        built.add_node(name, _nothing)
    built.set_entry_point(names[0])
    for one, two in zip(names, [*names[1:], END], strict=True):
        built.add_edge(one, two)
    return built


class Opaque:
    """No JSON schema can be made of it."""


class Holding(TypedDict):
    thing: Opaque


opaque = _one(Holding).compile()
