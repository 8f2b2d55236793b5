"""Meters and readings as Prometheus' text format. The names are listed in deploy/grafana and deploy/prometheus, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from prometheus_client import GCCollector, PlatformCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from server.db.telemetry import InFlight
from server.messages.figures import BOUNDS_SEC, Figures
from server.telemetry.meters import Telemetry
from server.telemetry.names import printable
from server.telemetry.readings import Machine, Readings, Stored
from state.resources import Reading

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"

ONE_FOR_ALL = "; of all processes together: take one, not the sum"


@dataclass(frozen=True)
class Slots:
    """Runs that this server and the workers that it started take at once, and how many of these run now."""

    most: int
    active: int


def exposition(telemetry: Telemetry, readings: Readings, messages: Figures, slots: Slots | None) -> bytes:
    """The whole scrape."""
    return text_of(telemetry.registry, families_of(telemetry, readings, messages, slots))


def families_of(telemetry: Telemetry, readings: Readings, messages: Figures, slots: Slots | None) -> Sequence[Metric]:
    """All that the registry does not hold. Of the event loop: what counts there may not change meanwhile.

    `slots` None: this process is no server.
    """
    stored = readings.stored
    return (
        *_own_build(),
        *telemetry.requests.families(),
        *(_agent_server(stored.in_flight, slots) if stored is not None and slots is not None else ()),
        *_messages(messages),
        *_models(readings.machine.models),
        *_machine(readings.machine),
        *_pool(readings.pool),
        *_database(stored),
    )


def text_of(registry: CollectorRegistry, families: Sequence[Metric]) -> bytes:
    """In any thread; a fifth of a second where every name is taken."""
    return generate_latest(_Told((*families, *_without_created(registry))))


class _Told(Collector):
    """Families that were made already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _without_created(registry: CollectorRegistry) -> Iterator[Metric]:
    """Without the time at which each series began: the library leaves them out for all registries or for none."""
    for family in registry.collect():
        family.samples = [sample for sample in family.samples if not sample.name.endswith("_created")]
        yield family


def _own_build() -> Iterator[Metric]:
    build = InfoMetricFamily("lab_build", "What is running")
    build.add_metric((), {"version": version("agent-lab"), "langgraph": version("langgraph")})
    yield build
    own = CollectorRegistry()
    PlatformCollector(own)
    GCCollector(own)
    yield from own.collect()


def _agent_server(in_flight: InFlight, slots: Slots) -> Iterator[Metric]:
    for name, purpose, value in (
        ("lg_api_num_pending_runs", "Runs that wait" + ONE_FOR_ALL, in_flight.pending + in_flight.delayed),
        ("lg_api_num_running_runs", "Runs at work" + ONE_FOR_ALL, in_flight.running),
        ("lg_api_workers_max", "Runs that this server takes at once", slots.most),
        ("lg_api_workers_active", "Of these, at work", slots.active),
        ("lg_api_workers_available", "Of these, free", slots.most - slots.active),
    ):
        yield GaugeMetricFamily(name, purpose, value)


def _messages(figures: Figures) -> Iterator[Metric]:
    for name, purpose, counts in (
        ("sent", "Messages that agents sent, by sender", figures.sent),
        ("received", "Messages that were handed over, by receiver", figures.received),
        ("refused", "Messages that a full queue refused, by receiver", figures.refused),
    ):
        yield _by_agent(CounterMetricFamily(f"lab_messages_{name}", purpose, labels=("agent",)), counts)
    buckets, count = [], 0
    for bound, within in zip((*map(str, BOUNDS_SEC), "+Inf"), figures.within, strict=True):
        count += within
        buckets.append((bound, float(count)))
    yield HistogramMetricFamily(
        "lab_messages_delivery_seconds",
        "Time from sending a message to handing it over, in seconds",
        buckets=buckets,
        sum_value=figures.total_sec,
    )


def _by_agent(
    family: CounterMetricFamily | GaugeMetricFamily, counts: Mapping[str, float]
) -> CounterMetricFamily | GaugeMetricFamily:
    for agent, count in sorted(counts.items()):
        family.add_metric((printable(agent),), count)
    return family


def _models(reading: Reading) -> Iterator[Metric]:
    for name, purpose, count in (
        ("lab_model_hits", "Leases of models that were in memory already", reading.hits),
        ("lab_model_evictions", "Models that left because their room was needed", reading.evictions),
        ("lab_model_load_failures", "Loads of models that failed", reading.failures),
    ):
        yield CounterMetricFamily(name, purpose, count)
    yield SummaryMetricFamily(
        "lab_model_load_seconds", "Loads of models, and the time they took", reading.loads, reading.load_sec
    )
    yield GaugeMetricFamily("lab_models_budget_bytes", "What models may take of the memory", reading.budget_bytes)
    yield GaugeMetricFamily("lab_models_waiting", "Callers that wait for a model", reading.waiting)
    held = GaugeMetricFamily(
        "lab_model_bytes",
        "Memory that a model holds: weights, kv (keys and values)",
        labels=("model", "strategy", "part"),
    )
    leases = GaugeMetricFamily("lab_model_leases", "Calls that hold a model now", labels=("model", "strategy"))
    for one in reading.resident:
        held.add_metric((one.name, one.strategy, "weights"), one.size_bytes)
        held.add_metric((one.name, one.strategy, "kv"), one.kv_bytes)
        leases.add_metric((one.name, one.strategy), one.leases)
    yield held
    yield leases
    total = GaugeMetricFamily("lab_device_memory_total_bytes", "Memory that there is: ram, vram", labels=("memory",))
    free = GaugeMetricFamily("lab_device_memory_free_bytes", "Memory that is free: ram, vram", labels=("memory",))
    for memory, most, left in (
        ("ram", reading.ram_total_bytes, reading.ram_free_bytes),
        ("vram", reading.vram_total_bytes, reading.vram_free_bytes),
    ):
        if most:
            total.add_metric((memory,), most)
            free.add_metric((memory,), left)
    yield total
    yield free


def _machine(machine: Machine) -> Iterator[Metric]:
    process, disk = machine.process, machine.disk
    yield CounterMetricFamily(
        "process_cpu_seconds", "Total user and system CPU time spent in seconds.", process.cpu_seconds
    )
    for name, purpose, value in (
        ("process_virtual_memory_bytes", "Virtual memory size in bytes.", process.virtual),
        ("process_resident_memory_bytes", "Resident memory size in bytes.", process.resident),
        ("process_start_time_seconds", "Start time since the Unix epoch in seconds.", process.started_at),
        ("process_open_fds", "Number of open file descriptors.", process.open_files),
        ("process_threads", "Number of threads.", process.threads),
        ("lab_cpus", "Processors of the machine", machine.cpus),
        ("lab_load_1m", "Processes that wanted to run, over the last minute", machine.load[0]),
        ("lab_disk_total_bytes", "The disk that the data directory is on", disk.total),
        ("lab_disk_free_bytes", "Of it, free", disk.free),
    ):
        yield GaugeMetricFamily(name, purpose, value)


def _pool(pool: Mapping[str, int]) -> Iterator[Metric]:
    size, idle = pool.get("pool_size", 0), pool.get("pool_available", 0)
    held = GaugeMetricFamily("lab_database_connections", "Pooled connections: busy, idle", labels=("state",))
    held.add_metric(("busy",), size - idle)
    held.add_metric(("idle",), idle)
    yield held
    yield GaugeMetricFamily(
        "lab_database_waiting", "Callers that wait for a connection", pool.get("requests_waiting", 0)
    )
    yield CounterMetricFamily(
        "lab_database_wait_seconds", "Time that callers waited for connections", pool.get("requests_wait_ms", 0) / 1_000
    )


def _database(stored: Stored | None) -> Iterator[Metric]:
    yield GaugeMetricFamily("lab_database_up", "Whether Postgres answers", int(stored is not None))
    if stored is None:
        return
    in_flight = stored.in_flight
    runs = GaugeMetricFamily(
        "lab_runs",
        "Runs that have not ended: running, pending (due), claimable (of these, only waiting for a worker), delayed"
        + ONE_FOR_ALL,
        labels=("state",),
    )
    for state in ("running", "pending", "claimable", "delayed"):
        runs.add_metric((state,), getattr(in_flight, state))
    yield runs
    yield GaugeMetricFamily(
        "lab_run_queue_oldest_seconds",
        "How long the run has waited that waits longest only for a worker; 0: none does" + ONE_FOR_ALL,
        in_flight.longest_claimable or 0.0,
    )
    yield GaugeMetricFamily(
        "lab_workers", "Processes that run runs, or could: those that say that they live" + ONE_FOR_ALL, stored.workers
    )
    agents = GaugeMetricFamily("lab_agents", "Registered agents, by status" + ONE_FOR_ALL, labels=("status",))
    for status in ("idle", "busy", "offline", "inactive"):
        agents.add_metric((status,), stored.agents.get(status, 0))
    yield agents
    yield _by_agent(
        GaugeMetricFamily(
            "lab_messages_waiting",
            "Messages that wait for an agent: the longest queues" + ONE_FOR_ALL,
            labels=("agent",),
        ),
        stored.waiting_messages,
    )
