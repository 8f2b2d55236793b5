"""Steps that are no agent's turn: a human who is asked, a tool that is called, and a kind of somebody else's."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from langchain_core.tools import BaseTool, ToolException, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command
from typing_extensions import TypedDict

from nodes.teams.kinds import HumanStep, StepKind, ToolStep, asked_of_human, read_human, shipped_step_kinds
from nodes.tools.calculator import calculator
from nodes.tools.history_search import history_search
from state.agent_ports import AgentCall, AgentNeeds
from state.agents import AgentReply
from state.errors import BadRequest
from tests.fakes import FakeModels


class Said(TypedDict, total=False):
    reply: AgentReply


async def done(kind: StepKind, call: AgentCall, tools: Iterable[BaseTool] = (), *answers: object) -> Any:
    """The state after a graph of this one step, each interrupt answered in turn; the interrupt where answers end."""
    needs = AgentNeeds(models=FakeModels(), tools={one.name: one for one in tools})

    async def step(state: Said) -> Said:
        return {"reply": await kind.run(call, needs)}

    graph = StateGraph(Said).add_node("step", step).add_edge(START, "step").add_edge("step", END)
    compiled = graph.compile(checkpointer=InMemorySaver())
    config: Any = {"configurable": {"thread_id": "1"}}
    state = await compiled.ainvoke({}, config)
    for answer in answers:
        state = await compiled.ainvoke(Command(resume=answer), config)
    return state["__interrupt__"][0].value if "__interrupt__" in state else state["reply"]


def call(config: Mapping[str, Any], said: str = "", **given: Any) -> AgentCall:
    return AgentCall(step="ask", agent_id="ask", text=said, input=given, config=config)


async def test_a_human_is_asked_and_the_answer_is_the_output() -> None:
    config = {"question": "Go on?", "choices": ["Yes", "No"]}
    asked = await done(HumanStep(), call(config))
    assert (asked["about"], asked["step"], asked["question"], asked["choices"]) == (
        "step",
        "ask",
        "Go on?",
        ["Yes", "No"],
    )
    reply = await done(HumanStep(), call(config), (), "maybe", "yes")
    assert (reply.output, reply.text) == ({"response": "Yes"}, "Yes")
    again = await done(HumanStep(), call(config), (), "maybe")
    assert again["error"] == "'maybe' is not taken here; answer one of: Yes, No"


async def test_without_a_question_the_human_is_shown_what_was_said() -> None:
    assert (await done(HumanStep(), call({}, "writer: A text.")))["question"] == "writer: A text."
    assert (await done(HumanStep(), call({"question": {"response": "A text."}})))["question"] == "A text."


ANSWERS = {
    "a text": ("fine", "fine"),
    "JSON": ({"score": 3}, {"score": 3}),
    "ours": ({"answer": "fine"}, "fine"),
    "ours as JSON": ({"answer": [1]}, [1]),
    "a front end's": ({"decisions": [{"type": "respond", "message": "fine"}]}, "fine"),
    "a front end's single one": ({"type": "respond", "message": "fine"}, "fine"),
    "false": (False, False),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_come_in_several_shapes(name: str) -> None:
    value, said = ANSWERS[name]
    assert read_human(asked_of_human("ask", "?", ()), value) == said


@pytest.mark.parametrize("value", [None, "", {"answer": None}, {"type": "respond"}], ids=repr)
def test_an_empty_answer_is_none(value: object) -> None:
    with pytest.raises(ValueError, match="the answer is empty"):
        read_human(asked_of_human("ask", "?", ()), value)


def test_a_choice_may_come_as_json() -> None:
    asked = asked_of_human("ask", "?", ("1", "True"))
    assert [read_human(asked, value) for value in (1, "1", {"answer": True}, " true ")] == ["1", "1", "True", "True"]
    for value in (1.5, [1], {"a": 1}, False):
        with pytest.raises(ValueError, match="is not taken here; answer one of: 1, True"):
            read_human(asked, value)


@tool("parts")
def parts(text: str) -> dict[str, Any]:
    """Splits a text."""
    if not text:
        raise ToolException("there is no text")
    return {"words": text.split()}


async def test_a_tool_is_called_with_the_input() -> None:
    reply = await done(ToolStep(), call({"tool": "calculator"}, expression="6 * 7"), [calculator()])
    assert (reply.output, reply.text) == ({"response": "42"}, "42")
    reply = await done(ToolStep(), call({"tool": "parts"}, text="a b"), [parts])
    assert (reply.output, reply.text) == ({"words": ["a", "b"]}, '{"words":["a","b"]}')


async def test_a_tool_is_given_the_run_where_it_asks_for_it() -> None:
    with pytest.raises(BadRequest, match="history_search: there is no history here"):
        await done(ToolStep(), call({"tool": "history_search"}, query="x"), [history_search()])


REFUSED = {
    "an unknown tool": ("calculater", {}, "there is no tool 'calculater'; tools are: calculator, parts"),
    "a tool's own refusal": ("parts", {"text": ""}, "parts: there is no text"),
    "arguments that are missing": ("parts", {}, "parts: .*text.*[Ff]ield required"),
    "arguments of the wrong type": ("parts", {"text": [1]}, "parts: .*text.*valid string"),
    "a mistake in what is calculated": ("calculator", {"expression": "x"}, "calculator: .*'x'"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_tool_that_cannot_be_called_so_is_the_callers_mistake(name: str) -> None:
    called, given, told = REFUSED[name]
    with pytest.raises(BadRequest, match=told) as refused:
        await done(ToolStep(), call({"tool": called}, **given), [calculator(), parts])
    assert "\n" not in str(refused.value)


def test_the_shipped_kinds_go_by_their_names() -> None:
    assert {name: kind.name for name, kind in shipped_step_kinds().items()} == {"human": "human", "tool": "tool"}
    assert all(kind.description for kind in shipped_step_kinds().values())
