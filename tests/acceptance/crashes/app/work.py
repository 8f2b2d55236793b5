"""Graphs that write down each execution of a node in a ledger, and wait where the test holds them.

A line of the ledger: seconds since the epoch, `begin` or `end`, node, run, attempt, pid, and the mark of this one
execution, which the node also leaves in the state. `held/<batch>.<node>` holds the node for as long as it is there.
"""

from __future__ import annotations

import asyncio
import operator
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt
from typing_extensions import TypedDict

FOLDER = Path(os.environ["CRASH_FOLDER"])
LEDGER = os.open(FOLDER / "ledger", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
LOOK_SECONDS = 0.02
STEP_SECONDS = 0.015
TOKENS = 200
TOKEN_SECONDS = 0.004


class State(TypedDict, total=False):
    batch: str
    trail: Annotated[list[str], operator.add]
    """Marks of executions."""


@asynccontextmanager
async def executing(node: str, state: State, config: RunnableConfig) -> AsyncIterator[str]:
    """One execution, from its first line in the ledger to its last; gives its mark."""
    attempt = config["metadata"]["run_attempt"]
    mark = f"{node}~{attempt}~{os.getpid()}~{uuid4().hex}"
    words = f"{node} {config['configurable']['run_id']} {attempt} {os.getpid()} {mark}"
    _note(f"begin {words}")
    yield mark
    await held(state, node)
    _note(f"end {words}")


async def held(state: State, node: str) -> None:
    """Until the test lets the node go."""
    door = FOLDER / "held" / f"{state['batch']}.{node}"
    while os.path.exists(door):
        await asyncio.sleep(LOOK_SECONDS)


def _note(words: str) -> None:
    # One write of one line to a file opened to append: lines of several processes do not mix.
    os.write(LEDGER, f"{time.time():.6f} {words}\n".encode())


def _step(name: str, seconds: float = 0.0) -> Any:
    async def step(state: State, config: RunnableConfig) -> State:
        async with executing(name, state, config) as mark:
            await asyncio.sleep(seconds)
        return {"trail": [mark]}

    return step


def _graph(*edges: tuple[str, str], **nodes: Any) -> Any:
    built = StateGraph(State)
    for name, node in nodes.items():
        built.add_node(name, node)
    for start, end in edges:
        built.add_edge(start, end)
    return built.compile()


steps = _graph(
    (START, "first"),
    ("first", "left"),
    ("first", "right"),
    ("left", "last"),
    ("right", "last"),
    ("last", END),
    first=_step("first"),
    left=_step("left"),
    right=_step("right"),
    last=_step("last"),
)

one = _graph((START, "only"), ("only", END), only=_step("only", 0.005))

_TURNS = [f"turn{number}" for number in range(20)]

loop = _graph(
    (START, _TURNS[0]),
    *zip(_TURNS, [*_TURNS[1:], END], strict=True),
    **{name: _step(name, STEP_SECONDS) for name in _TURNS},
)


async def _ask(state: State, config: RunnableConfig) -> State:
    answer = interrupt("go on?")
    async with executing("ask", state, config) as mark:
        assert answer == "yes"
    return {"trail": [mark]}


asks = _graph(
    (START, "before"),
    ("before", "ask"),
    ("ask", "after"),
    ("after", END),
    before=_step("before"),
    ask=_ask,
    after=_step("after"),
)


async def _speak(state: State, config: RunnableConfig) -> State:
    write = get_stream_writer()
    async with executing("speak", state, config) as mark:
        for number in range(TOKENS):
            if number == TOKENS // 2:
                await held(state, "middle")
            write({"token": number, "attempt": config["metadata"]["run_attempt"], "pid": os.getpid()})
            await asyncio.sleep(TOKEN_SECONDS)
    return {"trail": [mark]}


tokens = _graph(
    (START, "opening"),
    ("opening", "speak"),
    ("speak", "closing"),
    ("closing", END),
    opening=_step("opening"),
    speak=_speak,
    closing=_step("closing"),
)
