"""GraphAgent: graphs within graphs, with what they are given and what is taken of their answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_config
from langgraph.errors import GraphRecursionError
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel import Pregel
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from graphs.orchestrator import build
from nodes.agents.failures import NotAgain
from nodes.agents.graph import MAX_DEPTH, WITHIN, GraphKind
from state.agent_ports import AgentNeeds
from state.agents import AgentReply
from state.context import Context
from state.crew_run import CrewContext
from state.errors import AgentFailed, BadRequest, NotFound
from tests.fakes import FakeModels, fake_services
from tests.unit.nodes.agents.values import call_of, needs_of, spec_of

KIND = GraphKind()
ASKED = "What is the capital of France?"
Graph = CompiledStateGraph[Any, Any, Any, Any]


class Chat(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


class Served:
    """Graphs by name. Fills `state.agent_ports.ServedGraphs`."""

    def __init__(self, config: RunnableConfig | None = None, graphs: Mapping[str, Graph] | None = None) -> None:
        self._config, self._graphs = config or {}, {} if graphs is None else graphs

    @asynccontextmanager
    async def open(self, name: str) -> AsyncIterator[tuple[Pregel[Any, Any, Any, Any], RunnableConfig]]:
        if name not in self._graphs:
            raise NotFound(f"there is no graph or assistant '{name}'")
        yield self._graphs[name], self._config

    async def check(self, name: str) -> None:
        async with self.open(name):
            pass


def one_node(schema: Any, answer: Any, context: Any = None) -> Graph:
    graph: Any = StateGraph(schema, context_schema=context)
    graph.add_node("node", answer)
    graph.add_edge(START, "node")
    compiled: Graph = graph.compile()
    return compiled


async def ask(graph: Graph, config: Mapping[str, Any] | None = None, **others: Any) -> AgentReply:
    needs = needs_of(graphs=Served(others.pop("found", None), {"it": graph}))
    agent = KIND.make(spec_of(config={"graph": "it", **(config or {})}), needs)
    return await agent.process(call_of(**others))


async def test_a_chat_graph_is_told_the_text_and_its_last_message_is_the_answer() -> None:
    def node(state: Chat) -> dict[str, Any]:
        return {"messages": [AIMessage(f"heard: {state['messages'][-1].text}")]}

    reply = await ask(one_node(Chat, node))
    assert reply == AgentReply(output={"response": "heard: What is 1 + 1?"}, text="heard: What is 1 + 1?")


async def test_a_graph_with_a_state_of_its_own_is_told_what_it_takes_and_answers_whole() -> None:
    class Words(TypedDict):
        topic: str
        words: int

    def node(state: Words) -> dict[str, Any]:
        return {"words": len(state["topic"].split())}

    reply = await ask(one_node(Words, node), given={"topic": "red and blue", "colour": "red"})
    assert reply.output == {"topic": "red and blue", "words": 3}
    assert reply.text == '{"topic":"red and blue","words":3}'
    with pytest.raises(BadRequest, match="'it' takes topic, words; the step has colour, messages, query, input_data"):
        await ask(one_node(Words, node), given={"colour": "red"})


async def test_the_orchestrator_answers_as_an_agent_with_its_own_context_and_its_tokens_count() -> None:
    models = FakeModels("The capital of France is Paris.")
    graph: Any = build(fake_services(models)).compile()
    reply = await ask(graph, {"context": {"temperature": 0.7}}, text=ASKED, context=CrewContext(seed=3, max_tokens=50))
    assert reply.text == "The capital of France is Paris."
    assert (reply.input_tokens, reply.output_tokens) == (1, 6)
    (said,) = (sampling for _, _, sampling in models.calls)
    assert said is not None and (said.temperature, said.seed, said.max_tokens) == (0.7, 3, 50)


async def test_an_assistants_settings_are_its_context_and_the_callers_is_not_handed_on() -> None:
    def node(state: Chat, runtime: Runtime[Context]) -> dict[str, Any]:
        return {"messages": [AIMessage(f"{type(runtime.context).__name__} {runtime.context.model}")]}

    found: RunnableConfig = {"configurable": {"model": "other", "thread_id": "forged", "__pregel_x": 1}}
    assert (await ask(one_node(Chat, node, Context), found=found)).text == "Context other"
    with pytest.raises(BadRequest, match=r"config\.context: temperature"):
        await ask(one_node(Chat, node, Context), {"context": {"temperature": "hot"}})


async def test_a_setting_that_its_contexts_base_class_has_is_one_of_its_own() -> None:
    @dataclass
    class Named:
        model: str = "none"

    @dataclass
    class Counted(Named):
        most: int = 1

    def node(state: Chat, runtime: Runtime[Counted]) -> dict[str, Any]:
        return {"messages": [AIMessage(f"{runtime.context.model} {runtime.context.most}")]}

    assert (await ask(one_node(Chat, node, Counted), {"context": {"model": "big", "most": 2}})).text == "big 2"


async def test_its_interrupts_are_those_of_the_run_that_asks() -> None:
    def node(state: Chat) -> dict[str, Any]:
        return {"messages": [AIMessage(f"said {interrupt('go on?')}")]}

    async def outer(state: dict[str, Any]) -> dict[str, Any]:
        return {"text": (await ask(one_node(Chat, node))).text}

    graph: Any = StateGraph(dict)
    graph.add_node("outer", outer)
    graph.add_edge(START, "outer")
    compiled = graph.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    stopped = await compiled.ainvoke({"text": ""}, config)
    assert stopped["__interrupt__"][0].value == "go on?"
    assert (await compiled.ainvoke(Command(resume="yes"), config))["text"] == "said yes"


def nesting(*names: str) -> tuple[AgentNeeds, list[list[str]]]:
    """Graphs of these names, each of which asks the next; and where each was when it ran."""
    seen: list[list[str]] = []
    graphs: dict[str, Graph] = {}
    # As assistants whose saved configuration says otherwise would.
    needs = needs_of(graphs=Served({"configurable": {WITHIN: []}}, graphs))

    def asks(following: str) -> Any:
        async def node(state: Chat) -> dict[str, Any]:
            seen.append(get_config()["configurable"][WITHIN])
            agent = KIND.make(spec_of(config={"graph": following}), needs)
            return {"messages": [AIMessage((await agent.process(call_of())).text)]}

        return node

    for name, following in pairwise((*names, names[0])):
        graphs[name] = one_node(Chat, asks(following))
    return needs, seen


async def test_a_graph_does_not_run_within_itself_whatever_its_settings_say() -> None:
    needs, seen = nesting("a", "b")
    with pytest.raises(BadRequest, match="agent 'ana': 'a' would run within itself: a > b > a"):
        await KIND.make(spec_of(config={"graph": "a"}), needs).process(call_of())
    assert seen == [["a"], ["a", "b"]]


async def test_graphs_run_within_each_other_only_so_deep() -> None:
    needs, seen = nesting(*"abcdefghij")
    with pytest.raises(BadRequest, match=f"would run within {MAX_DEPTH + 1} graphs; at most {MAX_DEPTH}"):
        await KIND.make(spec_of(config={"graph": "a"}), needs).process(call_of())
    assert len(seen) == MAX_DEPTH + 1


@pytest.mark.parametrize(
    "error",
    [AgentFailed("no agent answered"), GraphRecursionError("no agent answered in 25 steps")],
    ids=["failed", "endless"],
)
async def test_a_crew_within_that_has_no_answer_is_not_tried_again(error: Exception) -> None:
    def node(state: Chat) -> dict[str, Any]:
        raise error

    with pytest.raises(NotAgain, match="no agent answered"):
        await ask(one_node(Chat, node))


async def test_without_a_server_and_for_unknown_names_it_says_so() -> None:
    with pytest.raises(BadRequest, match="by a server only"):
        await KIND.make(spec_of(config={"graph": "it"}), needs_of()).process(call_of())
    with pytest.raises(NotFound, match="'nothing'"):
        await KIND.make(spec_of(config={"graph": "nothing"}), needs_of(graphs=Served())).process(call_of())


@pytest.mark.parametrize(
    "config",
    [{}, {"graph": "a", "assistant_id": "b"}, {"graph": ""}, {"graph": 1}, {"graph": "a", "context": []}],
    ids=str,
)
def test_settings_that_name_no_graph_are_refused(config: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="agent 'ana': config"):
        KIND.check(spec_of(config=config))
