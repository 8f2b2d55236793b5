"""Agents on the demo model, as steps of a run with a real checkpointer and store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypedDict

import pytest
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command, interrupt

from graphs.services import lab_tools
from llm.models import LocalModels, open_models
from nodes.agents.builtin import builtin_agents
from nodes.agents.kinds import kind_of, shipped_kinds
from server.db.pool import Database
from state.agent_ports import AgentCall, AgentNeeds
from state.agents import AgentReply
from state.flows import AgentSpec


@pytest.fixture(scope="module")
def demo() -> Iterator[LocalModels]:
    with open_models(budget_bytes=100_000_000) as models:
        yield models


class State(TypedDict, total=False):
    text: str
    reply: AgentReply


def run_of(spec: AgentSpec, needs: AgentNeeds, database: Database) -> Any:
    """A graph of one step, which is the agent's."""
    agent = kind_of(spec.agent_class, shipped_kinds()).make(spec, needs)

    async def step(state: State, runtime: Runtime[None]) -> State:
        call = AgentCall(step=spec.agent_id, agent_id=spec.agent_id, text=state["text"], input={}, memory=runtime.store)
        return {"reply": await agent.process(call)}

    graph: Any = StateGraph(State)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    return graph.compile(checkpointer=database.checkpointer, store=database.store)


def needs_of(models: LocalModels) -> AgentNeeds:
    return AgentNeeds(models=models, tools={each.name: each for each in lab_tools(models)})


def thread(name: str) -> Any:
    return {"configurable": {"thread_id": name}}


async def test_built_in_agents_answer_and_call_tools(demo: LocalModels, database: Database) -> None:
    asked = {
        "assistant": ("What is 17 + 25?", "17 + 25 = 42"),
        "researcher": ("What is the capital of Peru?", "The capital of Peru is Lima."),
        "translator": ("Translate to Spanish: the dog", "el perro"),
        "extractor": (
            "Text: Luis is 40 years old.\nKeys: name, age\nAnswer with JSON only.",
            '{"name": "Luis", "age": 40}',
        ),
    }
    told = {agent.agent_id: agent for agent in builtin_agents()}
    for agent_id, (text, answer) in asked.items():
        agent = told[agent_id]
        spec = AgentSpec(
            agent_id=agent_id,
            system_prompt=agent.system_prompt,
            tools=agent.tools,
            config={**agent.config, "memory": True},
        )
        graph = run_of(spec, needs_of(demo), database)
        reply = (await graph.ainvoke({"text": text}, thread(agent_id)))["reply"]
        assert reply.text == answer and reply.model == "demo" and reply.output_tokens >= len(answer)
        kept = await database.store.asearch(("agents", agent_id))
        assert [(item.value["request"], item.value["answer"]) for item in kept] == [(text, answer)]


async def test_an_interrupt_in_a_tool_is_answered_from_the_checkpoint(demo: LocalModels, database: Database) -> None:
    asked: list[str] = []

    @tool
    def calculator(expression: str) -> str:
        """Calculate."""
        asked.append(expression)
        return str(interrupt(f"what is {expression}?"))

    spec = AgentSpec(agent_id="assistant", tools=("calculator",))
    needs = AgentNeeds(models=demo, tools={"calculator": calculator})
    config = thread("interrupted")
    stopped = await run_of(spec, needs, database).ainvoke({"text": "What is 17 + 25?"}, config)
    assert [each.value for each in stopped["__interrupt__"]] == ["what is 17 + 25?"]
    # Another process would build the graph anew.
    final = await run_of(spec, needs, database).ainvoke(Command(resume="42"), config)
    assert final["reply"].text == "17 + 25 = 42" and asked == ["17 + 25"] * 2
