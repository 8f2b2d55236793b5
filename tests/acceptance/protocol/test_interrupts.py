"""Runs that stop to ask, at a node or before one; answers, wrong answers, and going back in time."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient
from langgraph_sdk.schema import Command

from tests.acceptance.protocol.talking import MISSING, Said, Talk

ASKED = {"value": {"question": "ask?"}}


def waiting(talk: Talk, assistant: str = "asks") -> tuple[str, Any]:
    """A thread that waits for an answer, and what its run gave."""
    thread = talk.thread()
    return thread, talk.wait(thread, assistant, input={"trail": ["in"]})


def ids_of(talk: Talk, thread: str) -> dict[str, str]:
    """Interrupt ids by the question, as the thread shows them."""
    asked = [each for interrupts in talk.shown(thread)["interrupts"].values() for each in interrupts]
    return {str(each["value"]["question"]): str(each["id"]) for each in asked}


def resume(talk: Talk, thread: str, answer: object, assistant: str = "asks", **body: Any) -> Any:
    return talk.wait(thread, assistant, command={"resume": answer}, **body)


# --- one question ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asked(talk: Talk) -> tuple[str, Any]:
    return waiting(talk)


def test_a_question_comes_beside_the_values(asked: tuple[str, Any]) -> None:
    given = asked[1]
    assert list(given) == ["trail", "answers", "__interrupt__"]
    assert (given["trail"], given["answers"]) == (["in", "before"], [])


def test_a_question_has_value_id_and_schema(asked: tuple[str, Any]) -> None:
    [question] = asked[1]["__interrupt__"]
    assert list(question) == ["value", "id", "response_schema"]
    assert (question["value"], question["response_schema"]) == ({"question": "ask?"}, None)
    assert len(question["id"]) == 32


def test_a_run_that_asks_is_done(talk: Talk, asked: tuple[str, Any]) -> None:
    assert [run["status"] for run in talk.runs(asked[0])] == ["success"]


def test_a_thread_that_is_asked_is_interrupted(talk: Talk, asked: tuple[str, Any]) -> None:
    shown = talk.shown(asked[0])
    assert (shown["status"], shown["error"]) == ("interrupted", None)
    assert shown["values"] == {"trail": ["in", "before"], "answers": []}


def test_a_thread_shows_questions_by_task(talk: Talk, asked: tuple[str, Any]) -> None:
    state = talk.http.get(f"/threads/{asked[0]}/state").json()
    question = {"id": asked[1]["__interrupt__"][0]["id"], **ASKED}
    assert talk.shown(asked[0])["interrupts"] == {state["tasks"][0]["id"]: [question]}


def test_the_state_shows_who_asks(talk: Talk, asked: tuple[str, Any]) -> None:
    state = talk.http.get(f"/threads/{asked[0]}/state").json()
    assert state["next"] == ["ask"]
    [task] = state["tasks"]
    assert (task["name"], task["error"]) == ("ask", None)
    assert task["interrupts"][0]["value"] == {"question": "ask?"}
    assert state["interrupts"][0]["id"] == asked[1]["__interrupt__"][0]["id"]


def test_joining_a_run_that_asks_gives_the_question(talk: Talk, asked: tuple[str, Any]) -> None:
    run_id = talk.runs(asked[0])[0]["run_id"]
    joined = talk.http.get(f"/threads/{asked[0]}/runs/{run_id}/join").json()
    assert [each["value"] for each in joined["__interrupt__"]] == [{"question": "ask?"}]


def test_an_interrupted_thread_is_found_by_its_status(talk: Talk, asked: tuple[str, Any]) -> None:
    found = talk.http.post("/threads/search", json={"status": "interrupted", "ids": [asked[0]]}).json()
    assert [thread["thread_id"] for thread in found] == [asked[0]]


def test_a_stream_ends_with_the_question(talk: Talk) -> None:
    told = talk.stream(talk.thread(), "asks", input={"trail": ["in"]})
    assert [event.event for event in told] == ["metadata", "values", "values", "values"]
    assert told[-1].data["__interrupt__"][0]["value"] == {"question": "ask?"}


def test_updates_tell_the_question_too(talk: Talk) -> None:
    told = talk.stream(talk.thread(), "asks", input={"trail": ["in"]}, stream_mode="updates")
    assert [list(event.data) for event in told[1:]] == [["before"], ["__interrupt__"]]
    assert told[-1].data["__interrupt__"][0]["value"] == {"question": "ask?"}


@pytest.mark.parametrize("answer", ["yes", 7, True, None, ["a", 1], {"deep": {"er": [1]}}, "", 0, False, 1.5])
def test_any_answer_reaches_the_one_who_asked(talk: Talk, answer: object) -> None:
    thread, _ = waiting(talk, "asks_two" if answer is None else "asks")
    if answer is None:
        # No answer at all is `null`, too, so it is given by id.
        answers = {ids_of(talk, thread)["left?"]: None, ids_of(talk, thread)["right?"]: None}
        assert resume(talk, thread, answers, "asks_two")["answers"] == [None, None]
    else:
        assert resume(talk, thread, answer) == {"trail": ["in", "before", "ask", "after"], "answers": [answer]}


def test_an_answer_settles_the_thread(talk: Talk) -> None:
    thread, _ = waiting(talk)
    resume(talk, thread, "yes")
    shown = talk.shown(thread)
    assert (shown["status"], shown["interrupts"]) == ("idle", {})
    assert shown["values"] == {"trail": ["in", "before", "ask", "after"], "answers": ["yes"]}


def test_what_was_done_before_the_question_is_not_done_again(talk: Talk) -> None:
    thread, _ = waiting(talk)
    told = talk.stream(thread, "asks", command={"resume": "yes"}, stream_mode="updates")
    assert [list(event.data) for event in told[1:]] == [["ask"], ["after"]]


def test_an_answered_stream_begins_with_the_state_it_goes_on_from(talk: Talk) -> None:
    thread, _ = waiting(talk)
    told = talk.stream(thread, "asks", command={"resume": "yes"})
    assert [event.data["trail"] for event in told[1:]] == [
        ["in", "before"],
        ["in", "before", "ask"],
        ["in", "before", "ask", "after"],
    ]


def test_an_answer_by_id_is_taken(talk: Talk) -> None:
    thread, given = waiting(talk)
    assert resume(talk, thread, {given["__interrupt__"][0]["id"]: "by id"})["answers"] == ["by id"]


@pytest.mark.ours_only("there a wrong id is accepted and changes nothing")
def test_an_answer_under_a_wrong_id_is_refused(talk: Talk) -> None:
    thread, given = waiting(talk)
    answer = talk.ask(thread, "asks", command={"resume": {"f" * 32: "bad"}})
    assert answer.status_code == 409
    assert given["__interrupt__"][0]["id"] in answer.json()["detail"]
    assert talk.shown(thread)["status"] == "interrupted"
    assert resume(talk, thread, "good")["answers"] == ["good"]


@pytest.mark.ours_only("there a second answer is accepted and changes nothing")
@pytest.mark.parametrize("by_id", [True, False])
def test_a_second_answer_is_refused(talk: Talk, by_id: bool) -> None:
    thread, given = waiting(talk)
    resume(talk, thread, "first")
    second = {given["__interrupt__"][0]["id"]: "second"} if by_id else "second"
    assert talk.ask(thread, "asks", command={"resume": second}).status_code == 409
    assert talk.shown(thread)["values"] == {"trail": ["in", "before", "ask", "after"], "answers": ["first"]}
    assert talk.shown(thread)["status"] == "idle"


def test_new_input_instead_of_an_answer_starts_anew(talk: Talk) -> None:
    thread, _ = waiting(talk)
    again = talk.wait(thread, "asks", input={"trail": ["more"]})
    assert again["trail"] == ["in", "before", "more", "before"]
    assert len(again["__interrupt__"]) == 1


def test_going_on_without_an_answer_asks_again(talk: Talk) -> None:
    thread, given = waiting(talk)
    assert talk.wait(thread, "asks", input=None)["__interrupt__"] == given["__interrupt__"]


def test_command_wins_over_input(talk: Talk) -> None:
    thread, _ = waiting(talk)
    given = talk.wait(thread, "asks", command={"resume": "x"}, input={"trail": ["both"]})
    assert given == {"trail": ["in", "before", "ask", "after"], "answers": ["x"]}


# --- several questions -----------------------------------------------------------------------------------------------


def test_several_questions_come_together(talk: Talk) -> None:
    _, given = waiting(talk, "asks_two")
    assert [each["value"] for each in given["__interrupt__"]] == [{"question": "left?"}, {"question": "right?"}]


def test_several_questions_are_shown_each_with_its_task(talk: Talk) -> None:
    thread, given = waiting(talk, "asks_two")
    shown = talk.shown(thread)["interrupts"]
    assert len(shown) == 2
    assert {each["id"] for asked in shown.values() for each in asked} == {each["id"] for each in given["__interrupt__"]}


def test_one_answer_for_two_questions_is_refused(talk: Talk) -> None:
    thread, _ = waiting(talk, "asks_two")
    error = resume(talk, thread, "both?", "asks_two")["__error__"]
    assert error["error"] == "RuntimeError"
    assert error["message"].startswith("When there are multiple pending interrupts, you must specify the interrupt id")


def test_all_are_answered_at_once_by_id(talk: Talk) -> None:
    thread, _ = waiting(talk, "asks_two")
    ids = ids_of(talk, thread)
    given = resume(talk, thread, {ids["right?"]: "r", ids["left?"]: "l"}, "asks_two")
    assert given == {"trail": ["in", "before", "left", "right", "after"], "answers": ["l", "r"]}


@pytest.mark.parametrize("first", ["left?", "right?"])
def test_they_are_answered_in_any_order(talk: Talk, first: str) -> None:
    thread, _ = waiting(talk, "asks_two")
    ids = ids_of(talk, thread)
    [second] = set(ids) - {first}
    given = resume(talk, thread, {ids[first]: f"to {first}"}, "asks_two")
    assert [each["id"] for each in given["__interrupt__"]] == [ids[second]]
    assert talk.shown(thread)["status"] == "interrupted"
    given = resume(talk, thread, {ids[second]: f"to {second}"}, "asks_two")
    assert given["answers"] == ["to left?", "to right?"]


def test_the_last_open_question_needs_no_id(talk: Talk) -> None:
    thread, _ = waiting(talk, "asks_two")
    resume(talk, thread, {ids_of(talk, thread)["right?"]: "r"}, "asks_two")
    assert resume(talk, thread, "l", "asks_two")["answers"] == ["l", "r"]


def test_an_answer_is_kept_while_others_are_open(talk: Talk) -> None:
    thread, _ = waiting(talk, "asks_two")
    ids = ids_of(talk, thread)
    resume(talk, thread, {ids["right?"]: "first"}, "asks_two")
    assert resume(talk, thread, {ids["left?"]: "l"}, "asks_two")["answers"] == ["l", "first"]


@pytest.mark.ours_only("there a second answer is accepted and changes nothing")
def test_a_second_answer_is_refused_while_others_are_open(talk: Talk) -> None:
    thread, _ = waiting(talk, "asks_two")
    ids = ids_of(talk, thread)
    resume(talk, thread, {ids["right?"]: "first"}, "asks_two")
    assert talk.ask(thread, "asks_two", command={"resume": {ids["right?"]: "second"}}).status_code == 409
    assert resume(talk, thread, {ids["left?"]: "l"}, "asks_two")["answers"] == ["l", "first"]


def test_a_node_may_ask_again(talk: Talk) -> None:
    thread = talk.thread()
    first = talk.wait(thread, "asks_twice", input={"trail": []})
    assert [each["value"] for each in first["__interrupt__"]] == ["first?"]
    second = resume(talk, thread, 1, "asks_twice")
    assert [each["value"] for each in second["__interrupt__"]] == ["second?"]
    assert resume(talk, thread, 2, "asks_twice") == {"trail": ["twice"], "answers": [1, 2]}


def test_a_subgraph_may_ask(talk: Talk) -> None:
    thread = talk.thread()
    given = talk.wait(thread, "asks_inside", input={"trail": []})
    assert [each["value"] for each in given["__interrupt__"]] == ["inside?"]
    state = talk.http.get(f"/threads/{thread}/state", params={"subgraphs": True}).json()
    assert state["next"] == ["child"]
    assert state["tasks"][0]["state"]["next"] == ["inner"]
    assert resume(talk, thread, "in", "asks_inside") == {"trail": ["first", "first", "inner"], "answers": ["in"]}


# --- stops that the client asks for ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "done", "following"),
    [
        ({"interrupt_before": ["b"]}, ["a"], ["b"]),
        ({"interrupt_after": ["b"]}, ["a", "b"], ["c"]),
        ({"interrupt_before": "*"}, [], ["a"]),
        ({"interrupt_after": "*"}, ["a"], ["b"]),
        ({"interrupt_before": ["c", "b"]}, ["a"], ["b"]),
        ({"interrupt_before": ["nowhere"]}, ["a", "b", "c"], []),
        ({"interrupt_after": ["c"]}, ["a", "b", "c"], []),
    ],
)
def test_a_run_stops_where_its_client_says(
    talk: Talk, body: dict[str, Any], done: list[str], following: list[str]
) -> None:
    thread = talk.thread()
    assert talk.wait(thread, "steps", input={"note": "x"}, **body) == {"trail": done, "note": "x"}
    assert talk.http.get(f"/threads/{thread}/state").json()["next"] == following
    shown = talk.shown(thread)
    assert (shown["status"], shown["interrupts"]) == ("interrupted" if following else "idle", {})


def test_a_stopped_run_is_done(talk: Talk) -> None:
    thread = talk.thread()
    talk.wait(thread, "steps", input={}, interrupt_before=["b"])
    assert talk.runs(thread)[0]["status"] == "success"


def test_updates_tell_a_stop_without_a_question(talk: Talk) -> None:
    told = talk.stream(talk.thread(), "steps", input={"note": "x"}, interrupt_before=["b"], stream_mode="updates")
    assert [event.data for event in told[1:]] == [{"a": {"trail": ["a"]}}, {"__interrupt__": []}]


def test_no_input_goes_on_after_a_stop(talk: Talk) -> None:
    thread = talk.thread()
    talk.wait(thread, "steps", input={"note": "x"}, interrupt_before=["b"])
    told = talk.stream(thread, "steps", input=None)
    assert [event.data["trail"] for event in told[1:]] == [["a"], ["a", "b"], ["a", "b", "c"]]
    assert talk.shown(thread)["status"] == "idle"


def test_a_thread_is_stepped_through(talk: Talk) -> None:
    thread = talk.thread()
    trails = [talk.wait(thread, "steps", input={"note": "x"}, interrupt_after="*")["trail"]]
    trails += [talk.wait(thread, "steps", interrupt_after="*")["trail"] for _ in range(2)]
    assert trails == [["a"], ["a", "b"], ["a", "b", "c"]]


def test_a_state_changed_at_a_stop_is_what_goes_on(talk: Talk) -> None:
    thread = talk.thread()
    talk.wait(thread, "steps", input={"note": "x"}, interrupt_before=["b"])
    talk.http.post(f"/threads/{thread}/state", json={"values": {"note": "changed"}}).raise_for_status()
    assert talk.wait(thread, "steps") == {"trail": ["a", "b", "c"], "note": "changed"}


# --- commands --------------------------------------------------------------------------------------------------------


def test_update_changes_the_state_where_it_stands(talk: Talk) -> None:
    thread, _ = waiting(talk)
    given = talk.wait(thread, "asks", command={"update": {"trail": ["u"]}})
    assert given["trail"] == ["in", "before", "u"]
    assert len(given["__interrupt__"]) == 1


def test_update_takes_pairs_of_channel_and_value(talk: Talk) -> None:
    thread, _ = waiting(talk)
    given = talk.wait(thread, "asks", command={"update": [["trail", ["u"]], ["answers", ["v"]]]})
    assert (given["trail"], given["answers"]) == (["in", "before", "u"], ["v"])


def test_update_and_answer_come_together(talk: Talk) -> None:
    thread, _ = waiting(talk)
    given = talk.wait(thread, "asks", command={"resume": "x", "update": {"trail": ["u"]}})
    assert given["answers"] == ["x"]
    assert "u" in given["trail"]


@pytest.mark.parametrize("goto", ["after", ["after"], {"node": "after", "input": {}}, [{"node": "after", "input": {}}]])
def test_goto_runs_a_node_beside_what_is_next(talk: Talk, goto: object) -> None:
    thread = talk.thread()
    talk.wait(thread, "steps", input={}, interrupt_before=["b"])
    given = talk.wait(thread, "asks", command={"goto": goto})
    assert "after" in given["trail"]


def test_goto_nowhere_changes_nothing(talk: Talk) -> None:
    thread, given = waiting(talk)
    assert talk.wait(thread, "asks", command={"goto": "nowhere"}) == given


def test_an_empty_command_changes_nothing(talk: Talk) -> None:
    thread, given = waiting(talk)
    assert talk.wait(thread, "asks", command={}) == given


# --- going back in time ----------------------------------------------------------------------------------------------


def checkpoint_before(talk: Talk, thread: str, node: str) -> str:
    """The newest checkpoint at which `node` is next."""
    return next(str(state["checkpoint_id"]) for state in talk.history(thread) if state["next"] == [node])


@pytest.mark.parametrize("way", ["checkpoint_id", "checkpoint"])
def test_a_run_goes_on_from_an_older_checkpoint(talk: Talk, way: str) -> None:
    thread = talk.thread()
    talk.wait(thread, "steps", input={"note": "x"})
    older = checkpoint_before(talk, thread, "b")
    body: dict[str, Any] = (
        {"checkpoint_id": older} if way == "checkpoint_id" else {"checkpoint": {"checkpoint_id": older}}
    )
    told = talk.stream(thread, "steps", stream_mode="updates", **body)
    assert [list(event.data) for event in told[1:]] == [["b"], ["c"]]
    assert talk.shown(thread)["values"]["trail"] == ["a", "b", "c"]


def test_new_input_at_an_older_checkpoint_is_a_fork(talk: Talk) -> None:
    thread = talk.thread()
    talk.wait(thread, "steps", input={"note": "x"})
    older = checkpoint_before(talk, thread, "b")
    given = talk.wait(thread, "steps", input={"note": "fork"}, checkpoint_id=older)
    assert given == {"trail": ["a", "a", "b", "c"], "note": "fork"}
    parents = [state["parent_checkpoint_id"] for state in talk.history(thread)]
    assert parents.count(older) == 2


def test_the_older_line_stays_in_the_history(talk: Talk) -> None:
    thread = talk.thread()
    talk.wait(thread, "steps", input={"note": "x"})
    before = talk.history(thread)
    talk.wait(thread, "steps", input={"note": "fork"}, checkpoint_id=checkpoint_before(talk, thread, "b"))
    assert talk.history(thread)[-len(before) :] == before


def test_an_answer_at_the_checkpoint_of_its_question_does_not_start_over(talk: Talk) -> None:
    thread, _ = waiting(talk)
    asking = checkpoint_before(talk, thread, "ask")
    given = resume(talk, thread, "there", checkpoint_id=asking)
    assert given == {"trail": ["in", "before", "ask", "after"], "answers": ["there"]}


def test_a_checkpoint_of_another_thread_is_not_found_there(talk: Talk) -> None:
    thread, other = talk.thread(), talk.thread()
    talk.wait(other, "steps", input={"note": "secret"})
    checkpoint = {"thread_id": other, "checkpoint_id": talk.history(other)[0]["checkpoint_id"], "checkpoint_ns": ""}
    given = talk.wait(thread, "steps", input={}, checkpoint=checkpoint)
    assert given == {"trail": ["a", "b", "c"]}


def test_a_checkpoint_that_is_not_there_is_the_start(talk: Talk) -> None:
    thread = talk.thread()
    talk.wait(thread, "steps", input={"note": "x"})
    assert talk.wait(thread, "steps", checkpoint_id=MISSING)["__error__"] == {
        "error": "EmptyInputError",
        "message": "Received no input for __start__",
    }


# --- through the SDK -------------------------------------------------------------------------------------------------


async def test_the_client_answers(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    given: Any = await client.runs.wait(thread, "asks", input={"trail": []})
    assert given["__interrupt__"][0]["value"] == {"question": "ask?"}
    done: Any = await client.runs.wait(thread, "asks", command=Command(resume="sdk"))
    assert done["answers"] == ["sdk"]


def test_the_sync_client_answers(sync_client: SyncLangGraphClient) -> None:
    thread = sync_client.threads.create()["thread_id"]
    sync_client.runs.wait(thread, "asks", input={"trail": []})
    done: Any = sync_client.runs.wait(thread, "asks", command=Command(resume="sync"))
    assert done["answers"] == ["sync"]


async def test_the_client_stops_and_goes_on(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "steps", input={}, interrupt_before=["c"])
    assert (await client.threads.get_state(thread))["next"] == ["c"]
    done: Any = await client.runs.wait(thread, "steps", input=None)
    assert done["trail"] == ["a", "b", "c"]


async def test_the_client_streams_an_answer(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    await client.runs.wait(thread, "asks", input={"trail": []})
    stream = client.runs.stream(thread, "asks", command=Command(resume="s"), stream_mode="updates")
    told = [Said(part.event, part.data) async for part in stream]
    assert told[1:] == [
        Said("updates", {"ask": {"trail": ["ask"], "answers": ["s"]}}),
        Said("updates", {"after": {"trail": ["after"]}}),
    ]


def test_a_function_that_asks_is_shown_by_its_thread(talk: Talk) -> None:
    thread = talk.thread()
    talk.wait(thread, "asks_plainly", input=3)
    shown = talk.shown(thread)
    assert (shown["status"], shown["values"]) == ("interrupted", None)
    assert [[asked["value"] for asked in of_task] for of_task in shown["interrupts"].values()] == [[{"number": 3}]]
    assert talk.wait(thread, "asks_plainly", command={"resume": "yes"}) == {"number": 3, "answer": "yes"}


def test_a_state_that_its_graph_refuses_is_told(talk: Talk) -> None:
    thread = talk.thread()
    talk.wait(thread, "threads_asking", input={})
    talk.wait(thread, "threads_asking", command={"update": {"answer": "one"}})
    talk.wait(thread, "threads_asking", command={"update": {"answer": "two"}})
    answer = talk.http.get(f"/threads/{thread}/state")
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("At key 'answer': Can receive only one value per step.")
