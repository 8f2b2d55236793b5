"""What a webhook is told of an execution of the lab: what its history says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from langgraph.errors import NodeTimeoutError

from server.job_webhook import job_delivery
from server.run_queue.endings import failed
from server.run_queue.shapes import Ending, Run, RunStatus
from server.streaming.lab_stream import LAB
from server.wire.execute import ExecutionResult

ID = UUID("01a2018d-d627-74f1-aa09-d3b9e4d48df5")
BEGAN = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
URL = "https://hooks.example/end"


def run(**kwargs: Any) -> Run:
    asked = {"input": {"messages": [{"role": "user", "content": "hello"}]}, "context": {"seed": 1}}
    return Run(
        run_id=ID,
        thread_id=ID,
        assistant_id=ID,
        graph_id="direct",
        status="running",
        metadata={"own_thread": True, "who": "me"},
        kwargs={**asked, "stream_mode": [LAB], "webhook": URL, **kwargs},
        multitask_strategy="reject",
        created_at=BEGAN,
        updated_at=BEGAN,
        attempt=1,
        resumable=True,
        temporary=False,
        error=None,
    )


def told(status: RunStatus, **how: Any) -> dict[str, Any]:
    sent = job_delivery(run(), Ending(status, how.pop("thread_status", "idle"), **how))
    assert sent is not None and sent[0] == URL
    body: dict[str, Any] = orjson.loads(sent[1])
    ExecutionResult.model_validate(body)
    assert (body["execution_id"], body["prompt"], body["metadata"]) == (str(ID), "hello", {"who": "me"})
    return body


def test_the_end_is_told_as_an_execution_result() -> None:
    body = told("success", output=orjson.dumps({"result": {"output": "hi", "attempts": 1}}))
    assert (body["status"], body["output"], body["execution_type"]) == ("COMPLETED", "hi", "simple")


@pytest.mark.parametrize("status", ["error", "timeout"])
def test_a_failure_is_told_with_its_error(status: RunStatus) -> None:
    body = told(status, thread_status="error", error={"error": "TimedOut", "message": "too late"})
    assert (body["status"], body["output"], body["error"]) == ("FAILED", None, "TimedOut: too late")


def test_a_question_is_told_with_its_id() -> None:
    asked = {"task": [{"id": "7", "value": {"about": "score"}}]}
    body = told("success", thread_status="interrupted", interrupts=orjson.dumps(asked))
    assert (body["status"], body["interrupts"]) == ("INTERRUPTED", [{"interrupt_id": "7", "value": {"about": "score"}}])


def test_nothing_is_told_where_nobody_asked_for_it() -> None:
    assert job_delivery(run(webhook=None), Ending("success", "idle")) is None


def test_a_node_that_took_too_long_is_named_and_how_to_give_it_more_time_but_not_on_the_agent_server_s_routes() -> None:
    late = NodeTimeoutError("answer", 2.1, kind="run", run_timeout=2.0)
    told = failed(run(), late, None)
    assert (told.status, told.error and told.error["error"]) == ("timeout", "TimedOut")
    assert told.error and told.error["message"].startswith("answer took longer than 2 s; raise LAB_REQUEST_TIMEOUT")
    elsewhere = failed(run(stream_mode=["values"]), late, None)
    assert elsewhere.status == "timeout"
    assert elsewhere.error == {"error": "NodeTimeoutError", "message": "An internal error occurred"}
