"""What a factory is given, and what comes of what it returns."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph_sdk.runtime import ServerRuntime

from server.application.factories import InvalidGraph, compiled, made_by, parameters_of, runtime_for
from server.application.graphs import Application, factory_config
from server.application.loading import Served
from state.errors import BadRequest

if TYPE_CHECKING:
    from nowhere import Known  # type: ignore[import-not-found]


def nothing() -> str:
    return "made"


def config_only(config: RunnableConfig) -> object:
    return config


def unnamed(anything) -> object:  # type: ignore[no-untyped-def]
    return anything


def defaulted(config: RunnableConfig | None = None) -> object:
    return config


def runtime_only(runtime: ServerRuntime) -> object:
    return runtime


def of_a_context(runtime: ServerRuntime[dict[str, Any]]) -> object:
    return runtime


def both(runtime: ServerRuntime, config: RunnableConfig) -> object:
    return config, runtime


def positional(config: RunnableConfig, /) -> object:
    return config


def keyword(*, config: RunnableConfig) -> object:
    return config


def unresolved(runtime: ServerRuntime, config: RunnableConfig) -> Known:
    return config, runtime


def extra(config: RunnableConfig, color: str = "red") -> object:
    return config


async def awaited(config: RunnableConfig) -> object:
    return config


@contextmanager
def managed(config: RunnableConfig) -> Iterator[object]:
    yield config


@asynccontextmanager
async def async_managed(config: RunnableConfig) -> AsyncIterator[object]:
    yield config


class Maker:
    def __call__(self, config: RunnableConfig) -> object:
        return config


class AsyncMaker:
    async def __call__(self, runtime: ServerRuntime) -> object:
        return runtime


CONFIG, RUNTIME = RunnableConfig(tags=["a"]), object()


@pytest.mark.parametrize(
    ("call", "made"),
    [
        (nothing, "made"),
        (config_only, CONFIG),
        (unnamed, CONFIG),
        (defaulted, CONFIG),
        (runtime_only, RUNTIME),
        (of_a_context, RUNTIME),
        (both, (CONFIG, RUNTIME)),
        (positional, CONFIG),
        (keyword, CONFIG),
        (unresolved, (CONFIG, RUNTIME)),
        (extra, CONFIG),
        (awaited, CONFIG),
        (managed, CONFIG),
        (async_managed, CONFIG),
        (Maker(), CONFIG),
        (AsyncMaker(), RUNTIME),
        (functools.partial(extra, color="green"), CONFIG),
        (lambda: "made", "made"),
        (lambda config: config, CONFIG),
    ],
)
async def test_a_factory_is_given_what_it_asks_for(call: Callable[..., Any], made: object) -> None:
    async with made_by(parameters_of(call), CONFIG, RUNTIME) as got:
        assert got == made


def test_a_parameter_that_nobody_can_fill_is_told() -> None:
    def asks_for_more(config: RunnableConfig, color: str) -> None: ...

    with pytest.raises(BadRequest, match="its parameter 'color' cannot be filled"):
        parameters_of(asks_for_more)


@pytest.mark.parametrize("manager", [contextmanager, asynccontextmanager])
async def test_a_context_manager_hears_of_what_fails_inside(manager: Callable[..., Any]) -> None:
    heard = []

    def plain() -> Iterator[str]:
        try:
            yield "made"
        except KeyError as error:
            heard.append(error)
            raise

    async def asynchronous() -> AsyncIterator[str]:
        for one in plain():
            try:
                yield one
            except KeyError as error:
                heard.append(error)
                raise

    call = manager(plain if manager is contextmanager else asynchronous)
    with pytest.raises(KeyError):
        async with made_by(parameters_of(call), CONFIG, RUNTIME):
            raise KeyError("inside")
    assert len(heard) == 1


def test_a_builder_and_a_graph_are_graphs_and_nothing_else_is() -> None:
    builder = StateGraph(MessagesState).add_node("n", lambda state: state).add_edge(START, "n")
    assert compiled("g", builder).invoke({"messages": []}) == {"messages": []}
    graph = builder.compile()
    assert compiled("g", graph) is graph
    with pytest.raises(InvalidGraph, match=r"^Graph 'g' is not valid. Review graph registration. None$") as refused:
        compiled("g", None)
    assert refused.value.status == 424


@pytest.mark.parametrize("access", ["threads.update", "threads.read", "assistants.read"])
def test_only_a_run_has_an_execution_runtime(access: str) -> None:
    store = InMemoryStore()
    run: Any = runtime_for("threads.create_run", store, {"color": "red"})
    assert (run.access_context, run.store, run.user) == ("threads.create_run", store, None)
    assert run.execution_runtime.context == {"color": "red"}
    read: Any = runtime_for(access, store, {"color": "red"})
    assert (read.access_context, read.store, read.execution_runtime) == (access, store, None)


def test_a_factory_s_config_has_the_same_keys_always() -> None:
    keys = ["tags", "metadata", "callbacks", "recursion_limit", "configurable"]
    bare = factory_config(None, executes=False)
    assert list(bare) == keys
    assert bare["configurable"] == {"__is_for_execution__": False}
    given = RunnableConfig(run_name="left out", tags=["a"], recursion_limit=5, configurable={"color": "red"})
    told = factory_config(given, executes=True)
    assert list(told) == keys
    assert (told["tags"], told["recursion_limit"]) == (["a"], 5)
    assert told["configurable"] == {"color": "red", "__is_for_execution__": True}
    assert given["configurable"] == {"color": "red"}


async def test_each_use_has_a_graph_of_its_own_on_the_server_s_store() -> None:
    plain = StateGraph(MessagesState).add_node("n", lambda state: state).add_edge(START, "n").compile()
    application = Application({"g": Served("g", plain)})
    store = InMemoryStore()
    async with application.graph("g", store=store) as first, application.graph("g") as second:
        assert first is not second
        assert (first.store, second.store, plain.store) == (store, None, None)
        assert first.name == "g"
