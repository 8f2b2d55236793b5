"""A second message while the first still runs: four strategies; and runs that are stopped from outside."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph_sdk.client import LangGraphClient, SyncLangGraphClient

from tests.acceptance.protocol.talking import MISSING, Talk, until

BUSY = "Thread is already running a task. Wait for it to finish or choose a different multitask strategy."
NONE_FOUND = "No runs found to cancel."
NONE_MATCH = (
    "No matching runs to cancel. Please verify the thread ID and run IDs are correct, "
    "and the runs haven't been deleted or completed."
)


def working(talk: Talk, seconds: float = 2, **body: Any) -> tuple[str, str]:
    """A thread with a done run of `steps`, and the id of one that is in its slow step."""
    thread = talk.thread()
    talk.wait(thread, "steps", input={"note": "x"})
    run_id = talk.start(thread, "works", input={"seconds": seconds}, **body)["run_id"]
    talk.has_begun(thread, run_id)
    return thread, run_id


def statuses(talk: Talk, thread: str) -> list[str]:
    """Of the runs of `works`, oldest first."""
    return [run["status"] for run in reversed(talk.runs(thread))][1:]


# --- four strategies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["", "/wait", "/stream"])
def test_reject_refuses_the_second(talk: Talk, how: str) -> None:
    thread, first = working(talk, 0.8)
    answer = talk.ask(thread, "works", how, input={}, multitask_strategy="reject")
    assert (answer.status_code, answer.json()) == (409, {"detail": BUSY})
    assert talk.has_ended(thread, first) == "success"
    assert statuses(talk, thread) == ["success"]


def test_reject_takes_what_finds_the_thread_idle(talk: Talk) -> None:
    thread = talk.thread()
    for _ in range(2):
        assert talk.ask(thread, "steps", "/wait", input={}, multitask_strategy="reject").status_code == 200


def test_reject_refuses_behind_one_that_waits_for_its_time(talk: Talk) -> None:
    thread = talk.thread()
    delayed = talk.start(thread, "steps", input={}, after_seconds=60)["run_id"]
    assert talk.ask(thread, "steps", input={}, multitask_strategy="reject").status_code == 409
    talk.cancel(thread, delayed)


def test_enqueue_waits_for_the_first(talk: Talk) -> None:
    thread, first = working(talk, 1)
    second = talk.start(thread, "works", input={})["run_id"]
    assert talk.status(thread, second) == "pending"
    assert talk.has_ended(thread, second) == "success"
    assert talk.status(thread, first) == "success"
    done = ["start", "work", "stop"]
    assert talk.shown(thread)["values"]["trail"] == ["a", "b", "c", *done, *done]


def test_enqueued_runs_go_one_after_the_other_in_their_order(talk: Talk) -> None:
    thread, _ = working(talk, 0.8)
    notes = [str(number) for number in range(4)]
    runs = [talk.start(thread, "steps", input={"note": note})["run_id"] for note in notes]
    assert [talk.has_ended(thread, run_id) for run_id in runs] == ["success"] * 4
    seen = [state["values"].get("note") for state in reversed(talk.history(thread, 100)) if state["next"] == ["a"]]
    assert seen[-4:] == notes


def test_a_waiting_run_keeps_the_thread_busy(talk: Talk) -> None:
    thread, first = working(talk, 0.8)
    second = talk.start(thread, "works", input={"seconds": 1})["run_id"]
    assert talk.has_ended(thread, first) == "success"
    assert talk.shown(thread)["status"] == "busy"
    assert talk.has_ended(thread, second) == "success"
    assert talk.shown(thread)["status"] == "idle"


def test_interrupt_stops_the_first_and_keeps_what_it_did(talk: Talk) -> None:
    thread, first = working(talk, 30)
    given = talk.wait(thread, "works", input={"seconds": 0}, multitask_strategy="interrupt")
    assert given["trail"] == ["a", "b", "c", "start", "start", "work", "stop"]
    assert talk.status(thread, first) == "interrupted"
    assert talk.shown(thread)["status"] == "idle"


def test_rollback_stops_the_first_and_undoes_it(talk: Talk) -> None:
    thread, first = working(talk, 30)
    given = talk.wait(thread, "works", input={"seconds": 0}, multitask_strategy="rollback")
    assert given["trail"] == ["a", "b", "c", "start", "work", "stop"]
    assert talk.status(thread, first) is None
    assert statuses(talk, thread) == ["success"]


def test_interrupt_ends_those_that_wait_too(talk: Talk) -> None:
    thread, first = working(talk, 30)
    waiting = [talk.start(thread, "works", input={})["run_id"] for _ in range(2)]
    talk.wait(thread, "works", input={"seconds": 0}, multitask_strategy="interrupt")
    assert [talk.status(thread, run_id) for run_id in (first, *waiting)] == ["interrupted"] * 3


def test_rollback_deletes_those_that_wait_too(talk: Talk) -> None:
    thread, first = working(talk, 30)
    waiting = [talk.start(thread, "works", input={})["run_id"] for _ in range(2)]
    talk.wait(thread, "works", input={"seconds": 0}, multitask_strategy="rollback")
    assert [talk.status(thread, run_id) for run_id in (first, *waiting)] == [None] * 3


@pytest.mark.parametrize("strategy", ["interrupt", "rollback"])
def test_the_strategy_stays_with_its_run(talk: Talk, strategy: str) -> None:
    thread, _ = working(talk, 30)
    talk.wait(thread, "works", input={"seconds": 0}, multitask_strategy=strategy)
    assert talk.runs(thread)[0]["multitask_strategy"] == strategy


def test_a_listener_to_the_first_hears_its_stream_end(talk: Talk) -> None:
    thread = talk.thread()
    body = {"assistant_id": "works", "input": {"seconds": 30}}
    with talk.http.stream("POST", f"/threads/{thread}/runs/stream", json=body) as answer:
        run_id = answer.headers["content-location"].rpartition("/")[2]
        talk.has_begun(thread, run_id)
        talk.start(thread, "works", input={"seconds": 0}, multitask_strategy="interrupt")
        text = "".join(answer.iter_text())
    assert "event: error" not in text
    assert text.rstrip().endswith('data: {"trail":["start"],"seconds":30}')


# --- stopped from outside --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def interrupted(talk: Talk) -> tuple[str, str]:
    thread, run_id = working(talk, 30)
    assert talk.cancel(thread, run_id).status_code == 202
    assert talk.has_ended(thread, run_id) == "interrupted"
    return thread, run_id


def test_a_cancelled_thread_keeps_what_was_done(talk: Talk, interrupted: tuple[str, str]) -> None:
    shown = talk.shown(interrupted[0])
    assert shown["values"]["trail"] == ["a", "b", "c", "start"]
    assert (shown["status"], shown["interrupts"]) == ("interrupted", {})


def test_a_cancelled_thread_says_who_did_it(talk: Talk, interrupted: tuple[str, str]) -> None:
    assert talk.shown(interrupted[0])["error"] == {
        "error": "UserInterrupt",
        "message": "interrupt requested via POST /threads/{thread_id}/runs/{run_id}/cancel",
    }


def test_joining_a_cancelled_run_gives_what_was_done(talk: Talk, interrupted: tuple[str, str]) -> None:
    thread, run_id = interrupted
    assert talk.http.get(f"/threads/{thread}/runs/{run_id}/join").json()["trail"] == ["a", "b", "c", "start"]


def test_the_state_of_a_cancelled_thread_is_where_it_stopped(talk: Talk, interrupted: tuple[str, str]) -> None:
    assert talk.http.get(f"/threads/{interrupted[0]}/state").json()["next"] == ["work"]


def test_a_run_is_cancelled_once(talk: Talk, interrupted: tuple[str, str]) -> None:
    answer = talk.cancel(*interrupted)
    assert (answer.status_code, answer.json()) == (404, {"detail": NONE_MATCH})


def test_a_cancelled_thread_goes_on(talk: Talk) -> None:
    thread, run_id = working(talk, 3)
    talk.cancel(thread, run_id, wait=True)
    assert talk.wait(thread, "works", input=None)["trail"] == ["a", "b", "c", "start", "work", "stop"]


def test_cancel_answers_at_once_with_nothing(talk: Talk) -> None:
    thread, run_id = working(talk, 30)
    answer = talk.cancel(thread, run_id)
    assert (answer.status_code, answer.content) == (202, b"")
    talk.has_ended(thread, run_id)


@pytest.mark.parametrize(("action", "status"), [("interrupt", "interrupted"), ("rollback", None)])
def test_cancel_waits_when_asked(talk: Talk, action: str, status: str | None) -> None:
    thread, run_id = working(talk, 30)
    answer = talk.cancel(thread, run_id, wait=True, action=action)
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["content-location"] == f"/threads/{thread}/runs/{run_id}"
    assert answer.headers["location"] == f"/threads/{thread}/runs/{run_id}/join"
    assert talk.status(thread, run_id) == status


def test_a_rolled_back_run_was_never_there(talk: Talk) -> None:
    thread = talk.thread()
    talk.wait(thread, "steps", input={"note": "x"})
    before = [state["checkpoint_id"] for state in talk.history(thread)]
    run_id = talk.start(thread, "works", input={"seconds": 30})["run_id"]
    talk.has_begun(thread, run_id)
    talk.cancel(thread, run_id, wait=True, action="rollback")
    assert [state["checkpoint_id"] for state in talk.history(thread)] == before
    assert talk.shown(thread)["values"]["trail"] == ["a", "b", "c"]
    assert talk.shown(thread)["status"] == "idle"


@pytest.mark.parametrize(("action", "status"), [("interrupt", "interrupted"), ("rollback", None)])
def test_a_waiting_run_never_starts_when_cancelled(talk: Talk, action: str, status: str | None) -> None:
    thread, first = working(talk, 0.8)
    second = talk.start(thread, "works", input={})["run_id"]
    assert talk.cancel(thread, second, action=action).status_code == 202
    assert talk.status(thread, second) == status
    assert talk.has_ended(thread, first) == "success"
    assert talk.shown(thread)["values"]["trail"] == ["a", "b", "c", "start", "work", "stop"]


def test_cancelling_what_is_not_there_is_404(talk: Talk) -> None:
    answer = talk.cancel(talk.thread(), MISSING)
    assert (answer.status_code, answer.json()) == (404, {"detail": NONE_FOUND})


@pytest.mark.parametrize(
    ("thread", "run_id", "detail"),
    [(MISSING, "x", "Invalid run ID: must be a UUID"), ("x", MISSING, "Invalid thread ID: must be a UUID")],
)
def test_ids_are_checked_before_cancelling(talk: Talk, thread: str, run_id: str, detail: str) -> None:
    answer = talk.cancel(thread, run_id)
    assert (answer.status_code, answer.json()) == (422, {"detail": detail})


def test_a_deleted_run_stops(talk: Talk) -> None:
    thread, run_id = working(talk, 30)
    assert talk.http.delete(f"/threads/{thread}/runs/{run_id}").status_code == 204
    assert talk.status(thread, run_id) is None


# --- several at once -------------------------------------------------------------------------------------------------


def test_runs_are_cancelled_by_their_ids(talk: Talk) -> None:
    thread, first = working(talk, 30)
    second = talk.start(thread, "works", input={})["run_id"]
    answer = talk.http.post("/runs/cancel", json={"thread_id": thread, "run_ids": [first, second]})
    assert (answer.status_code, answer.content) == (204, b"")
    assert [talk.has_ended(thread, run_id) for run_id in (first, second)] == ["interrupted"] * 2


def test_runs_are_rolled_back_by_their_ids(talk: Talk) -> None:
    thread, run_id = working(talk, 30)
    body = {"thread_id": thread, "run_ids": [run_id]}
    assert talk.http.post("/runs/cancel", params={"action": "rollback"}, json=body).status_code == 204
    until(lambda: talk.status(thread, run_id) is None)


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"thread_id": MISSING, "run_ids": [MISSING]}, 404, NONE_FOUND),
        ({"thread_id": MISSING, "run_ids": []}, 404, NONE_FOUND),
        ({"thread_id": "x", "run_ids": ["y"]}, 422, "Invalid thread ID: must be a UUID"),
        (
            {},
            422,
            "{} is not valid under any of the schemas listed in the 'oneOf' keyword\n\n"
            'Failed validating "oneOf" in schema\n\nOn instance:\n    {}',
        ),
        (
            {"status": "foo"},
            422,
            '"foo" is not one of "pending", "running" or "all"\n\nFailed validating "enum" in '
            'schema["properties"]["status"]\n\nOn instance["status"]:\n    "foo"',
        ),
    ],
)
def test_cancelling_several_is_told_its_mistakes(talk: Talk, body: dict[str, Any], status: int, detail: str) -> None:
    answer = talk.http.post("/runs/cancel", json=body)
    assert (answer.status_code, answer.json()) == (status, {"detail": detail})


def test_cancelling_by_status_or_by_ids_but_not_both(talk: Talk) -> None:
    answer = talk.http.post("/runs/cancel", json={"status": "all", "thread_id": MISSING, "run_ids": [MISSING]})
    assert answer.status_code == 422
    assert "is valid under more than one of the schemas listed in the 'oneOf' keyword" in answer.json()["detail"]


# --- a conversation that was cut -------------------------------------------------------------------------------------


def human(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def said_by(talk: Talk, thread: str) -> list[str]:
    return [message["type"] for message in talk.shown(thread)["values"]["messages"]]


def cut_in_tool(talk: Talk) -> tuple[str, str]:
    """A conversation whose run is in a tool call."""
    thread = talk.thread()
    talk.wait(thread, "chat", input=human("hello"))
    run_id = talk.start(thread, "chat", input={**human("call the tool"), "seconds": 30})["run_id"]
    until(lambda: talk.history(thread, 1)[0]["next"] == ["tools"])
    return thread, run_id


def test_a_conversation_cut_in_a_tool_call_keeps_its_messages(talk: Talk) -> None:
    thread, run_id = cut_in_tool(talk)
    talk.cancel(thread, run_id, wait=True)
    assert said_by(talk, thread) == ["human", "ai", "human", "ai"]


def test_a_conversation_cut_in_a_tool_call_takes_the_next_message(talk: Talk) -> None:
    thread, run_id = cut_in_tool(talk)
    talk.cancel(thread, run_id, wait=True)
    given = talk.wait(thread, "chat", input=human("and now?"))
    assert given["messages"][-1]["content"] == "I see 5 messages"


def test_a_conversation_rolled_back_in_a_tool_call_has_no_open_call(talk: Talk) -> None:
    thread, run_id = cut_in_tool(talk)
    talk.cancel(thread, run_id, wait=True, action="rollback")
    assert said_by(talk, thread) == ["human", "ai"]
    given = talk.wait(thread, "chat", input=human("and now?"))
    assert given["messages"][-1]["content"] == "I see 3 messages"


def test_a_cut_tool_call_can_be_made_good(talk: Talk) -> None:
    thread, run_id = cut_in_tool(talk)
    talk.cancel(thread, run_id, wait=True)
    given = talk.wait(thread, "chat", command={"update": {"seconds": 0}})
    assert [message["type"] for message in given["messages"]] == ["human", "ai", "human", "ai", "tool", "ai"]


# --- through the SDK -------------------------------------------------------------------------------------------------


async def test_the_client_cancels(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    run = await client.runs.create(thread, "works", input={"seconds": 30})
    await client.runs.cancel(thread, run["run_id"], wait=True)
    assert (await client.runs.get(thread, run["run_id"]))["status"] == "interrupted"


async def test_the_client_cancels_many(client: LangGraphClient) -> None:
    thread = (await client.threads.create())["thread_id"]
    runs = [await client.runs.create(thread, "works", input={"seconds": 30}) for _ in range(3)]
    await client.runs.cancel_many(thread_id=thread, run_ids=[run["run_id"] for run in runs])
    for run in runs:
        await client.runs.join(thread, run["run_id"])
        assert (await client.runs.get(thread, run["run_id"]))["status"] == "interrupted"


def test_the_sync_client_rolls_back(talk: Talk, sync_client: SyncLangGraphClient) -> None:
    thread = sync_client.threads.create()["thread_id"]
    run = sync_client.runs.create(thread, "works", input={"seconds": 30})
    talk.has_begun(thread, run["run_id"])
    sync_client.runs.cancel(thread, run["run_id"], wait=True, action="rollback")
    assert sync_client.runs.list(thread) == []
