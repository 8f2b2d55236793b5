"""ChatAgent on scripted models: settings, tools, turns, memory, interrupts."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, interrupt

from nodes.agents.chat import ChatKind
from nodes.agents.memory import KEPT
from state.crew_run import CrewContext
from state.errors import AgentFailed, BadRequest
from state.models import ModelCard
from tests.fakes import CARD, FakeModels, tool_call
from tests.unit.nodes.agents.values import call_of, needs_of, spec_of

KIND = ChatKind()
RUN = UUID(int=7)


async def test_without_tools_it_is_one_call_of_the_model_with_its_role() -> None:
    models = FakeModels("It is two. ")
    agent = KIND.make(spec_of(system_prompt="Be brief."), needs_of(models))
    reply = await agent.process(call_of())
    assert (reply.output, reply.text, reply.model) == ({"response": "It is two."}, "It is two.", "fake")
    assert (reply.input_tokens, reply.output_tokens) == (1, 3)
    assert models.asked == [[SystemMessage("Be brief."), HumanMessage("What is 1 + 1?")]]


async def test_what_an_agent_says_goes_before_what_the_run_says() -> None:
    models = FakeModels("a", "b", "c")
    run = CrewContext(temperature=0.5, seed=1, max_tokens=9, strategy="streaming")
    agent = KIND.make(spec_of(config={"temperature": 0, "strategy": "optimized"}), needs_of(models))
    await agent.process(call_of(context=run))
    await agent.process(call_of(context=run, config={"temperature": 1, "max_tokens": 3}))
    await agent.process(call_of())
    told = [(strategy, said.temperature, said.max_tokens, said.seed) for _, strategy, said in models.calls if said]
    assert told == [("optimized", 0, 9, 1), ("optimized", 1, 3, 1), ("optimized", 0, None, None)]


async def test_tools_are_called_until_the_model_answers_and_every_call_counts() -> None:
    models = FakeModels(tool_call("1 + 1"), "It is 2")
    agent = KIND.make(spec_of(tools=("calculator", "calculator"), system_prompt="Be brief."), needs_of(models))
    reply = await agent.process(call_of())
    assert (reply.text, reply.input_tokens, reply.output_tokens) == ("It is 2", 2, 3)
    assert [type(message) for message in models.asked[1]] == [SystemMessage, HumanMessage, AIMessage, ToolMessage]
    assert models.asked[1][-1].text == "2"
    assert [len(bound["tools"]) for bound in models.bound] == [1, 1]


async def test_after_its_turns_a_model_is_offered_no_more_tools() -> None:
    models = FakeModels(tool_call("1 + 1"), tool_call("2 + 2"), "Enough")
    agent = KIND.make(spec_of(tools=("calculator",), config={"max_turns": 2}), needs_of(models))
    assert (await agent.process(call_of())).text == "Enough"
    assert [list(bound) for bound in models.bound] == [["tools"], ["tools"], []]


async def test_a_model_that_calls_tools_without_end_fails() -> None:
    models = FakeModels(*(tool_call(f"{number} + 1") for number in range(20)))
    agent = KIND.make(spec_of(tools=("calculator",), config={"max_turns": 1}), needs_of(models))
    with pytest.raises(AgentFailed, match="more than 1 times"):
        await agent.process(call_of())


async def test_with_json_the_answer_is_held_to_a_form_and_read() -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    models = FakeModels('{"name": "Ana"}', "Ana", "7")
    replies = [
        await KIND.make(spec_of(config={"json": form}), needs_of(models)).process(call_of()) for form in (True, schema)
    ]
    assert replies[0].output == {"response": '{"name": "Ana"}', "data": {"name": "Ana"}}
    assert replies[1].output == {"response": "Ana"}, "what is no JSON is a text as ever"
    named = {"name": "answer", "schema": schema}
    assert [bound["response_format"] for bound in models.bound] == [
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": named},
    ]
    with pytest.raises(BadRequest, match=r"config\.json is for agents without tools; it has calculator"):
        KIND.check(spec_of(config={"json": True}, tools=("calculator",)))


async def test_a_model_that_cannot_be_held_to_a_form_is_asked_without() -> None:
    card = CARD.model_copy(update={"provider": "anthropic"})
    models = FakeModels('{"name": "Ana"}', cards=[card])
    reply = await KIND.make(spec_of(config={"json": True}), needs_of(models)).process(call_of())
    assert reply.output["data"] == {"name": "Ana"} and models.bound == [{}]


async def test_with_pick_tools_it_is_offered_those_that_the_request_calls_for() -> None:
    models = FakeModels("2", "Hello")
    named = ("calculator", "convert", "text_operation")
    agent = KIND.make(spec_of(tools=named, config={"pick_tools": True}), needs_of(models))
    await agent.process(call_of("What is 17 + 25?"))
    await agent.process(call_of("Hello!"))
    assert [[tool.name for tool in bound["tools"]] for bound in models.bound if bound] == [["calculator"]]
    assert len(models.bound) == 2


async def test_what_a_tool_refuses_is_told_to_the_model() -> None:
    models = FakeModels(tool_call("1 / 0"), "I cannot")
    agent = KIND.make(spec_of(tools=("calculator",)), needs_of(models))
    assert (await agent.process(call_of())).text == "I cannot"
    told = models.asked[1][-1]
    assert isinstance(told, ToolMessage) and told.status == "error" and told.text.startswith("Error: ")


async def test_a_model_that_calls_no_tools_is_asked_without() -> None:
    models = FakeModels("42", cards=[CARD.model_copy(update={"capabilities": ("chat",)})])
    agent = KIND.make(spec_of(tools=("calculator",)), needs_of(models))
    assert (await agent.process(call_of())).text == "42"
    assert models.bound == [{}]


def test_an_unknown_tool_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(BadRequest, match=r"agent 'ana': there is no tool 'shell'; choose from: calculator, "):
        KIND.make(spec_of(tools=("shell",)), needs_of())


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"temperature": "hot"}, "config.temperature"),
        ({"temperature": 3}, "config.temperature"),
        ({"temperature": float("nan")}, "config.temperature"),
        ({"max_tokens": 0}, "config.max_tokens"),
        ({"max_tokens": True}, "config.max_tokens"),
        ({"seed": 2**63}, "config.seed"),
        ({"strategy": "fast"}, "config.strategy"),
        ({"model": 7}, "config.model"),
        ({"max_turns": 0}, "config.max_turns"),
        ({"max_turns": 2.5}, "config.max_turns"),
        ({"memory": "yes"}, "config.memory"),
        ({"memory": KEPT + 1}, "config.memory"),
        ({"timeout": 0}, "config.timeout"),
        ({"timeout": float("inf")}, "config.timeout"),
        ({"attempts": 11}, "config.attempts"),
        ({"prompt": ["a"]}, "config.prompt"),
        ({"json": "yes"}, r"config\.json"),
    ],
    ids=str,
)
def test_a_setting_of_the_wrong_type_is_refused_by_its_place(config: dict[str, Any], place: str) -> None:
    with pytest.raises(BadRequest, match=rf"^agent 'ana': {place}[^\n]*, not [^\n]+$"):
        KIND.check(spec_of(config=config))


def test_other_keys_travel_to_the_agent() -> None:
    KIND.check(spec_of(config={"colour": "red", "timeout": 5, "temperature": 1, "memory": 3, "model": None}))


async def test_an_agent_with_memory_is_told_what_it_said_before_and_another_is_not() -> None:
    models, store = FakeModels("Hello Eva", "You are Eva", "Who?", "Nobody"), InMemoryStore()
    config = {"memory": True}
    agent = KIND.make(spec_of(config=config), needs_of(models))
    await agent.process(call_of("I am Eva", memory=store, execution_id=RUN))
    await agent.process(call_of("Who am I?", memory=store, execution_id=RUN))
    told = [HumanMessage("I am Eva"), AIMessage("Hello Eva"), HumanMessage("Who am I?")]
    assert models.asked[1] == told
    await KIND.make(spec_of("a.b", config=config), needs_of(models)).process(
        call_of("Who am I?", memory=store, agent_id="a.b")
    )
    await KIND.make(spec_of(), needs_of(models)).process(call_of("Who am I?", memory=store))
    assert [len(asked) for asked in models.asked[2:]] == [1, 1]


async def test_an_exchange_of_a_step_that_runs_again_is_kept_once_and_only_so_many_are_told() -> None:
    models, store = FakeModels(*"abcdefgh"), InMemoryStore()
    agent = KIND.make(spec_of(config={"memory": 2}), needs_of(models))
    for text in ("one", "one", "two", "three", "four"):
        await agent.process(call_of(text, memory=store, execution_id=RUN))
    assert [message.text for message in models.asked[1]] == ["one"], "what it said before a crash is not told to it"
    assert [message.text for message in models.asked[-1]] == ["two", "c", "three", "d", "four"]


async def test_old_exchanges_leave_the_memory() -> None:
    models, store = FakeModels(*("x" for _ in range(KEPT + 3))), InMemoryStore()
    agent = KIND.make(spec_of(config={"memory": KEPT}), needs_of(models))
    for number in range(KEPT + 3):
        await agent.process(call_of(f"question {number}", memory=store, execution_id=RUN))
    kept = {item.value["request"] for item in store.search(("agents", "ana"), limit=100)}
    assert kept == {f"question {number}" for number in range(3, KEPT + 3)}


async def test_of_what_is_remembered_only_what_fits_the_window_is_told() -> None:
    card = ModelCard(name="small", path="small", context_length=60, max_output_tokens=20)
    models, store = FakeModels("long " * 40, "short", "end", cards=[card]), InMemoryStore()
    agent = KIND.make(spec_of(config={"memory": True}), needs_of(models))
    for text in ("first", "second", "third"):
        await agent.process(call_of(text, memory=store, execution_id=RUN))
    assert [message.text for message in models.asked[-1]] == ["second", "short", "third"]


async def test_an_interrupt_in_a_tool_stops_the_run_and_no_earlier_call_is_made_again() -> None:
    looked: list[str] = []

    @tool
    def look(place: str) -> str:
        """Look."""
        looked.append(place)
        return "a door"

    @tool
    def ask_owner(question: str) -> str:
        """Ask."""
        return str(interrupt(question))

    def asks(name: str, **args: str) -> AIMessage:
        return AIMessage("", tool_calls=[{"name": name, "args": args, "id": name, "type": "tool_call"}])

    models = FakeModels(asks("look", place="here"), asks("ask_owner", question="may I?"), "I may")
    needs = needs_of(models)
    agent = KIND.make(
        spec_of(tools=("look", "ask_owner")),
        type(needs)(models=models, tools={"look": look, "ask_owner": ask_owner}),
    )

    async def node(state: dict[str, Any]) -> dict[str, Any]:
        return {"text": (await agent.process(call_of())).text}

    graph: Any = StateGraph(dict)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    compiled = graph.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    stopped: Any = await compiled.ainvoke({"text": ""}, config)
    assert stopped["__interrupt__"][0].value == "may I?"
    final: Any = await compiled.ainvoke(Command(resume="yes"), config)
    assert final["text"] == "I may"
    assert looked == ["here"] and len(models.asked) == 3


async def test_its_tokens_stream_from_within_the_run() -> None:
    agent = KIND.make(spec_of(tools=("calculator",)), needs_of(FakeModels(tool_call("1 + 1"), "It is 2")))

    async def node(state: dict[str, Any]) -> dict[str, Any]:
        return {"text": (await agent.process(call_of())).text}

    graph: Any = StateGraph(dict)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    events = [
        event
        async for event in graph.compile().astream({"text": ""}, stream_mode=["messages", "custom"], subgraphs=True)
    ]
    tokens = [part[0].text for _, mode, part in events if mode == "messages" and part[0].type == "AIMessageChunk"]
    assert [token for token in tokens if token] == ["It ", "is ", "2"]
    asked = [part for _, mode, part in events if mode == "custom"]
    assert [(event["event"], event["model"], event["agent_id"]) for event in asked] == [("model", "fake", "ana")]
