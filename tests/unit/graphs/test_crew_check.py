"""Definitions of crews: what is refused, in which words, and how the accepted ones are drawn."""

import json
from typing import Any

import pytest

from graphs.crews.build import build, build_from, crew_of, default_crew
from graphs.crews.check import MAX_PAIRS, mistakes
from graphs.flows.faults import Positions
from graphs.services import Services, lab_tools
from nodes.agents.kinds import shipped_kinds
from nodes.tools.calculator import calculator
from state.agent_ports import Agent, AgentNeeds
from state.agents import AgentRecord
from state.crew_run import CrewState
from state.errors import BadRequest
from state.flows import RESERVED, AgentSpec, CrewSpec
from tests.fakes import FakeModels
from tests.unit.graphs.crewing import Players, graph_of, needs_for, run
from tests.unit.graphs.crewing import crew_of as crew

TWO: Any = [{"agent_id": "a"}, {"agent_id": "b"}]


def relation(source: Any, target: Any) -> dict[str, Any]:
    return {"source": source, "target": target}


def refused(data: Any) -> list[str]:
    """What the graph's factory says about a definition, a line each."""
    services = Services(models=FakeModels(), tools=lab_tools())
    with pytest.raises(BadRequest) as caught:
        build_from(services, {"configurable": {"crew": data}})
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"agents": [*TWO, {"agent_id": "a"}]}, "agents[2].agent_id: there are two agents 'a'"),
        ({"agents": [{"agent_id": "finish"}]}, "agents[0].agent_id: no agent can be called 'finish'; taken are: agg"),
        ({"agents": [{"agent_id": "a", "agent_class": "os.system"}]}, "agents[0].agent_class: there is no agent class"),
        ({"agents": [{"agent_id": "a", "tools": ["calculater"]}]}, "agents[0].tools[0]: there is no tool 'calculater'"),
        ({"shared_tools": ["nope"]}, "shared_tools[0]: there is no tool 'nope'; tools are: calculator, convert"),
        ({"agents": [{"agent_id": "a", "config": {"temperature": "x"}}]}, "agents[0].config: agent 'a': config.temp"),
        ({"aggregator": "a"}, "aggregator: a crew of the mode sequential has no aggregator"),
        (
            {"execution_mode": "parallel", "aggregator": "c"},
            "aggregator: there is no agent 'c'; agents are: a, b",
        ),
        (
            {"execution_mode": "flow", "flow_relations": [relation("a", ["b", "x"])]},
            "flow_relations[0].target: there is no agent 'x'; agents are: a, b",
        ),
        (
            {"execution_mode": "flow", "flow_relations": [relation("a", "b"), relation("b", "a")]},
            "flow_relations: agents wait for each other: a → b → a",
        ),
        (
            {"execution_mode": "flow", "flow_relations": [relation("a", "a")]},
            "flow_relations: agents wait for each other: a → a",
        ),
        (
            {"execution_mode": "flow", "flow_relations": [relation(["a"] * 100, ["b"] * 100)] * 2},
            f"flow_relations: these are 20000 pairs of agents; at most {MAX_PAIRS} are taken",
        ),
        ({"execution_mode": "both"}, "execution_mode: Input should be 'sequential', 'parallel'"),
        ({"agentz": []}, "agentz: unknown key 'agentz', did you mean agents?; known: crew_id, name"),
        ({"agents": []}, "agents: has 0 entries; at least 1 are taken"),
        ({"agents": [{"agent_id": "a b"}]}, "agents[0].agent_id: 'a b' is not taken; write letters"),
        ({"max_parallel_tasks": 0}, "max_parallel_tasks: Input should be greater than"),
        ({"decision": {"max_steps": 1000}}, "decision.max_steps: Input should be less than"),
    ],
    ids=str,
)
def test_a_mistake_is_told_with_its_place_and_what_would_be_taken(more: dict[str, Any], told: str) -> None:
    lines = refused({"agents": TWO, **more})
    assert len(lines) == 1 and lines[0].startswith(told), lines


@pytest.mark.parametrize("data", [[], "crew", 5, True], ids=str)
def test_what_is_no_object_is_no_crew(data: Any) -> None:
    assert refused(data)[0].startswith("crew: must be a mapping with the keys crew_id")


def test_all_mistakes_are_told_at_once() -> None:
    agents = [{"agent_id": "a", "tools": ["x"]}, {"agent_id": "a", "agent_class": "Nobody"}]
    assert len(refused({"agents": agents, "aggregator": "z"})) == 4


@pytest.mark.parametrize(
    ("mode", "more", "unknown"),
    [
        ("sequential", {}, {"a": "bc", "b": "c"}),
        ("parallel", {"aggregator": "b"}, {"a": "bc", "c": "ab"}),
        ("flow", {"flow_relations": [relation("a", "b"), relation("b", "c")]}, {"a": "bc", "b": "c"}),
        ("flow", {"flow_relations": [relation("c", "a")]}, {"a": "b", "b": "ac", "c": "ab"}),
        ("adaptive", {}, {}),
    ],
    ids=["sequential", "aggregator", "chain", "branch", "adaptive"],
)
def test_prompts_may_name_those_who_have_answered(mode: str, more: dict[str, Any], unknown: dict[str, str]) -> None:
    """Each agent's prompt names the two others, what is always there, and nobody."""

    def prompt(own: str) -> str:
        others = (f"${{{name}}}" for name in "abc" if name != own)
        return " ".join(["${query} ${previous} ${input.x} $${no}", *others])

    agents = [{"agent_id": name, "config": {"prompt": prompt(name)}} for name in "abc"]
    definition = CrewSpec.model_validate({"agents": agents, "execution_mode": mode, **more})
    found = mistakes(definition, shipped_kinds(), (), Positions())
    told = {(fault.path[1], fault.message.partition(" ")[0]) for fault in found}
    assert told == {("abc".index(own), f"${{{name}}}") for own, names in unknown.items() for name in names}


def test_a_broken_reference_of_a_prompt_is_told() -> None:
    lines = refused({"agents": [{"agent_id": "a", "config": {"prompt": "${query"}}]})
    assert lines == ["agents[0].config.prompt: '${' is no reference; write $${ for the characters themselves"]


async def test_agents_may_be_called_like_channels_and_modes_be_written_in_any_letter_case() -> None:
    names = [name for name in CrewState.model_fields if name not in RESERVED]
    assert "task" in names and "result" in names
    players = Players()
    result = (await run(graph_of(" PARALLEL ", players, *names)))["result"]
    assert result.agent_ids == tuple(names)


def test_the_shipped_crew_is_sound_and_a_definition_survives_json() -> None:
    shipped = default_crew()
    assert [agent.agent_id for agent in shipped.agents] == ["researcher", "writer"]
    assert crew_of({"configurable": {"crew": json.loads(shipped.model_dump_json())}}) == shipped
    assert crew_of({}) is shipped


def edges(definition: CrewSpec) -> set[tuple[str, str, bool]]:
    needs = AgentNeeds(models=FakeModels(), kinds=lambda: {"Player": Players(), **shipped_kinds()})
    drawn = build(definition, needs).compile().get_graph()
    assert drawn.draw_mermaid()
    return {(edge.source, edge.target, edge.conditional) for edge in drawn.edges}


def plain(*pairs: str) -> set[tuple[str, str, bool]]:
    return {(pair.split(">")[0], pair.split(">")[1], False) for pair in ("__start__>begin", *pairs, "finish>__end__")}


@pytest.mark.parametrize(
    ("definition", "drawn"),
    [
        (crew("sequential", "a", "b", "c"), plain("begin>a", "a>b", "b>c", "c>finish")),
        (crew("parallel", "a", "b"), plain("begin>a", "begin>b", "a>aggregate", "b>aggregate", "aggregate>finish")),
        (crew("parallel", "a", "b", "c", aggregator="a"), plain("begin>b", "begin>c", "b>a", "c>a", "a>finish")),
        (
            crew("flow", "a", "b", "c", "d", flow_relations=[relation("a", ["b", "c"]), relation(["b", "c"], "d")]),
            plain("begin>a", "a>b", "a>c", "b>d", "c>d", "d>finish"),
        ),
        (
            crew("adaptive", "a", "b"),
            plain("begin>a", "a>decide", "b>decide")
            | {("decide", "a", True), ("decide", "b", True), ("decide", "finish", True)},
        ),
    ],
    ids=["sequential", "parallel", "aggregator", "flow", "adaptive"],
)
def test_a_crew_is_drawn_as_it_runs(definition: CrewSpec, drawn: set[tuple[str, str, bool]]) -> None:
    assert edges(definition) == drawn


async def test_tools_that_a_crew_shares_are_each_agents_own() -> None:
    made: dict[str, tuple[str, ...]] = {}

    class Making(Players):
        def make(self, spec: AgentSpec, needs: AgentNeeds, record: AgentRecord | None = None) -> Agent:
            made[spec.agent_id] = spec.tools
            return super().make(spec, needs, record)

    agents = {"agent_id": "a", "tools": ["x"]}, {"agent_id": "b", "tools": ["y"]}
    definition = crew("sequential", *agents, shared_tools=["y", "z"])
    await run(build(definition, needs_for(Making(), tools=dict.fromkeys("xyz", calculator()))))
    assert made == {"a": ("x", "y", "z"), "b": ("y", "z")}
