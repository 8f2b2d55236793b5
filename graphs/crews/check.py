"""A crew's names held against what there is, before anything is built: every mistake at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from graphs.crews.dag import sources_of
from graphs.flows.faults import Fault, FlowErrors, Path, Positions, in_order, listed, near, shown
from graphs.flows.order import ancestors
from nodes.agents.kinds import kind_of
from nodes.teams.references import find, name_of
from state.agent_ports import AgentKind, AgentNeeds
from state.errors import BadRequest
from state.flows import MAX_STEPS, RESERVED, AgentSpec, CrewSpec

MAX_PAIRS = MAX_STEPS * MAX_STEPS
"""Of sources and targets: each agent with each. More would say some of them several times."""
ALWAYS_NAMED = ("query", "previous", "input")
"""What templates may name beside agents."""

Found = Iterator[tuple[Path, str]]


def check_crew(crew: CrewSpec, needs: AgentNeeds, positions: Positions | None = None) -> None:
    """Raises FlowErrors, a BadRequest, with every mistake and what would have been accepted.

    Registered agents that a config names are not looked up here.
    """
    faults = mistakes(crew, needs.kinds(), set(needs.tools), positions or Positions())
    if faults:
        raise FlowErrors(faults)


def mistakes(
    crew: CrewSpec, kinds: Mapping[str, AgentKind], tools: Collection[str], positions: Positions
) -> list[Fault]:
    """What is wrong with a crew, in the order of its file; `tools`: the names of those there are."""
    found: list[tuple[Path, str]] = [*_ids(crew), *_relations(crew), *_roles(crew)]
    found += _tools(("shared_tools",), crew.shared_tools, tools)
    sound = not found
    for index, agent in enumerate(crew.agents):
        found += _kind(("agents", index), agent, kinds)
        found += _tools(("agents", index, "tools"), agent.tools, tools)
        if sound:
            found += _references(("agents", index, "config", "prompt"), agent, seen_by(crew, index))
    return in_order(positions.fault(path, message) for path, message in found)


def _ids(crew: CrewSpec) -> Found:
    seen: set[str] = set()
    for index, agent in enumerate(crew.agents):
        path, name = ("agents", index, "agent_id"), agent.agent_id
        if name in RESERVED:
            yield path, f"no agent can be called '{name}'; taken are: {listed(sorted(RESERVED))}"
        if name in seen:
            yield path, f"there are two agents '{name}'; give one of them another agent_id"
        seen.add(name)


def _kind(path: Path, agent: AgentSpec, kinds: Mapping[str, AgentKind]) -> Found:
    try:
        kind = kind_of(agent.agent_class, kinds)
    except BadRequest as error:
        yield (*path, "agent_class"), str(error)
        return
    try:
        kind.check(agent)
    except BadRequest as error:
        yield (*path, "config"), str(error)


def _tools(path: Path, named: Collection[str], tools: Collection[str]) -> Found:
    for index, name in enumerate(named):
        if name not in tools:
            guess = near(name, tools)
            yield (*path, index), f"there is no tool '{shown(name)}'{guess}; tools are: {listed(sorted(tools))}"


def _references(path: Path, agent: AgentSpec, seen: Collection[str]) -> Found:
    """References of a prompt to what nobody says, or nobody before this agent."""
    named = [*ALWAYS_NAMED, *seen]
    for one in find(agent.config.get("prompt", "")):
        if one.inside is None:
            yield path, f"'{shown(one.text)}' is no reference; write $${{ for the characters themselves"
        elif name_of(one.inside, named) is None:
            yield (
                path,
                f"{shown(one.text)} names nothing that is there when '{agent.agent_id}' is asked; there is: "
                + (listed(named)),
            )


def seen_by(crew: CrewSpec, index: int) -> list[str]:
    """The agents whose answers one agent may name, in the crew's order."""
    names = [agent.agent_id for agent in crew.agents]
    match crew.execution_mode:
        case "sequential":
            return names[:index]
        case "parallel":
            return [name for name in names if name != crew.aggregator] if names[index] == crew.aggregator else []
        case "flow":
            before = ancestors(sources_of(crew))[names[index]]
            return [name for name in names if name in before]
    return names


def _roles(crew: CrewSpec) -> Found:
    """Agents with a part of their own, and fields that only some modes have."""
    names = [agent.agent_id for agent in crew.agents]
    if crew.aggregator is None:
        return
    if crew.execution_mode != "parallel":
        yield ("aggregator",), f"a crew of the mode {crew.execution_mode} has no aggregator; parallel ones may"
    elif crew.aggregator not in names:
        guess = near(crew.aggregator, names)
        yield ("aggregator",), f"there is no agent '{crew.aggregator}'{guess}; agents are: {listed(names)}"


def _relations(crew: CrewSpec) -> Found:
    """Looked at in every mode: a crew may keep them for the day on which it becomes a DAG."""
    pairs = sum(len(relation.source) * len(relation.target) for relation in crew.flow_relations)
    if pairs > MAX_PAIRS:
        yield ("flow_relations",), f"these are {pairs} pairs of agents; at most {MAX_PAIRS} are taken"
        return
    names = [agent.agent_id for agent in crew.agents]
    for index, relation in enumerate(crew.flow_relations):
        for side in ("source", "target"):
            for name in getattr(relation, side):
                if name not in names:
                    guess = near(name, names)
                    yield (
                        ("flow_relations", index, side),
                        f"there is no agent '{name}'{guess}; agents are: {listed(names)}",
                    )
    if cycle := cycle_of(sources_of(crew)):
        yield ("flow_relations",), f"agents wait for each other: {' → '.join(cycle)}"


def cycle_of(sources: Mapping[str, Collection[str]]) -> list[str]:
    """Names that wait for each other in a ring, the first one again at the end; empty where there is no ring."""
    try:
        TopologicalSorter(sources).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []
