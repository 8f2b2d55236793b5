"""Crews with agents that fail: the others' answers stand, and what failed is told."""

from typing import Any
from uuid import uuid4

import pytest
from langgraph.types import RetryPolicy

from graphs.teams import RETRY, wire
from nodes.teams.steps import Step, Team, attempts_of
from state.errors import AgentFailed, BadRequest, CircuitOpen, LabError, NoDatabase
from state.flows import AgentSpec
from tests.unit.graphs.crewing import Directory, Players, graph_of, needs_for, registered, run

AT_ONCE: RetryPolicy = RETRY._replace(initial_interval=0.001, jitter=False)
DOWN = AgentFailed("down")
DIAMOND: Any = [{"source": "a", "target": ["b", "c"]}, {"source": ["b", "c"], "target": "d"}]


def team_of(*steps: Step, exits: tuple[str, ...] = ()) -> Team:
    return Team(kind="flow", id="flow", name="", mode="flow", steps=steps, exits=exits)


def step_of(name: str, *needed: str, attempts: Any = 3, **config: Any) -> Step:
    spec = AgentSpec(agent_id=name, agent_class="Player")
    return Step(name, agent=spec, depends_on=needed, config={"attempts": attempts, **config})


@pytest.mark.parametrize(
    ("dead", "asked", "output"),
    [
        ("a", {"b": "do it", "c": "do it\n\nb: <b>"}, "<c>"),
        ("b", {"a": "do it", "c": "do it\n\na: <a>"}, "<c>"),
        ("c", {"a": "do it", "b": "do it\n\na: <a>"}, "<b>"),
    ],
    ids=["first", "middle", "last"],
)
async def test_a_dead_agent_of_a_sequence_is_passed_over(dead: str, asked: dict[str, str], output: str) -> None:
    players = Players({dead: (DOWN,)})
    result = (await run(graph_of("sequential", players, "a", "b", "c")))["result"]
    assert {name: players.call(name).text for name in asked} == asked
    assert result.output == output == result.results[-1] and dead not in result.agent_ids
    failed = next(agent for agent in result.agents if agent.step == dead)
    assert failed.status == "failed" and failed.error == f"{dead}: down"
    assert result.node_results[dead] == {"status": "failed", "error": f"{dead}: down"}
    assert result.metadata["steps"] == {"completed": 2, "failed": 1, "skipped": 0}


async def test_a_dead_agent_of_a_parallel_crew_leaves_the_others_answers() -> None:
    result = (await run(graph_of("parallel", Players({"b": (DOWN,)}), "a", "b", "c")))["result"]
    assert result.output == "a: <a>\n\nc: <c>" and result.results == ("<a>", "<c>")


async def test_a_single_answer_of_a_parallel_crew_is_the_output_as_it_is() -> None:
    result = (await run(graph_of("parallel", Players({"b": (DOWN,)}), "a", "b")))["result"]
    assert result.output == "<a>"


@pytest.mark.parametrize(
    ("dead", "statuses", "last"),
    [
        (("a",), {"a": "failed", "b": "skipped", "c": "skipped", "d": "skipped"}, None),
        (("b",), {"a": "completed", "b": "failed", "c": "completed", "d": "completed"}, "do it\n\nc: <c>"),
        (("b", "c"), {"a": "completed", "b": "failed", "c": "failed", "d": "skipped"}, None),
        (("d",), {"a": "completed", "b": "completed", "c": "completed", "d": "failed"}, "do it\n\nb: <b>\n\nc: <c>"),
    ],
    ids=["entry", "branch", "branches", "exit"],
)
async def test_agents_of_a_dag_go_on_with_what_there_is_or_are_skipped(
    dead: tuple[str, ...], statuses: dict[str, str], last: str | None
) -> None:
    players = Players(dict.fromkeys(dead, (DOWN,)))
    graph = graph_of("flow", players, "a", "b", "c", "d", "e", flow_relations=DIAMOND)
    result = (await run(graph))["result"]
    assert {agent.step: agent.status for agent in result.agents} == {**statuses, "e": "completed"}
    assert ("d" in players.asked) is (last is not None)
    if last is not None:
        assert players.call("d").text == last
    skipped = [entry for entry in result.execution_log if entry.event == "skipped"]
    assert len(skipped) == list(statuses.values()).count("skipped")


@pytest.mark.parametrize("mode", ["sequential", "parallel", "flow"])
async def test_a_crew_of_which_nobody_answers_fails_and_names_each_error(mode: str) -> None:
    players = Players({"a": (AgentFailed("no route"),), "b": (BadRequest("what?"),)})
    with pytest.raises(AgentFailed, match=r"no agent of the crew crew answered: a: no route; b: what\?"):
        await run(graph_of(mode, players, "a", "b"))


@pytest.mark.parametrize(
    ("acts", "calls", "status"),
    [
        ((DOWN, DOWN, "up"), 3, "completed"),
        ((DOWN,), 3, "failed"),
        ((BadRequest("no"),), 1, "failed"),
        ((CircuitOpen("rests"),), 1, "failed"),
    ],
    ids=["third", "never", "refused", "resting"],
)
async def test_an_agent_is_asked_again_where_that_can_help(
    acts: tuple[str | LabError, ...], calls: int, status: str
) -> None:
    players = Players({"a": acts})
    team = team_of(step_of("a"), step_of("b"))
    final = await run(wire(team, needs_for(players), retry=AT_ONCE))
    outcome = next(one for one in final["outcomes"] if one.step == "a")
    assert players.asked.count("a") == calls and outcome.status == status
    assert players.asked.count("b") == 1, "a step that has answered is not asked again for another's sake"
    assert outcome.seconds >= 0


async def test_the_attempts_of_a_step_are_its_configs() -> None:
    players = Players({"a": (DOWN, "up")})
    final = await run(wire(team_of(step_of("a", attempts=2)), needs_for(players), retry=AT_ONCE))
    assert [call.attempt for call in players.calls] == [1, 2] and final["outcomes"][0].attempts == 2


@pytest.mark.parametrize(
    ("said", "attempts"),
    [({}, 3), (5, 5), (0, 1), (99, 10), ("7", 3), (True, 3)],
    ids=["none", "five", "zero", "many", "text", "bool"],
)
def test_attempts_are_bounded(said: Any, attempts: int) -> None:
    assert attempts_of({} if said == {} else {"attempts": said}) == attempts


async def test_a_fallback_is_told_in_the_result_the_log_the_messages_and_the_stream() -> None:
    players = Players({"one": (DOWN,), "two": ("here",)})
    directory = Directory([registered("one", "writing"), registered("two", "writing")])
    steps = Step("a", agent_id="one", config={"attempts": 2}), Step("b", capability="writing", depends_on=("a",))
    graph = wire(team_of(*steps, exits=("b",)), needs_for(players, directory=directory), retry=AT_ONCE).compile()
    given: Any = {"query": "x"}
    events: list[Any] = []
    final: Any = {}
    async for kind, part in graph.astream(given, stream_mode=["custom", "values"], output_keys=list(graph.channels)):
        events, final = ([*events, part], final) if kind == "custom" else (events, part)
    assert players.asked[:3] == ["one", "one", "two"] and directory.failures[:2] == ["one", "one"]

    agent = final["result"].agents[0]
    assert (agent.agent_id, agent.agent_name, agent.fallback_for, agent.attempts) == ("two", "Two", "one", 3)
    entries = [(entry.event, entry.agent_id, entry.detail) for entry in final["log"] if entry.step == "a"]
    assert entries[:2] == [("started", "one", ""), ("fallback", "two", "one: down")]
    told = [(message.from_agent, message.to_agent) for message in final["agent_messages"]]
    assert told[:3] == [("client", "one"), ("client", "two"), ("two", "one")], "also those who did not answer"
    assert final["result"].agent_ids[0] == "two"
    fallback = next(event for event in events if event["status"] == "fallback")
    assert fallback["step"] == "a" and fallback["tried"] == [{"agent_id": "one", "error": "down"}]


async def test_the_stream_tells_each_start_retry_answer_and_failure() -> None:
    players = Players({"a": (DOWN, "up"), "b": (BadRequest("no"),)})
    team = team_of(step_of("a"), step_of("b", "a"), step_of("c", "b"), exits=("c",))
    graph = wire(team, needs_for(players), retry=AT_ONCE).compile()
    given: Any = {"query": "x"}
    told = [event async for event in graph.astream(given, stream_mode="custom")]
    assert [(event["step"], event["status"]) for event in told] == [
        ("a", "started"),
        ("a", "retrying"),
        ("a", "started"),
        ("a", "completed"),
        ("b", "started"),
        ("b", "failed"),
        ("c", "skipped"),
    ]
    assert told[1]["error"] == "down" and told[3]["text"] == "up" and "no" in told[5]["error"]


async def test_a_failure_is_in_the_log_with_its_execution_and_its_step(caplog: pytest.LogCaptureFixture) -> None:
    run_id = uuid4()
    await run(graph_of("parallel", Players({"b": (DOWN,)}), "a", "b"), run_id=run_id)
    [line] = [line for line in caplog.records if line.name == "nodes.teams.step"]
    assert line.levelname == "WARNING" and f"step b of execution {run_id} failed" in line.message
    assert (line.__dict__["execution_id"], line.__dict__["node_id"]) == (str(run_id), "b")


async def test_a_reference_that_names_nothing_fails_its_step_alone() -> None:
    team = team_of(step_of("a"), step_of("b", "a", prompt="${a.missing}"), step_of("c", "a"), exits=("b", "c"))
    final = await run(wire(team, needs_for(Players())))
    result = final["result"]
    assert result.output == "<c>"
    assert "b" not in [message.to_agent for message in final["agent_messages"]], "nobody was asked"
    assert "nothing named 'missing'" in result.node_results["b"]["error"]


async def test_a_failed_exit_of_a_flow_leaves_the_last_answer_as_the_output() -> None:
    team = team_of(step_of("a"), step_of("b", "a", attempts=1), exits=("b",))
    final = await run(wire(team, needs_for(Players({"b": (DOWN,)}))), "", input_data={"topic": "cats"})
    assert final["result"].output == "<a>" and final["result"].metadata["flow_id"] == "flow"


async def test_steps_of_a_flow_are_sent_the_input_and_then_each_others_outputs() -> None:
    players = Players({"a": ({"response": "facts", "n": 1},)})
    steps = (step_of("a"), step_of("b", "a"), step_of("c", "a", "b", input={"text": "${a}", "n": "${a.n}"}))
    await run(wire(team_of(*steps), needs_for(players)), "", input_data={"topic": "cats", "n": [1]})
    assert players.call("a").input == {"topic": "cats", "n": [1]} and players.call("a").text == "cats"
    assert players.call("b").input == {"a": {"response": "facts", "n": 1}}
    assert players.call("c").input["n"] == 1


async def test_postgres_being_away_is_no_agents_failure() -> None:
    players = Players({"a": (NoDatabase("away"),)})
    team = team_of(step_of("a", attempts=2), step_of("b"))
    with pytest.raises(NoDatabase):
        await run(wire(team, needs_for(players), retry=AT_ONCE))
    assert players.asked.count("a") == 2
