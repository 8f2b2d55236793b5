"""Jobs of crews and executions of flows on the wire: what asks for them, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from server.db.jobs import JOB_STATUSES, Job, JobStatus
from server.job_requests import MARKS, Asked
from server.run_queue.endings import CANCELLED
from server.run_request import MAX_PROMPT_CHARS
from server.wire.assistants import stamp
from server.wire.progress import Progress
from server.wire.values import encode
from state.agents import AgentId
from state.crew_run import CrewContext
from state.errors import BadRequest

MAX_METADATA_BYTES = 65_536
BY_A_CLIENT = "cancelled by a client"
Text = Annotated[str, Field(max_length=MAX_PROMPT_CHARS)]


def _small(value: dict[str, Any]) -> dict[str, Any]:
    """Each list of jobs tells the metadata of each."""
    if (size := len(encode(value))) > MAX_METADATA_BYTES:
        raise ValueError(f"{size} bytes of JSON; at most {MAX_METADATA_BYTES} are kept with a job")
    return value


Metadata = Annotated[dict[str, Any], AfterValidator(_small)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CrewSettings(CrewContext):
    """Settings of one execution; what an agent's own config says goes before them."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Execute(_Body):
    input_data: dict[str, Any] = Field(default_factory=dict, description="what the first step is given")
    thread_id: UUID | None = Field(None, description="go on with this thread; left out, a new one is made")
    webhook_url: str | None = Field(None, min_length=1, max_length=4_096, description="told of the end, by POST")
    metadata: Metadata = Field(default_factory=dict, description="kept with the execution and shown with it, in lists")
    context: CrewSettings = CrewSettings()
    wait: bool = Field(False, description="answer when it has ended, or asks something")

    def asked(self, **given: Any) -> Asked:
        """As what is executed takes it; `given` is the rest of its input."""
        return Asked(
            input={**given, "input_data": self.input_data},
            settings=self.context.model_dump(mode="json", exclude_unset=True),
            metadata=self.metadata,
            webhook=self.webhook_url,
            thread_id=self.thread_id,
        )


class ExecuteCrew(_Execute):
    """Which crew is asked what."""

    crew_id: str = Field(min_length=1, max_length=200)
    query: Text = Field(min_length=1)


class ExecuteFlow(_Execute):
    """Which flow is run on what."""

    flow_id: AgentId
    query: Text = Field("", description="for flows that read a text; `input_data` holds fields")


class Answer(_Body):
    """The answer to what a job asks."""

    answer: JsonValue = Field(description="any JSON but null")
    interrupt_id: str | None = Field(None, max_length=100, description="which question, where several wait")


class CleanUp(_Body):
    older_than_hours: float = Field(24.0, ge=0.0, le=1_000_000.0, allow_inf_nan=False)
    dry_run: bool = Field(False, description="delete nothing, only say what would be")


def status_of(text: str | None) -> JobStatus | None:
    """A status in any letter case. Raises BadRequest."""
    if text is None:
        return None
    for status in JOB_STATUSES:
        if status == text.strip().upper():
            return status
    raise BadRequest(f"status: there is no '{text[:50]}'; choose one of: {', '.join(JOB_STATUSES)}")


def accepted_view(job: Job) -> dict[str, Any]:
    """The answer to the making of a job: pending, also where it has begun already."""
    return {
        "job_id": str(job.job_id),
        "crew_id": job.metadata.get("crew_id"),
        "status": "PENDING",
        "thread_id": str(job.thread_id),
        "created_at": stamp(job.created_at),
        "message": f"the job is in the queue; PATCH /api/v1/crew/job?job_id={job.job_id} tells how it stands",
    }


def job_view(job: Job, progress: Progress, now: datetime) -> dict[str, Any]:
    """A job of a crew. `result` comes with its end, `agents` tells each that has had its turn so far."""
    return {
        **job_listed(job, now),
        "result": progress.result if job.status == "COMPLETED" else None,
        "agents": progress.agents,
        "interrupts": progress.interrupts if job.status == "INTERRUPTED" else [],
    }


def job_listed(job: Job, now: datetime) -> dict[str, Any]:
    """A job in a list."""
    return {
        "job_id": str(job.job_id),
        "crew_id": job.metadata.get("crew_id"),
        "status": job.status,
        "query": query_of(job),
        **_common(job, now),
        "error": _error(job),
    }


def execution_view(job: Job, progress: Progress, now: datetime) -> dict[str, Any]:
    """An execution of a flow or a crew; `node_results` by step, also while it runs."""
    result = progress.result if job.status == "COMPLETED" else None
    output = None if result is None else {name: result.get(name) for name in ("output", "results", "agent_ids")}
    return {
        **execution_listed(job, now),
        "input_data": _input(job).get("input_data") or {},
        "output_data": output,
        "node_results": progress.node_results,
        "agents": progress.agents,
        "execution_log": progress.execution_log,
        "interrupts": progress.interrupts if job.status == "INTERRUPTED" else [],
    }


def execution_listed(job: Job, now: datetime) -> dict[str, Any]:
    """An execution in a list."""
    return {
        "execution_id": str(job.job_id),
        "kind": job.graph_id,
        "flow_id": job.metadata.get("flow_id"),
        "crew_id": job.metadata.get("crew_id"),
        "status": job.status,
        "query": query_of(job),
        **_common(job, now),
        "error_message": _error(job),
    }


def query_of(job: Job) -> str:
    """What it was asked as a text; a run of the Agent Server's API may have said it in a message."""
    said = _input(job).get("query")
    return said if isinstance(said, str) else ""


def _common(job: Job, now: datetime) -> dict[str, Any]:
    return {
        "run_id": str(job.run_id),
        "thread_id": str(job.thread_id),
        "assistant_id": str(job.assistant_id) if job.assistant_id else None,
        "created_at": stamp(job.created_at),
        "started_at": stamp(job.started_at) if job.started_at else None,
        "completed_at": stamp(job.finished_at) if job.finished_at and job.status != "INTERRUPTED" else None,
        "execution_time": job.seconds(now),
        "attempt": job.attempt,
        "metadata": {key: value for key, value in job.metadata.items() if key not in MARKS},
    }


def _error(job: Job) -> str | None:
    """Of one that failed or was stopped; a run that waits or is done has none to tell."""
    if job.status == "CANCELLED":
        # The run's own words are those of the Agent Server, for whom a stop is an error and names its route.
        return BY_A_CLIENT if job.error is None or CANCELLED in job.error else job.error.removeprefix("UserInterrupt: ")
    return job.error if job.status == "FAILED" else None


def _input(job: Job) -> Mapping[str, Any]:
    return job.input if isinstance(job.input, Mapping) else {}


def now() -> datetime:
    return datetime.now(UTC)
