"""Graphs that show what a stream says: nested graphs, models, interrupts, errors, values that are no JSON."""

from __future__ import annotations

import asyncio
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import json
import operator
import pathlib
import re
import sqlite3
import subprocess
import uuid
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, cast

import httpx
from langchain_core.callbacks import adispatch_custom_event
from langchain_core.documents import Document
from langchain_core.exceptions import LangChainException, OutputParserException
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    AnyMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolCallChunk,
    ToolMessage,
)
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.errors import EmptyInputError, GraphRecursionError, TaskNotFound
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, Interrupt, Overwrite, Send, interrupt
from pydantic import BaseModel, SecretStr
from typing_extensions import TypedDict


class Trail(TypedDict, total=False):
    trail: Annotated[list[str], operator.add]
    note: str
    secret: str


class Shown(TypedDict, total=False):
    trail: list[str]


def _step(name: str) -> Any:
    async def step(state: Trail) -> Trail:
        writer = get_stream_writer()
        writer({"at": name})
        writer(f"text of {name}")
        return {"trail": [name]}

    return step


def _line(*names: str) -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Trail)
    before = START
    for name in names:
        built.add_node(name, _step(name))
        built.add_edge(before, name)
        before = name
    return built


def _nested() -> StateGraph[Any, Any, Any, Any]:
    inner = _line("deep").compile()
    middle = _line("mid")
    middle.add_node("inner", inner)
    middle.add_edge("mid", "inner")
    outer = _line("top")
    outer.add_node("middle", middle.compile())
    outer.add_edge("top", "middle")
    return outer


nested = _nested().compile()


async def _last(state: Trail) -> Trail:
    return {"trail": ["last"], "secret": "kept"}


def _shown() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Trail, input_schema=Trail, output_schema=Shown)
    built.add_node("first", _step("first"))
    built.add_node("last", _last)
    built.add_edge(START, "first")
    built.add_edge("first", "last")
    return built


shown = _shown().compile()


def _fan() -> StateGraph[Any, Any, Any, Any]:
    async def slow(state: Trail) -> Trail:
        await asyncio.sleep(0.05)
        return {"trail": ["slow"]}

    async def quick(state: Trail) -> Trail:
        return {"trail": ["quick"]}

    async def nothing(state: Trail) -> None:
        return None

    built = StateGraph(Trail)
    built.add_node("quick", quick)
    built.add_node("slow", slow)
    built.add_node("nothing", nothing)
    built.add_edge(START, "quick")
    built.add_edge(START, "slow")
    built.add_edge(["quick", "slow"], "nothing")
    return built


fan = _fan().compile()


# Models


def _model(*messages: AIMessage | str) -> GenericFakeChatModel:
    return GenericFakeChatModel(messages=iter(messages))


_CALL = {"name": "add", "args": {"a": 1, "b": 2}, "id": "call_1", "type": "tool_call"}


_USAGE = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
_INVALID = {"name": "x", "args": "{", "id": "c", "error": "bad", "type": "invalid_tool_call"}
_PICTURE = {"type": "image_url", "image_url": {"url": "data:x"}}


async def _ask(state: MessagesState) -> dict[str, Any]:
    said = AIMessage(
        "let me add",
        id="ai-1",
        tool_calls=[_CALL],
        usage_metadata={"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
    )
    return {"messages": [await _model(said).ainvoke(state["messages"])]}


class _Chunked(BaseChatModel):
    """Says its chunks one by one, tool calls in pieces and usage at the end."""

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        raise NotImplementedError

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in (
            AIMessageChunk(content="I ", id="ai-3"),
            AIMessageChunk(content="", id="ai-3", tool_call_chunks=[_piece(name="add", args="", id="call_1")]),
            AIMessageChunk(content="", id="ai-3", tool_call_chunks=[_piece(args='{"a": 1')]),
            AIMessageChunk(content="", id="ai-3", tool_call_chunks=[_piece(args=', "b": 2}')]),
            AIMessageChunk(
                content="", id="ai-3", response_metadata={"finish_reason": "tool_calls"}, usage_metadata=_USAGE
            ),
        ):
            yield ChatGenerationChunk(message=chunk)

    @property
    def _llm_type(self) -> str:
        return "chunked"


def _piece(name: str | None = None, args: str = "", id: str | None = None) -> ToolCallChunk:
    return {"name": name, "args": args, "id": id, "index": 0, "type": "tool_call_chunk"}


async def _call(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await _Chunked().ainvoke(state["messages"])]}


def _calling() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(MessagesState)
    built.add_node("call", _call)
    built.add_node("tool", _tool)
    built.add_edge(START, "call")
    built.add_edge("call", "tool")
    return built


async def _tool(state: MessagesState) -> dict[str, Any]:
    return {"messages": [ToolMessage("3", tool_call_id="call_1", name="add", id="tool-1", artifact={"raw": 3})]}


async def _hidden(state: MessagesState) -> dict[str, Any]:
    await _model(AIMessage("not for you", id="ai-hidden")).with_config(tags=["langsmith:nostream"]).ainvoke("x")
    await _model(AIMessage("nor this", id="ai-hidden-2")).with_config(tags=["nostream"]).ainvoke("x")
    return {}


async def _answer(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await _model(AIMessage("it is three", id="ai-2")).with_config(tags=["tagged"]).ainvoke("x")]}


def _chat() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(MessagesState)
    built.add_node("ask", _ask)
    built.add_node("tool", _tool)
    built.add_node("hidden", _hidden)
    built.add_node("answer", _answer)
    for before, after in ((START, "ask"), ("ask", "tool"), ("tool", "hidden"), ("hidden", "answer")):
        built.add_edge(before, after)
    return built


chat = _chat().compile()
calling = _calling().compile()


def _chat_within() -> StateGraph[Any, Any, Any, Any]:
    inner = StateGraph(MessagesState)
    inner.add_node("answer", _answer)
    inner.add_edge(START, "answer")
    built = StateGraph(MessagesState)
    built.add_node("agent", inner.compile())
    built.add_edge(START, "agent")
    return built


chat_within = _chat_within().compile()


async def _every_kind(state: MessagesState) -> dict[str, Any]:
    return {
        "messages": [
            SystemMessage("be kind", id="s-1"),
            HumanMessage(
                [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:x"}}], id="h-1"
            ),
            AIMessage("hello", id="a-1", response_metadata={"model_name": "fake"}, additional_kwargs={"k": 1}),
            AIMessage(
                "",
                id="a-2",
                invalid_tool_calls=[{"name": "x", "args": "{", "id": "c", "error": "bad", "type": "invalid_tool_call"}],
            ),
            RemoveMessage("s-1"),
        ]
    }


def _messages() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(MessagesState)
    built.add_node("every_kind", _every_kind)
    built.add_edge(START, "every_kind")
    return built


messages = _messages().compile()


# Interrupts and errors


class Asked(TypedDict, total=False):
    answers: Annotated[list[Any], operator.add]
    many: bool


def _asks(name: str) -> Any:
    async def ask(state: Asked) -> Asked:
        return {"answers": [{name: interrupt({"question": name})}]}

    return ask


def _interrupting() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Asked)
    built.add_node("one", _asks("one"))
    built.add_node("two", _asks("two"))
    built.add_node("end", _asks("end"))
    built.add_conditional_edges(START, lambda state: ["one", "two"] if state.get("many") else ["one"], ["one", "two"])
    built.add_edge("one", END)
    built.add_edge("two", END)
    built.add_edge("end", END)
    return built


interrupting = _interrupting().compile()


def _interrupting_within() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Asked)
    built.add_node("inside", _interrupting().compile())
    built.add_edge(START, "inside")
    return built


interrupting_within = _interrupting_within().compile()


class Wish(TypedDict, total=False):
    wish: str
    done: str


class Refused(Exception):
    """An application's own."""


async def _fail(state: Wish) -> Wish:
    match state.get("wish"):
        case "value":
            raise ValueError("it broke: ü")
        case "own":
            raise Refused("no", 3)
        case "empty":
            raise RuntimeError
        case "key":
            raise KeyError("missing")
        case "timeout":
            raise TimeoutError
        case "cancel":
            raise asyncio.CancelledError
        case "group":
            raise ExceptionGroup("several", [ValueError("one"), TypeError("two")])
        case "write":
            return {"nowhere": 1}  # type: ignore[typeddict-unknown-key]
        case "text":
            return "no dict"  # type: ignore[return-value]
        case "hang":
            await asyncio.sleep(60)
        case str(name):
            _raising(name)
    return {"done": "yes"}


class Derived(ValueError):
    """A kind of builtin of the application's own."""


class _Amount(BaseModel):
    amount: int


def _raising(name: str) -> None:
    match name:
        case "derived":
            raise Derived("mine")
        case "parser":
            raise OutputParserException("no answer in it")
        case "pydantic":
            _Amount.model_validate({"amount": "many"})
        case "json":
            json.loads("{")
        case "httpx":
            raise httpx.ConnectError("nobody there")
        case "sqlite":
            raise sqlite3.OperationalError("locked")
        case "unicode":
            b"\xff".decode()
        case "os":
            raise FileNotFoundError(2, "No such file", "secret.txt")
        case "assert":
            raise AssertionError("checked")
        case "timeout_text":
            raise TimeoutError("too slow")
        case "type":
            raise TypeError("kind")
        case "index":
            raise IndexError("place")
        case "lookup":
            raise LookupError("up")
        case "attribute":
            raise AttributeError("attr")
        case "arithmetic":
            raise ArithmeticError("arith")
        case "zero":
            raise ZeroDivisionError("zero")
        case "permission":
            raise PermissionError("perm")
        case "connection":
            raise ConnectionError("conn")
        case "exception":
            raise Exception("bare")
        case "stop":
            raise StopAsyncIteration("stop")
        case "memory":
            raise MemoryError("mem")
        case "name":
            raise NameError("name")
        case "import":
            raise ImportError("imp")
        case "buffer":
            raise BufferError("buf")
        case "eof":
            raise EOFError("eof")
        case "syntax":
            raise SyntaxError("syn")
        case "recursion":
            raise RecursionError("rec")
        case "process":
            raise subprocess.CalledProcessError(1, "ls")
        case "decimal":
            raise decimal.InvalidOperation("odd")
        case "graph_recursion":
            raise GraphRecursionError("mine too")
        case "empty_input":
            raise EmptyInputError("mine as well")
        case "task_not_found":
            raise TaskNotFound("which")
        case "langchain":
            raise LangChainException("chain")
        case "not_implemented":
            raise NotImplementedError("later")
        case "surrogate":
            raise ValueError("a\ud800b")
        case "nul":
            raise ValueError("a\0b")


def _failing() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Wish)
    built.add_node("fail", _fail)
    built.add_edge(START, "fail")
    built.add_conditional_edges("fail", lambda state: "fail" if state.get("wish") == "loop" else END, ["fail", END])
    return built


failing = _failing().compile()


# Values that are no JSON


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@dataclass
class Point:
    x: int
    y: Any


class Pair(NamedTuple):
    left: int
    right: str


class Model(BaseModel):
    name: str
    when: dt.datetime | None = None
    point: Point | None = None
    blob: bytes | None = None


class Plain:
    def __init__(self) -> None:
        self.field = 1

    def __repr__(self) -> str:
        return "Plain!"


class Dumps:
    def dict(self) -> dict[str, Any]:
        return {"by": "dict"}


class ToDict:
    def to_dict(self) -> dict[str, Any]:
        return {"by": "to_dict"}


def odd_values() -> dict[str, Any]:
    """Each kind of value by a name of its own."""
    return {
        "none": None,
        "nan": float("nan"),
        "inf": float("inf"),
        "float": 1e22,
        "int_63": 2**63,
        "int_big": 2**70,
        "tuple": (1, 2),
        "set": {1},
        "frozenset": frozenset({"a"}),
        "deque": deque([1, 2]),
        "bytes": b"abc",
        "bytes_odd": b"\xff\x00",
        "bytearray": bytearray(b"abc"),
        "memoryview": memoryview(b"abc"),
        "complex": 1 + 2j,
        "decimal": decimal.Decimal("1.50"),
        "decimal_int": decimal.Decimal("2"),
        "fraction": fractions.Fraction(1, 3),
        "datetime": dt.datetime(2026, 1, 2, 3, 4, 5, 6),
        "datetime_utc": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC),
        "date": dt.date(2026, 1, 2),
        "time": dt.time(1, 2, 3),
        "timedelta": dt.timedelta(days=1, seconds=2.5),
        "uuid": uuid.UUID(int=7),
        "enum": Colour.RED,
        "int_enum": Level.HIGH,
        "dataclass": Point(1, {2}),
        "named_tuple": Pair(1, "b"),
        "model": Model(name="m", when=dt.datetime(2026, 1, 2, tzinfo=dt.UTC), point=Point(1, 2), blob=b"abc"),
        "model_class": Model,
        "secret": SecretStr("hush"),
        "plain": Plain(),
        "dumps": Dumps(),
        "to_dict": ToDict(),
        "class": Plain,
        "function": len,
        "exception": ValueError("bad", 2),
        "interrupt": Interrupt(value={"a": 1}, id="i-1"),
        "send": Send("node", {"a": 1}),
        "command": Command(update={"a": 1}, goto="x", resume=2),
        "overwrite": Overwrite([1]),
        "document": Document("text", id="d-1", metadata={"m": 1}),
        "message": HumanMessage("hi", id="h-1"),
        "chunk": AIMessage("x", id="c-1"),
        "path": pathlib.PurePosixPath("/a/b"),
        "pattern": re.compile("a+"),
        "ip": ipaddress.ip_address("10.0.0.1"),
        "range": range(3),
        "generator": (n for n in range(2)),
        "keys": {1: "int", None: "none", False: "bool", 1.5: "float", uuid.UUID(int=1): "uuid"},
        "tuple_keys": {(1, 2): "tuple"},
        "enum_keys": {Colour.RED: 1},
        "surrogate": "a\ud800b",
        "surrogate_key": {"\udfff": 1},
        "nul": "a\0b",
        "lc": {"lc": 1, "type": "constructor", "id": ["a"], "kwargs": {}},
        "dict_subclass": type("Sub", (dict,), {})(a=1),
        "str_subclass": type("Str", (str,), {})("s"),
        "list_subclass": type("Lst", (list,), {})([1]),
        "tuple_in_set": {(1, 2)},
        "nested": {"a": [Point(1, Colour.RED), {"b": {3}}]},
    }


class Odd(TypedDict, total=False):
    which: str
    numpy: str


async def _odd(state: Odd) -> dict[str, Any]:
    get_stream_writer()(odd_values()[state["which"]])
    return {}


def _odd_graph() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Odd)
    built.add_node("odd", _odd)
    built.add_edge(START, "odd")
    return built


odd = _odd_graph().compile()


# What a run is configured with


class Settings(TypedDict, total=False):
    model: str
    extra: int


class Seen(TypedDict, total=False):
    seen: dict[str, Any]
    messages: list[AnyMessage]


async def _see(state: Seen, config: RunnableConfig, runtime: Runtime[Settings]) -> Seen:
    told = {key: value for key, value in config["configurable"].items() if not key.startswith("__")}
    await adispatch_custom_event("seen", {"a": 1}, config=config)
    return {
        "seen": {
            "configurable": {key: _plain(value) for key, value in told.items()},
            "metadata": {key: _plain(value) for key, value in config["metadata"].items()},
            "tags": config.get("tags"),
            "recursion_limit": config.get("recursion_limit"),
            "run_id": str(config.get("run_id")),
            "run_name": config.get("run_name"),
            "max_concurrency": config.get("max_concurrency"),
            "keys": sorted(config),
            "context": _plain(runtime.context),
        }
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return value if isinstance(value, str | int | float | list | None) else f"{type(value).__name__}: {value}"


async def _see_freely(state: Seen, config: RunnableConfig, runtime: Runtime[Any]) -> Seen:
    return await _see(state, config, runtime)


def _seeing_freely() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Seen)
    built.add_node("see", cast("Any", _see_freely))
    built.add_edge(START, "see")
    return built


seeing_freely = _seeing_freely().compile()


def _seeing() -> StateGraph[Any, Any, Any, Any]:
    built = StateGraph(Seen, context_schema=Settings)
    built.add_node("see", cast("Any", _see))
    built.add_edge(START, "see")
    return built


seeing = _seeing().compile()


def _sending() -> StateGraph[Any, Any, Any, Any]:
    async def work(state: dict[str, Any]) -> Trail:
        return {"trail": [f"work {state['n']}"]}

    async def plan(state: Trail) -> Command[Any]:
        return Command(update={"note": "planned"}, goto=[Send("work", {"n": 1}), Send("work", {"n": 2})])

    built = StateGraph(Trail)
    built.add_node("plan", plan, destinations=("work",))
    built.add_node("work", cast("Any", work))
    built.add_edge(START, "plan")
    return built


sending = _sending().compile()
