"""Jobs, decided from values alone: how they stand, what their streams say, what answers them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest
from pydantic import ValidationError

from server.db.jobs import JOB_STATUSES, Job, JobFigures, JobStatus, SaidFigures, job_status, runs_of_status
from server.job_requests import answer_for
from server.job_webhook import job_delivery
from server.messages.figures import Figures
from server.run_queue.endings import cancelled
from server.run_queue.shapes import Ending, Run, RunStatus
from server.streaming.frames import Frame
from server.streaming.job_events import after_of, ending_of, event_id, events_of
from server.wire.definitions import check_crew_id
from server.wire.executions import ExecuteCrew, execution_view, job_view, status_of
from server.wire.figures import delivery_stats, executions_by_name, executions_stats, messages_stats
from server.wire.progress import Progress, progress_of
from state.errors import BadRequest

RUN = UUID("01a200e0-88b7-73f6-bcbf-82f940091bd6")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
STATUSES: tuple[tuple[RunStatus, bool, JobStatus], ...] = (
    ("pending", False, "PENDING"),
    ("running", False, "RUNNING"),
    ("success", False, "COMPLETED"),
    ("success", True, "INTERRUPTED"),
    ("error", False, "FAILED"),
    ("timeout", False, "FAILED"),
    ("interrupted", False, "CANCELLED"),
)


def job(status: RunStatus = "success", **fields: Any) -> Job:
    given = {
        "job_id": RUN, "run_id": RUN, "thread_id": UUID(int=1), "graph_id": "crew", "assistant_id": UUID(int=2),
        "metadata": {"crew_id": "c", "kind": "crew", "ticket": 1}, "run_status": status, "waits": False, "error": None,
        "attempt": 1, "created_at": NOW, "started_at": NOW, "finished_at": NOW + timedelta(seconds=2),
        "input": {"query": "q", "input_data": {"a": 1}}, "webhook": None, "output": None, "next": None,
    }  # fmt: skip
    return Job(**{**given, **fields})


@pytest.mark.parametrize(("run", "waits", "expected"), STATUSES, ids=[f"{one[0]}-{one[1]}" for one in STATUSES])
def test_a_job_stands_as_its_last_run_does(run: RunStatus, waits: bool, expected: JobStatus) -> None:
    assert job_status(run, waits) == expected


@pytest.mark.parametrize("status", JOB_STATUSES)
def test_a_status_is_searched_by_the_runs_that_have_it_and_no_others(status: JobStatus) -> None:
    runs, wanted = runs_of_status(status)
    assert runs is not None
    found = {(run, waits) for run, waits, _ in STATUSES if run in runs and wanted in (None, waits)}
    assert found == {(run, waits) for run, waits, told in STATUSES if told == status}


def test_without_a_status_every_run_is_found() -> None:
    assert runs_of_status(None) == (None, None) and status_of(None) is None


@pytest.mark.parametrize("text", ["failed", " Failed ", "FAILED"])
def test_a_status_is_read_in_any_letter_case(text: str) -> None:
    assert status_of(text) == "FAILED"
    with pytest.raises(BadRequest, match="CANCELLED"):
        status_of(f"{text}!")


ONE, TWO = "a" * 32, "b" * 32


@pytest.mark.parametrize(
    ("waiting", "answer", "interrupt_id", "given"),
    [
        ([ONE], "yes", None, {ONE: "yes"}),
        ([ONE, TWO], "yes", TWO, {TWO: "yes"}),
        ([ONE], {TWO: 1}, None, {ONE: {TWO: 1}}),
        ([], False, None, False),
    ],
    ids=["one", "named", "looks-like-ids", "breakpoint"],
)
def test_an_answer_goes_to_the_question_it_answers(
    waiting: list[str], answer: Any, interrupt_id: str | None, given: Any
) -> None:
    assert answer_for(waiting, answer, interrupt_id) == given


@pytest.mark.parametrize(
    ("waiting", "answer", "interrupt_id", "told"),
    [([ONE, TWO], 1, None, ONE), ([ONE], 1, TWO, ONE), ([], 1, ONE, "none"), ([ONE], None, None, "null")],
    ids=["which", "unknown", "nothing", "null"],
)
def test_an_answer_to_nothing_is_refused(waiting: list[str], answer: Any, interrupt_id: str | None, told: str) -> None:
    with pytest.raises(BadRequest, match=told):
        answer_for(waiting, answer, interrupt_id)


def chunk(content: Any, place: str = "write:1f", kind: str = "AIMessageChunk") -> bytes:
    message = {"type": kind, "content": content, "id": "m"}
    return orjson.dumps([message, {"langgraph_checkpoint_ns": place, "langgraph_node": "model"}])


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (Frame(1, "metadata", b'{"attempt":2}'), [("attempt", {"attempt": 2})]),
        (Frame(1, "custom", b'{"event":"agent","step":"a","status":"started"}'),
         [("agent", {"step": "a", "status": "started"})]),
        (Frame(1, "custom", b'{"event":"model","model":"demo"}'), [("model", {"model": "demo"})]),
        (Frame(1, "custom", b'{"event":"decision","next":"a","reason":"why"}'),
         [("decision", {"next": "a", "reason": "why"})]),
        (Frame(1, "custom", b'{"event":["agent"]}'), [("custom", {"event": ["agent"]})]),
        (Frame(1, "custom", b"[1]"), [("custom", [1])]),
        (Frame(1, "custom|a:1", b'{"event":"agent","step":"inner"}'), []),
        (Frame(1, "messages|write:1f", chunk("hi", "write:1f|model:2e")),
         [("token", {"step": "write", "message_id": "m", "text": "hi"})]),
        (Frame(1, "messages", chunk([{"type": "text", "text": "h"}, {"type": "text", "text": "i"}, {"x": 1}])),
         [("token", {"step": "write", "message_id": "m", "text": "hi"})]),
        (Frame(1, "messages", chunk("")), []),
        (Frame(1, "messages", chunk("chosen", "decide:1")), []),
        (Frame(1, "messages", chunk("all of it", "finish:1", "ai")), []),
        (Frame(1, "messages", chunk("6", kind="tool")), []),
        (Frame(1, "messages", b'[{"type":"ai"},{}]'), []),
        (Frame(1, "values", b"{}"), []),
        (Frame(1, "end", b"null"), []),
    ],
    ids=["attempt", "turn", "model", "choice", "odd-name", "custom", "nested-turn", "nested-token", "blocks",
         "empty", "decision", "result", "tool", "no-content", "values", "end"],
)  # fmt: skip
def test_a_run_s_events_are_told_as_turns_and_tokens(frame: Frame, said: list[tuple[str, Any]]) -> None:
    assert [(name, json.loads(data)) for name, data in events_of(frame)] == said


@pytest.mark.parametrize(
    ("last", "after"),
    [
        (None, 0), ("", 0), (event_id(RUN, 7), 7), (event_id(RUN, "end"), None), (event_id(UUID(int=9), 7), 0),
        (f"{RUN}.x", 0), (f"{RUN}.٣", 0), (str(RUN), 0), (f"{RUN}.{10**40}", 2**62),
    ],
    ids=["none", "empty", "seventh", "end", "earlier-run", "word", "other-digits", "no-number", "huge"],
)  # fmt: skip
def test_a_listener_goes_on_after_the_last_event_it_names(last: str | None, after: int | None) -> None:
    assert after_of(job(), last) == after


@pytest.mark.parametrize(
    ("status", "waits", "name"),
    [("success", False, "result"), ("success", True, "interrupt"), ("error", False, "error"),
     ("interrupted", False, "error")],
    ids=["done", "asks", "failed", "cancelled"],
)  # fmt: skip
def test_the_last_event_says_how_it_ended(status: RunStatus, waits: bool, name: str) -> None:
    assert ending_of(job(status, waits=waits), {})[0] == name


OUTCOME = {
    "step": "a", "agent_id": "x", "status": "completed", "output": {"response": "hi"}, "text": "hi",
    "started_at": NOW.isoformat(), "ended_at": NOW.isoformat(), "attempts": 1,
}  # fmt: skip


def test_progress_is_what_the_state_holds_so_far() -> None:
    failed = {**OUTCOME, "step": "b", "status": "failed", "error": "no", "output": None}
    tasks = [{"interrupts": [{"id": ONE, "value": "good?"}]}, {"interrupts": []}]
    progress = progress_of({"outcomes": [OUTCOME, failed, {"step": 1}], "log": [1], "result": None}, tasks)
    assert progress.node_results == {"a": {"response": "hi"}, "b": {"status": "failed", "error": "no"}}
    assert [one["agent_id"] for one in progress.agents] == ["x", "x"] and progress.execution_log == [1]
    assert progress.interrupts == [{"id": ONE, "value": "good?"}] and progress.result is None


def test_a_result_says_what_the_steps_came_to() -> None:
    result = {"node_results": {"a": 1}, "agents": [{"step": "a"}], "execution_log": [2]}
    progress = progress_of({"result": result})
    assert (progress.node_results, progress.agents, progress.execution_log) == ({"a": 1}, [{"step": "a"}], [2])
    odd = progress_of({"result": {"node_results": 1, "agents": "x"}})
    assert (odd.node_results, odd.agents) == ({}, [])


@pytest.mark.parametrize("values", [None, 1, [], "x", {"outcomes": 1, "log": {}, "result": "no"}])
def test_a_state_that_is_none_of_a_crew_says_nothing(values: Any) -> None:
    told = progress_of(values)
    assert not any((told.node_results, told.agents, told.execution_log, told.interrupts, told.result))


def test_views_tell_a_result_at_the_end_alone_and_keep_the_server_s_marks_out() -> None:
    progress = Progress(result={"output": "o", "results": ["o"], "agent_ids": ["a"], "metadata": {}})
    done = job_view(job(), progress, NOW)
    assert (done["result"], done["execution_time"], done["metadata"]) == (progress.result, 2.0, {"ticket": 1})
    assert job_view(job("running", finished_at=None), progress, NOW)["result"] is None
    waiting = execution_view(job(waits=True), progress, NOW)
    assert (waiting["completed_at"], waiting["output_data"], waiting["input_data"]) == (None, None, {"a": 1})
    assert execution_view(job("error", error="AgentFailed: no"), progress, NOW)["error_message"] == "AgentFailed: no"
    odd = execution_view(job(input=[1], metadata={"crew_id": 7}, started_at=None, finished_at=None), progress, NOW)
    assert (odd["query"], odd["input_data"], odd["execution_time"]) == ("", {}, None)


@pytest.mark.parametrize("crew_id", ["a", "Crew 1", "équipe", "a.b-c_d:e@f", "x" * 200])
def test_a_crew_keeps_the_id_its_client_gave(crew_id: str) -> None:
    check_crew_id(crew_id)


@pytest.mark.parametrize("crew_id", ["a/b", "a\\b", "a?b", "a#b", "a%2fb", " a", "a\n", "\u202e", "..", "job", "stats"])
def test_an_id_that_cannot_stand_in_a_url_is_refused(crew_id: str) -> None:
    with pytest.raises(BadRequest, match="crew_id"):
        check_crew_id(crew_id)


@pytest.mark.parametrize(
    "body",
    [{"crew_id": "c"}, {"crew_id": "c", "query": ""}, {"crew_id": "c", "query": "q", "webhook_url": ""},
     {"crew_id": "c", "query": "q", "context": {"temperature": 9}}, {"crew_id": "c", "query": "q", "thread_id": "x"},
     {"crew_id": 1, "query": "q"}, {"crew_id": "c", "query": "q", "unknown": 1}],
    ids=["query", "empty", "webhook", "temperature", "thread", "number", "unknown"],
)  # fmt: skip
def test_a_job_that_cannot_be_is_not_asked_for(body: Any) -> None:
    with pytest.raises(ValidationError):
        ExecuteCrew.model_validate(body)


def run(**metadata: Any) -> Run:
    return Run(
        run_id=RUN, thread_id=UUID(int=1), assistant_id=UUID(int=2), graph_id="crew", status="running",
        metadata={"crew_id": "c", **metadata}, kwargs={"webhook": "http://there/", "input": {"query": "q"}},
        multitask_strategy="enqueue", created_at=NOW, updated_at=NOW, attempt=1, resumable=True, temporary=False,
        error=None,
    )  # fmt: skip


ENDED = Ending("success", "idle", output=orjson.dumps({"result": {"output": "o"}, "outcomes": [OUTCOME]}))


def test_a_job_s_webhook_is_told_the_job_and_any_other_run_s_the_run() -> None:
    told = job_delivery(run(own_thread=True), ENDED)
    assert told is not None and told[0] == "http://there/"
    body = json.loads(told[1])
    assert (body["job_id"], body["status"], body["query"], body["result"]) == (
        str(RUN),
        "COMPLETED",
        "q",
        {"output": "o"},
    )
    other = job_delivery(run(), ENDED)
    assert other is not None and json.loads(other[1])["status"] == "success"


def test_a_resumed_job_s_webhook_names_the_job_that_began() -> None:
    told = job_delivery(
        run(own_thread=True, job_id=str(UUID(int=5)), job_created_at="2025-01-01T00:00:00+00:00"), ENDED
    )
    assert told is not None
    body = json.loads(told[1])
    assert (body["job_id"], body["run_id"], body["created_at"][:4]) == (str(UUID(int=5)), str(RUN), "2025")


@pytest.mark.parametrize("odd", [1, None, "x", [], "2025"])
def test_marks_that_somebody_else_wrote_break_no_webhook(odd: Any) -> None:
    told = job_delivery(run(own_thread=odd, job_id=odd, job_created_at=odd), ENDED)
    assert told is not None and json.loads(told[1])["job_id"] == str(RUN)


def test_a_failed_job_s_webhook_says_why() -> None:
    ending = Ending("error", "error", error={"error": "AgentFailed", "message": "nobody answered"})
    told = job_delivery(run(own_thread=True), ending)
    assert told is not None
    body = json.loads(told[1])
    assert (body["status"], body["error"], body["result"]) == ("FAILED", "AgentFailed: nobody answered", None)


def test_a_job_that_was_cancelled_says_so_in_the_words_of_jobs() -> None:
    told = job_delivery(run(own_thread=True), cancelled(run(own_thread=True), None))
    assert told is not None and json.loads(told[1])["error"] == "cancelled by a client"
    assert job_view(job("interrupted", error="nobody answered"), Progress(), NOW)["error"] == "nobody answered"


def figures(name: str, status: JobStatus, count: int, p50: float | None = None) -> JobFigures:
    return JobFigures("crew", name, status, count, p50, p50, p50, NOW, count)


def test_figures_of_a_group_are_summed_and_times_are_those_of_what_completed() -> None:
    told = executions_stats([figures("a", "COMPLETED", 3, 0.5), figures("a", "FAILED", 1, 9.0)])
    assert (told["total"], told["success_rate"], told["p50_seconds"], told["ended_last_hour"]) == (4, 0.75, 0.5, 4)
    assert executions_stats([])["success_rate"] is None
    both = executions_by_name([figures("a", "COMPLETED", 3), figures("b", "RUNNING", 1), figures("a", "FAILED", 1)])
    assert {(one["crew_id"], one["total"], one["active"]) for one in both} == {("a", 4, 0), ("b", 1, 1)}


def test_messages_are_told_without_a_figure_that_nobody_knows() -> None:
    counted = Figures()
    assert delivery_stats(counted, 0.0)["delivery_p50_seconds"] is None
    counted.deliver("a", 1e9)
    told = delivery_stats(counted, 10.0)
    assert (told["sent"], told["received"], told["delivery_p50_seconds"]) == (0, 1, None)


def test_messages_are_summed_over_their_agents() -> None:
    said = [SaidFigures("a", sent=3, received=1, sent_lately=2, received_lately=1), SaidFigures("b", 1, 2, 0, 1)]
    told = messages_stats(9, said, {"a": 2, "b": 1})
    assert (told["kept"], told["waiting"]) == (9, 3)
    assert (told["last_day"], told["last_hour"]) == ({"sent": 4, "received": 3}, {"sent": 2, "received": 2})
    assert told["agents"][1] == {
        "agent_id": "b", "last_day": {"sent": 1, "received": 2}, "last_hour": {"sent": 0, "received": 1}
    }  # fmt: skip
    assert messages_stats(0, [], {})["last_day"] == {"sent": 0, "received": 0}
