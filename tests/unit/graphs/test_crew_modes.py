"""Crews of each mode: who is asked, with what, in which order, and what comes of it."""

import asyncio
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from graphs.crews.build import build_from
from state.agent_ports import AgentCall
from state.agents import AgentReply
from state.crew_run import CrewContext
from state.errors import AgentFailed, BadRequest
from tests.fakes import FakeModels, fake_services
from tests.unit.graphs.crewing import History, Players, choice, graph_of, reply, run

DIAMOND: Any = [
    {"source": "a", "target": ["b", "c"]},
    {"source": ["b", "c"], "target": "d"},
]


async def test_sequential_agents_are_asked_in_order_each_with_the_last_answer() -> None:
    players = Players({"b": ({"response": "two", "count": 2},)})
    final = await run(graph_of("sequential", players, {"agent_id": "a", "name": "Anna"}, "b", "c"))
    result = final["result"]
    assert players.asked == ["a", "b", "c"]
    assert players.call("a").text == "do it"
    assert players.call("a").input == {
        "user_query": "do it",
        "context": {"task": "do it", "results": {}, "shared": {}},
    }
    assert players.call("b").text == "do it\n\nAnna: <a>"
    assert players.call("c").text == "do it\n\nb: two"
    assert players.call("c").input["user_query"] == "two"
    assert players.call("c").input["context"]["results"] == {
        "a": {"response": "<a>"},
        "b": {"response": "two", "count": 2},
    }
    assert result.output == result.results[-1] == "<c>" and result.results == ("<a>", "two", "<c>")
    assert result.agent_ids == ("a", "b", "c")
    assert result.node_results["b"] == {"response": "two", "count": 2}
    assert final["messages"][-1].text == "<c>"


async def test_a_result_says_what_the_run_was_and_what_each_agent_took() -> None:
    players = Players({"a": (reply("one", input_tokens=3, output_tokens=2, model="tiny"),)})
    graph = graph_of("sequential", players, "a", "b", name="Pair", metadata={"team": "red", "name": "x"})
    result = (await run(graph))["result"]
    told = result.metadata
    assert {key: told[key] for key in ("crew_id", "name", "execution_mode", "total_tokens", "steps", "team")} == {
        "crew_id": "crew",
        "name": "Pair",
        "execution_mode": "sequential",
        "total_tokens": 5,
        "steps": {"completed": 2, "failed": 0, "skipped": 0},
        "team": "red",
    }
    first = result.agents[0]
    assert (first.step, first.agent_class, first.status, first.attempts, first.model) == (
        "a",
        "Player",
        "completed",
        1,
        "tiny",
    )
    assert 0 <= first.execution_time <= told["execution_time"]
    assert [(entry.event, entry.step) for entry in result.execution_log] == [
        ("started", None),
        ("started", "a"),
        ("completed", "a"),
        ("started", "b"),
        ("completed", "b"),
        ("finished", None),
    ]


async def test_parallel_agents_are_asked_the_same_and_their_answers_stand_in_the_crews_order() -> None:
    meet = asyncio.Barrier(2)

    async def late(call: AgentCall) -> AgentReply:
        async with asyncio.timeout(5):
            await meet.wait()
        return reply(f"<{call.agent_id}>")

    players = Players({"a": (late,), "b": (late,)})
    final = await run(graph_of("parallel", players, "a", {"agent_id": "b", "name": "Bea"}))
    assert {call.text for call in players.calls} == {"do it"}
    assert final["result"].output == "a: <a>\n\nBea: <b>"
    assert [entry.detail for entry in final["log"] if entry.event == "combined"] == ["2 of 2 answers"]
    assert final["result"].results == ("<a>", "<b>")


async def test_the_aggregator_of_a_parallel_crew_is_told_all_answers_and_says_the_output() -> None:
    players = Players()
    final = await run(graph_of("parallel", players, "sum", "a", "b", aggregator="sum"))
    assert players.asked[-1] == "sum" and players.call("sum").text == "do it\n\na: <a>\n\nb: <b>"
    assert final["result"].output == "<sum>"


async def test_answers_of_a_parallel_crew_stand_without_their_aggregator() -> None:
    players = Players({"sum": (AgentFailed("down"),)})
    result = (await run(graph_of("parallel", players, "sum", "a", "b", aggregator="sum")))["result"]
    assert result.output == "a: <a>\n\nb: <b>"
    assert [agent.status for agent in result.agents] == ["completed", "completed", "failed"]


@pytest.mark.parametrize("most", [1, 2, 3])
async def test_no_more_agents_are_at_work_than_the_crew_allows(most: int) -> None:
    """As many as allowed have to be there before any of them goes on, and a fourth never is."""
    meet, now, peak = asyncio.Barrier(most), 0, 0

    async def busy(call: AgentCall) -> AgentReply:
        nonlocal now, peak
        now, peak = now + 1, max(peak, now + 1)
        async with asyncio.timeout(5):
            await meet.wait()
        now -= 1
        return reply("done")

    names = [f"agent{number}" for number in range(6)]
    players = Players(dict.fromkeys(names, (busy,)))
    result = (await run(graph_of("parallel", players, *names, max_parallel_tasks=most)))["result"]
    assert peak == most and len(result.results) == 6


async def test_runs_of_one_graph_have_their_places_each() -> None:
    meet = asyncio.Barrier(2)

    async def meeting(call: AgentCall) -> AgentReply:
        async with asyncio.timeout(5):
            await meet.wait()
        return reply("met")

    graph = graph_of("parallel", Players({"a": (meeting,), "b": (meeting,)}), "a", "b", max_parallel_tasks=1)
    finals = await asyncio.gather(run(graph), run(graph))
    assert [final["result"].results for final in finals] == [("met", "met")] * 2


async def test_agents_of_a_dag_wait_for_all_that_they_need() -> None:
    players = Players()
    result = (await run(graph_of("flow", players, "a", "b", "c", "d", flow_relations=DIAMOND)))["result"]
    assert players.asked[0] == "a" and players.asked[-1] == "d" and len(players.calls) == 4
    assert players.call("c").text == "do it\n\na: <a>"
    assert players.call("d").text == "do it\n\nb: <b>\n\nc: <c>"
    assert set(players.call("d").input["context"]["results"]) == {"b", "c"}
    assert result.output == "<d>"


async def test_a_dag_of_several_ends_says_them_all_and_agents_without_relations_begin() -> None:
    relations = [{"source": "a", "target": "c"}]
    players = Players()
    result = (await run(graph_of("flow", players, "a", "b", "c", flow_relations=relations)))["result"]
    assert players.call("b").text == "do it" and result.output == "<b>\n\n<c>"


async def test_a_join_of_paths_of_different_length_fires_once() -> None:
    relations = [
        {"source": "a", "target": ["b", "d"]},
        {"source": "b", "target": "c"},
        {"source": "c", "target": "d"},
    ]
    players = Players()
    await run(graph_of("flow", players, "a", "b", "c", "d", flow_relations=relations))
    assert players.asked == ["a", "b", "c", "d"]


async def test_prompts_of_agents_are_templates_of_what_was_said_before() -> None:
    writer = {"agent_id": "b", "config": {"prompt": "Of ${a.facts.0}, ${query} ${input.style}: ${a} $${x}"}}
    players = Players({"a": ({"response": "cats", "facts": ["fur", "paws"]},)})
    await run(graph_of("sequential", players, "a", writer), "write", input_data={"style": "briefly"})
    assert players.call("b").text == "Of fur, write briefly: cats ${x}"
    assert players.call("a").input["context"]["style"] == "briefly"


async def test_an_adaptive_crew_goes_where_its_agents_say_until_they_say_end() -> None:
    acts = {"a": (reply("1", next="c"), reply("3", next="END")), "c": (reply("2", next="a"),)}
    players = Players(acts)
    final = await run(graph_of("adaptive", players, "a", "b", "c"))
    assert players.asked == ["a", "c", "a"] and final["result"].output == "3"
    assert players.calls[0].choices == ("a", "b", "c")
    assert players.calls[2].text == "do it\n\na: 1\n\nc: 2"
    assert [entry.agent_id for entry in final["log"] if entry.event == "decided"] == ["c", "a", "end"]


async def test_a_model_decides_where_no_agent_says_and_its_reason_is_in_the_log() -> None:
    models = FakeModels(choice("b", "the draft is missing"), choice("end"))
    players = Players()
    final = await run(graph_of("adaptive", players, "a", "b", models=models))
    assert players.asked == ["a", "b"]
    decided = [entry for entry in final["log"] if entry.event == "decided"]
    assert (decided[0].agent_id, decided[0].detail) == ("b", "the draft is missing")
    shown = models.asked[0][-1].text
    assert "- b: b" in shown and "Task:\ndo it" in shown and "a: <a>" in shown


async def test_an_unknown_choice_of_an_agent_is_logged_and_a_model_decides() -> None:
    players = Players({"a": (reply("1", next="nobody"),)})
    final = await run(graph_of("adaptive", players, "a", "b", models=FakeModels(choice("b"), choice("end"))))
    assert players.asked == ["a", "b"]
    assert "no agent 'nobody'" in next(entry.detail for entry in final["log"] if entry.event == "decided")


@pytest.mark.parametrize("said", [choice("nobody"), "words, no choice"], ids=["unknown", "words"])
async def test_a_model_that_chooses_nobody_ends_the_run_with_what_there_is(said: Any) -> None:
    players = Players()
    final = await run(graph_of("adaptive", players, "a", "b", models=FakeModels(said)))
    assert players.asked == ["a"] and final["result"].output == "<a>"
    assert "chose nobody" in next(entry.detail for entry in final["log"] if entry.event == "decided")


async def test_an_adaptive_crew_that_never_ends_is_ended_at_its_bound() -> None:
    players = Players({"a": (reply("again", next="a"),)})
    final = await run(graph_of("adaptive", players, "a", "b", decision={"max_steps": 7}))
    assert players.asked == ["a"] * 7 and len(final["result"].results) == 7
    assert len({message.message_id for message in final["agent_messages"]}) == 8, "each turn is a message of its own"
    assert "max_steps" in [entry.detail for entry in final["log"] if entry.event == "decided"][-1]


async def test_a_failed_agent_of_an_adaptive_crew_is_decided_about_like_any() -> None:
    players = Players({"a": (AgentFailed("down"),)})
    models = FakeModels(choice("b"), choice("end"))
    result = (await run(graph_of("adaptive", players, "a", "b", models=models)))["result"]
    assert "a: failed: a: down" in models.asked[0][-1].text and result.output == "<b>"


async def test_messages_say_who_told_whom_in_the_checkpoint_as_in_the_history() -> None:
    history, players = History(), Players()
    final = await run(graph_of("flow", players, "a", "b", "c", "d", flow_relations=DIAMOND, messages=history))
    told = [(message.from_agent, message.to_agent) for message in final["agent_messages"]]
    assert told == [("client", "a"), ("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "client")]
    assert sorted(history.recorded, key=str) == sorted(final["agent_messages"], key=str)
    assert final["agent_messages"][1].payload == {"output": {"response": "<a>"}}
    assert all(message.execution_id is not None for message in history.recorded)


async def test_a_history_that_cannot_be_written_costs_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    graph = graph_of("sequential", Players(), "a", messages=History(error=BadRequest("too large")))
    final = await run(graph)
    assert final["result"].output == "<a>" and len(final["agent_messages"]) == 2
    assert "not in the history" in caplog.text


@pytest.mark.parametrize(
    ("given", "task"),
    [
        ({"query": "  q "}, "q"),
        ({"messages": [HumanMessage("m")]}, "m"),
        ({"input_data": {"topic": "cats", "n": 1}}, "cats"),
        ({"input_data": {"n": 1}}, '{"n":1}'),
        ({"query": "q", "messages": [HumanMessage("m")], "input_data": {"topic": "t"}}, "q"),
    ],
    ids=["query", "message", "topic", "json", "all"],
)
async def test_what_is_asked_is_the_query_or_the_last_message_or_the_input(given: dict[str, Any], task: str) -> None:
    final = await run(graph_of("sequential", Players(), "a"), **{"query": "", **given})
    assert final["task"] == task and final["given"] == given.get("input_data", {})


async def test_a_crew_that_is_asked_nothing_says_so() -> None:
    with pytest.raises(BadRequest, match="nothing is asked"):
        await run(graph_of("sequential", Players(), "a"), "")


async def test_without_a_definition_the_shipped_pair_works() -> None:
    services = fake_services(FakeModels("facts", "a text"))
    graph = build_from(services, {"configurable": {}}).compile()
    given: Any = {"query": "cats"}
    final = await graph.ainvoke(given, context=CrewContext(), output_keys=["result"])
    assert final["result"].agent_ids == ("researcher", "writer") and final["result"].output == "a text"
