"""`GET /api/v1/metrics`: the seed's system and execution metrics."""

from __future__ import annotations

from pydantic import BaseModel, Field

from server.db.jobs import JobStatus
from state.resources import Device


class CpuMetrics(BaseModel):
    percent: float = Field(description="busy since these were asked for last, of all processors together")
    count: int
    load_1m: float = Field(description="processes that wanted to run, over the last minute")


class MemoryMetrics(BaseModel):
    total_bytes: int
    free_bytes: int
    percent: float | None = Field(description="taken")


class DeviceMetrics(BaseModel):
    name: Device = Field(description="where models run")
    memory_total_bytes: int = Field(description="of the GPUs; 0 without one")
    memory_free_bytes: int


class ProcessMetrics(BaseModel):
    resident_bytes: int
    cpu_seconds: float
    threads: int
    open_files: int


class SystemMetrics(BaseModel):
    cpu: CpuMetrics
    memory: MemoryMetrics
    device: DeviceMetrics
    gpu_memory_used_gb: float
    disk: MemoryMetrics = Field(description="that the data directory is on")
    process: ProcessMetrics


class QueueMetrics(BaseModel):
    """Runs of all processes that have not ended."""

    running: int
    pending: int = Field(description="due, and behind others of their thread or waiting for a worker")
    delayed: int = Field(description="not yet due")
    longest_wait_seconds: float | None = Field(description="null: none waits")


class NewestExecutions(BaseModel):
    """Of the newest `of_newest` executions, whichever process ran them."""

    of_newest: int
    total: int
    by_status: dict[JobStatus, int]
    active: int = Field(description="of these, pending or running")
    success_rate: float | None = Field(description="0 to 1, of those that completed or failed; null: none did")
    mean_seconds: float | None = Field(description="that those which completed took")
    mean_wait_seconds: float | None = Field(description="until they began")
    queue: QueueMetrics


class ResidentModel(BaseModel):
    model_name: str
    strategy: str
    size_bytes: int
    kv_bytes: int
    leases: int
    idle_seconds: float


class CacheMetrics(BaseModel):
    """The models of this process, since its start."""

    hits: int = Field(description="calls that found their model in memory")
    misses: int = Field(description="loads")
    hit_rate: float | None = Field(description="0 to 1; null: nothing was asked for")
    load_time_sec: float | None = Field(description="mean of the loads; null: there was none")
    evictions: int
    failures: int = Field(description="loads that failed")
    waiting: int = Field(description="callers that wait for a model now")
    budget_bytes: int
    used_bytes: int
    resident: list[ResidentModel]


class TokenMetrics(BaseModel):
    """Of model calls within runs of this process, since its start."""

    calls: int
    prompt_tokens: int
    prompt_tokens_reused: int
    tokens_generated: int
    inference_time_sec: float
    tokens_per_sec: float | None


class RequestMetrics(BaseModel):
    """Of this process since its start."""

    total: int
    failed: int = Field(description="answered 500 or more")
    mean_seconds: float | None


class AgentMetrics(BaseModel):
    total: int
    by_status: dict[str, int]


class MessageMetrics(BaseModel):
    """What agents sent each other through this process, since its start."""

    sent: int
    received: int
    refused: int = Field(description="by a full queue")
    sent_per_second: float
    delivery_mean_seconds: float | None
    delivery_p50_seconds: float | None
    delivery_p95_seconds: float | None


class DatabaseMetrics(BaseModel):
    up: bool
    latency_seconds: float | None = Field(description="that these figures took there")
    workers: int | None = Field(description="processes that run runs")


class Metrics(BaseModel):
    """`executions` and `agents` are null while Postgres does not answer."""

    timestamp: str
    version: str
    uptime_seconds: float
    system: SystemMetrics
    executions: NewestExecutions | None
    cache: CacheMetrics
    tokens: TokenMetrics
    requests: RequestMetrics
    agents: AgentMetrics | None
    messages: MessageMetrics
    database: DatabaseMetrics
