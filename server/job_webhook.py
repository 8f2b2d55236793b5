"""What a client is told when its job has ended: the job as it would be shown, and not the run behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import orjson

from server.db.jobs import Delivery, Job
from server.run_queue.digest import request_of
from server.run_queue.shapes import Ending, Run
from server.run_queue.webhooks import delivery
from server.streaming.lab_stream import is_lab, questions_of
from server.wire.execution_view import Execution
from server.wire.execution_view import execution_view as lab_view
from server.wire.executions import execution_view, job_view, now
from server.wire.progress import progress_of
from server.wire.values import encode

T = TypeVar("T")


def job_delivery(run: Run, ending: Ending) -> Delivery | None:
    """Where the end of a run is told and with what body: of a job what `GET` gives, of other runs the run.

    Of an execution of the lab it is what its history says, without the nodes.
    """
    told = delivery(run, ending)
    if told is None or "own_thread" not in run.metadata:
        return told
    job = _ended(run, ending)
    if is_lab(run.kwargs):
        interrupts = questions_of(orjson.loads(ending.interrupts)) if job.waits else []
        return told[0], encode(lab_view(_execution(job, run), now(), interrupts=interrupts))
    return told[0], _body(job)


def cancelled_delivery(job: Job, error: str) -> Delivery | None:
    """The same of a job that is cancelled while no worker has it: it waits in the queue, or for an answer."""
    if job.webhook is None or "own_thread" not in job.metadata:
        return None
    return job.webhook, _body(replace(job, run_status="interrupted", waits=False, error=error, finished_at=now()))


def _body(job: Job) -> bytes:
    view = job_view if job.graph_id == "crew" else execution_view
    return encode(view(job, progress_of(job.output), now()))


def _ended(run: Run, ending: Ending) -> Job:
    """The job as its last run leaves it; one that was resumed began with another run."""
    return Job(
        job_id=_read(UUID, run.metadata.get("job_id"), run.run_id),
        run_id=run.run_id,
        thread_id=run.thread_id,
        graph_id=run.graph_id,
        assistant_id=run.assistant_id,
        metadata=run.metadata,
        run_status=ending.status,
        waits=ending.waits,
        error=None if ending.error is None else f"{ending.error['error']}: {ending.error['message']}",
        attempt=run.attempt,
        created_at=_read(datetime.fromisoformat, run.metadata.get("job_created_at"), run.created_at),
        # Of a run that runs: when its worker took it.
        started_at=run.updated_at,
        finished_at=now(),
        input=run.kwargs.get("input"),
        webhook=None,
        output=None if ending.output is None else orjson.loads(ending.output),
        next=None,
    )


def _execution(job: Job, run: Run) -> Execution:
    result = job.output.get("result") if isinstance(job.output, dict) and job.status == "COMPLETED" else None
    return Execution(
        execution_id=job.job_id,
        run_id=job.run_id,
        thread_id=job.thread_id,
        graph_id=job.graph_id,
        status=job.status,
        prompt=request_of(job.input),
        result=result if isinstance(result, dict) else None,
        settings=run.kwargs.get("context") or {},
        error=job.error if job.status == "FAILED" else None,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.finished_at,
        metadata=job.metadata,
    )


def _read(reader: Callable[[str], T], said: object, otherwise: T) -> T:
    """What a run's metadata say, which any client may have written."""
    try:
        return reader(said) if isinstance(said, str) else otherwise
    except ValueError:
        return otherwise
