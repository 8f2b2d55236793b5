"""Meters and readings as JSON: the seed's system and execution metrics, and the Agent Server's short form."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from server.db.jobs import IN_FLIGHT, JOB_STATUSES, JobStatus, job_status
from server.db.telemetry import InFlight, Standing
from server.messages.figures import Figures
from server.telemetry.exposition import Slots
from server.telemetry.meters import Telemetry
from server.telemetry.models import Totals
from server.telemetry.readings import NEWEST, Machine, Readings
from server.telemetry.requests import Requests
from server.wire import metrics as wire
from server.wire.device import gigabytes
from server.wire.figures import agents_stats, delivery_stats
from state.resources import Reading


def seed_metrics(telemetry: Telemetry, readings: Readings, messages: Figures) -> wire.Metrics:
    """`GET /api/v1/metrics`."""
    stored, machine = readings.stored, readings.machine
    uptime = time.monotonic() - telemetry.started_at
    return wire.Metrics(
        timestamp=datetime.now(UTC).isoformat(),
        version=version("agent-lab"),
        uptime_seconds=round(uptime, 3),
        system=_system(machine, telemetry.cpu.percent()),
        executions=None if stored is None else executions(stored.newest, stored.in_flight),
        cache=cache(machine.models),
        tokens=_tokens(telemetry.models.totals),
        requests=_requests(telemetry.requests),
        agents=None if stored is None else wire.AgentMetrics(**agents_stats(stored.agents)),
        messages=wire.MessageMetrics(**delivery_stats(messages, uptime)),
        database=wire.DatabaseMetrics(
            up=stored is not None,
            latency_seconds=None if stored is None else round(stored.seconds, 6),
            workers=None if stored is None else stored.workers,
        ),
    )


def executions(newest: Sequence[Standing], in_flight: InFlight) -> wire.NewestExecutions:
    """How many of the newest stand how and how long those that completed took; and the queue."""
    counts: Counter[JobStatus] = Counter(dict.fromkeys(JOB_STATUSES, 0))
    for each in newest:
        counts[job_status(each.status, each.waits)] += each.count
    completed = [each for each in newest if job_status(each.status, each.waits) == "COMPLETED"]
    return wire.NewestExecutions(
        of_newest=NEWEST,
        total=counts.total(),
        by_status=dict(counts),
        active=sum(counts[status] for status in IN_FLIGHT),
        success_rate=_share(counts["COMPLETED"], counts["COMPLETED"] + counts["FAILED"]),
        mean_seconds=_mean([(each.count, each.mean_seconds) for each in completed]),
        mean_wait_seconds=_mean([(each.count, each.mean_waited) for each in newest]),
        queue=wire.QueueMetrics(
            running=in_flight.running,
            pending=in_flight.pending,
            delayed=in_flight.delayed,
            longest_wait_seconds=in_flight.longest,
        ),
    )


def short_form(requests: Requests, in_flight: InFlight, slots: Slots) -> dict[str, Any]:
    """`GET /metrics?format=json`, as the Agent Server has it."""
    return {
        "queue": {
            "n_pending": in_flight.pending + in_flight.delayed,
            "pending_runs_wait_time_max_secs": in_flight.longest,
            "pending_runs_wait_time_med_secs": in_flight.median,
            "pending_unblocked_runs_wait_time_max_secs": in_flight.longest_claimable,
            "n_running": in_flight.running,
        },
        "api": {
            "http_requests_total": [
                {"method": method, "path": path, "status": status, "count": count}
                for (method, path, status), count in requests.answered.items()
            ]
        },
        "workers": {"max": slots.most, "active": slots.active, "available": slots.most - slots.active},
    }


def cache(reading: Reading) -> wire.CacheMetrics:
    """A miss is a load."""
    return wire.CacheMetrics(
        hits=reading.hits,
        misses=reading.loads,
        hit_rate=_share(reading.hits, reading.hits + reading.loads),
        load_time_sec=round(reading.load_sec / reading.loads, 3) if reading.loads else None,
        evictions=reading.evictions,
        failures=reading.failures,
        waiting=reading.waiting,
        budget_bytes=reading.budget_bytes,
        used_bytes=reading.used_bytes,
        resident=[
            wire.ResidentModel(
                model_name=one.name,
                strategy=one.strategy,
                size_bytes=one.size_bytes,
                kv_bytes=one.kv_bytes,
                leases=one.leases,
                idle_seconds=round(one.idle_for_sec, 3),
            )
            for one in reading.resident
        ],
    )


def _system(machine: Machine, cpu_percent: float) -> wire.SystemMetrics:
    models, process, disk = machine.models, machine.process, machine.disk
    return wire.SystemMetrics(
        cpu=wire.CpuMetrics(percent=cpu_percent, count=machine.cpus, load_1m=round(machine.load[0], 2)),
        memory=_room(models.ram_total_bytes, models.ram_free_bytes),
        device=wire.DeviceMetrics(
            name=models.device,
            memory_total_bytes=models.vram_total_bytes,
            memory_free_bytes=models.vram_free_bytes,
        ),
        gpu_memory_used_gb=gigabytes(models.vram_total_bytes - models.vram_free_bytes),
        disk=_room(disk.total, disk.free),
        process=wire.ProcessMetrics(
            resident_bytes=process.resident,
            cpu_seconds=round(process.cpu_seconds, 2),
            threads=process.threads,
            open_files=process.open_files,
        ),
    )


def _room(total: int, free: int) -> wire.MemoryMetrics:
    percent = round(100 * (total - free) / total, 1) if total else None
    return wire.MemoryMetrics(total_bytes=total, free_bytes=free, percent=percent)


def _tokens(totals: Totals) -> wire.TokenMetrics:
    seconds = totals.inference_sec
    return wire.TokenMetrics(
        calls=totals.calls,
        prompt_tokens=totals.prompt_tokens,
        prompt_tokens_reused=totals.reused_tokens,
        tokens_generated=totals.generated_tokens,
        inference_time_sec=round(seconds, 3),
        tokens_per_sec=round(totals.generated_tokens / seconds, 1) if seconds else None,
    )


def _requests(requests: Requests) -> wire.RequestMetrics:
    answered = requests.answered.total()
    return wire.RequestMetrics(
        total=answered,
        failed=sum(count for (_, _, status), count in requests.answered.items() if status >= 500),
        mean_seconds=round(sum(requests.total_ms.values()) / answered / 1_000, 6) if answered else None,
    )


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _mean(told: Sequence[tuple[int, float | None]]) -> float | None:
    """Of means that so many each are behind."""
    known = [(count, mean) for count, mean in told if mean is not None]
    whole = sum(count for count, _ in known)
    return round(sum(count * mean for count, mean in known) / whole, 6) if whole else None
