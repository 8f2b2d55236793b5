"""Flows as graphs: what is wired, who answers, what references bring; the shipped ones are whole and in order."""

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool

from graphs.flows.compile import build, build_from, flow_of, own_agent
from graphs.flows.faults import FlowErrors
from graphs.flows.load import load_flow
from graphs.flows.shipped import LIBRARY, default_flow, read_flow, read_folder, shipped_flows
from graphs.teams import needs_of
from nodes.agents.builtin import builtin_agents
from nodes.teams.kinds import Mistake, shipped_step_kinds
from state.agent_ports import AgentCall, AgentNeeds
from state.agents import AgentReply
from state.errors import BadRequest
from state.flows import FlowSpec
from tests.fakes import FakeModels, fake_services

FLOW = """
flow_id: f
entry_point: research
exit_points: [join]
nodes:
  - {id: research, agent_id: researcher, config: {prompt: "Facts of ${input.topic}, ${input.language:-English}"}}
  - id: sum
    type: tool
    depends_on: [research]
    config: {tool: calculator, input: {expression: "${research.response}"}}
  - {id: text, capability: writing, depends_on: [research]}
  - {id: join, agent_id: writer, depends_on: [sum, text], config: {prompt: "${sum} ${text.response} ${previous}"}}
"""


def spec(text: str = FLOW) -> FlowSpec:
    return load_flow(text).spec


async def test_a_flow_runs_with_its_references_filled() -> None:
    models = FakeModels("6 * 7", "a text", "joined")
    graph = build(spec(), needs_of(fake_services(models))).compile()
    state = await graph.ainvoke({"input_data": {"topic": "bees"}})
    asked = [messages[-1].text for messages in models.asked]
    assert asked[0] == "Facts of bees, English"
    assert asked[-1] == "42 a text 42\n\na text"
    result = state["result"]
    assert result.output == "joined"
    assert result.node_results["sum"] == {"response": "42"} and result.node_results["text"] == {"response": "a text"}
    assert result.metadata["flow_id"] == "f"


async def test_a_step_whose_reference_is_missing_fails_and_the_others_go_on() -> None:
    models = FakeModels("facts", "a text", "joined")
    text = FLOW.replace("${research.response}", "${research.figures}").replace("${input.language:-English}", "")
    graph = build(spec(text), needs_of(fake_services(models))).compile()
    result = (await graph.ainvoke({"input_data": {"topic": "bees"}}))["result"]
    failed = next(agent for agent in result.agents if agent.step == "sum")
    assert failed.status == "failed" and "'research' has response, nothing named 'figures'" in (failed.error or "")


async def test_a_tool_that_breaks_is_told_in_one_line_and_what_was_said_is_never_filled_again() -> None:
    @tool("breaks")
    async def breaks(text: str) -> str:
        """Breaks."""
        raise ValueError(f"bad:\n{text}")

    text = (
        "flow_id: f\nentry_point: a\nexit_points: [z]\nnodes:\n"
        "  - {id: a, agent_id: writer, config: {prompt: '${query}'}}\n"
        "  - {id: b, type: tool, depends_on: [a],\n"
        "     config: {tool: breaks, attempts: 1, input: {text: '${a.response}'}}}\n"
        "  - {id: z, agent_id: writer, depends_on: [a, b], config: {prompt: '${a} ${b:-nothing}'}}\n"
    )
    models = FakeModels("${query} ${z}", "done")
    needs = needs_of(fake_services(models))
    graph = build(spec(text), replace(needs, tools={"breaks": breaks})).compile()
    result = (await graph.ainvoke({"query": "${input.x}"}))["result"]
    assert [messages[-1].text for messages in models.asked] == ["${input.x}", "${query} ${z} nothing"]
    assert [agent.error for agent in result.agents] == [None, "ValueError: bad: ${query} ${z}", None]


def test_the_graph_is_the_flow() -> None:
    drawn = build(spec(), needs_of(fake_services(FakeModels()))).compile().get_graph()
    assert set(drawn.nodes) == {"__start__", "begin", "research", "sum", "text", "join", "finish", "__end__"}
    assert {(edge.source, edge.target) for edge in drawn.edges} == {
        ("__start__", "begin"),
        ("begin", "research"),
        ("research", "sum"),
        ("research", "text"),
        ("sum", "join"),
        ("text", "join"),
        ("join", "finish"),
        ("finish", "__end__"),
    }


def test_a_configuration_names_the_flow() -> None:
    data = spec().model_dump(mode="json")
    assert flow_of({"configurable": {"flow": data}}) == spec()
    assert flow_of({"configurable": {"flow": spec()}}) == spec()
    assert flow_of({}) is default_flow() and default_flow().flow_id == "research-write-review"


@pytest.mark.parametrize(
    "said", [3, "flow", [], {}, {"flow_id": "f"}, {**spec().model_dump(), "entry_point": "x"}], ids=repr
)
def test_what_is_no_flow_is_refused(said: Any) -> None:
    with pytest.raises(BadRequest):
        build_from(fake_services(FakeModels()), {"configurable": {"flow": said}})


def test_tools_are_looked_up_when_the_graph_is_built() -> None:
    with pytest.raises(FlowErrors, match="there is no tool 'calculater', did you mean calculator"):
        build(spec(FLOW.replace("tool: calculator", "tool: calculater")), needs_of(fake_services(FakeModels())))


def test_the_shipped_flows_are_whole() -> None:
    found = read_folder(LIBRARY)
    assert found.faults == () and len(found.flows) >= 4
    assert {file.stem for file in LIBRARY.iterdir()} == set(found.flows) == set(shipped_flows())
    for flow in found.flows.values():
        assert flow.name and flow.description and flow.metadata["example"]
        for node in flow.nodes:
            assert node.type != "agent" or own_agent(node) is not None, (
                f"{flow.flow_id}: {node.id} has no built-in agent"
            )


def test_every_built_in_agent_is_found_by_what_it_can_do() -> None:
    for agent in builtin_agents():
        for capability in agent.capabilities:
            node = spec(FLOW.replace("capability: writing", f"capability: {capability}")).nodes[2]
            assert (found := own_agent(node)) is not None and found.agent_id == agent.agent_id


def test_a_folder_tells_what_is_wrong_and_keeps_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "a.yaml").write_text(FLOW)
    (folder / "b.yml").write_text(FLOW)
    (folder / "c.json").write_text(spec(FLOW.replace("flow_id: f", "flow_id: g")).model_dump_json())
    (folder / "d.yaml").write_text(FLOW.replace("research]", "reserch]"))
    (folder / "e.yaml").write_bytes(b"\xff")
    (folder / "note.txt").write_text("no flow")
    (tmp_path / "outside.yaml").write_text(FLOW)
    (folder / "f.yaml").symlink_to(tmp_path / "outside.yaml")
    (folder / "g.yaml").mkdir()
    (folder / "h.yaml").symlink_to("h.yaml")
    (folder / "i.yaml").write_text("é" * 140_000)
    os.mkfifo(folder / "j.yaml")
    found = read_folder(folder)
    assert list(found.flows) == ["f", "g"]
    told = [str(fault).removeprefix(f"{folder}/") for fault in found.faults]
    assert any(line.startswith("d.yaml:9:18: node 'sum' depends on 'reserch'") for line in told)
    assert "e.yaml: is not UTF-8 from byte 0 on" in told
    assert "f.yaml: leads out of its folder" in told
    assert "g.yaml: is no file" in told and "h.yaml: is no file" in told and "j.yaml: is no file" in told
    assert "i.yaml: larger than 262144 bytes" in told
    assert "b.yml: the flow 'f' stands in another file of the folder, too" in told
    with pytest.raises(FlowErrors, match="cannot be read: No such file"):
        read_flow(folder / "none.yaml")


class Shout:
    """A kind of step of somebody else's."""

    name = "shout"
    description = "says config.word loudly"
    templates = ("word",)

    def check(self, config: Mapping[str, Any], tools: Collection[str] | None) -> Iterable[Mistake]:
        if "word" not in config:
            yield (), "config.word is missing"

    async def run(self, call: AgentCall, needs: AgentNeeds) -> AgentReply:
        said = str(call.config["word"]).upper()
        return AgentReply(output={"response": said}, text=said)


async def test_a_new_kind_of_step_is_a_class_and_a_line_in_a_table() -> None:
    kinds = {**shipped_step_kinds(), "shout": Shout()}
    text = "flow_id: f\nentry_point: a\nexit_points: [a]\nnodes: [{id: a, type: shout, config: {word: '${query}!'}}]"
    graph = build(spec(text), needs_of(fake_services(FakeModels())), kinds=kinds).compile()
    assert (await graph.ainvoke({"query": "hey"}))["result"].output == "HEY!"
    with pytest.raises(FlowErrors, match="there is no type 'shout'; types are: agent, human, tool"):
        build(spec(text), needs_of(fake_services(FakeModels())))
    with pytest.raises(FlowErrors, match=r"node 'a': config\.word is missing"):
        build(spec(text.replace("word", "wrd")), needs_of(fake_services(FakeModels())), kinds=kinds)
