"""Shapes of `/cache`: what is in memory, who holds it, what left."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, get_args

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

from llm.cache import Phase
from llm.leasing.holders import Cached, Cleared
from server.wire.device import gigabytes
from state.errors import NotFound
from state.models import MODEL_NAME, Strategy
from state.resources import Held, Reading

ModelKey = Annotated[
    str,
    Path(
        pattern=f"{MODEL_NAME[:-1]}(:(standard|optimized|streaming))?$",
        description="name in the catalogue, every strategy of it; or one: `name:strategy`",
        examples=["demo", "demo:standard"],
    ),
]


class LeaseHolder(BaseModel):
    """Who uses a model now. Ids are null where what asks is no run: `what` tells it then."""

    run_id: str | None = Field(description="of a request to the lab its execution_id, too")
    thread_id: str | None
    graph: str | None
    node: str | None
    what: str = Field(examples=["a model call"])
    since: str = Field(description="ISO 8601, UTC")


class CachedModel(BaseModel):
    """A model in memory, or on its way in or out."""

    model_config = ConfigDict(protected_namespaces=())

    model_key: str
    strategy: Strategy
    status: Phase
    size_bytes: int = Field(description="weights and buffers")
    kv_bytes: int = Field(description="keys and values that its engine may hold now, used or not")
    total_bytes: int
    size_gb: float = Field(description="`total_bytes` in units of 10^9 bytes")
    leases: int
    holders: list[LeaseHolder]
    hits: int = Field(description="calls that found it in memory, since it was loaded")
    pinned: bool = Field(description="it makes room for nobody")
    last_used_at: str | None = Field(description="ISO 8601, UTC; null while it is being loaded")
    idle_for_sec: float
    expires_in_sec: float | None = Field(description="null while in use, or where it stays until its room is needed")


class CacheStatus(BaseModel):
    """What is in memory, what room is left, and how calls have fared since the start."""

    models: list[CachedModel]
    total_bytes: int
    budget_bytes: int
    free_bytes: int = Field(description="of the budget")
    gpu_memory_used_gb: float = Field(description="of all GPUs, by whomever; 0 without one")
    hits: int = Field(description="calls that found their model in memory")
    misses: int = Field(description="loads; callers who wait for the same load count once")
    hit_rate: float | None = Field(description="hits of hits and misses; null before the first call")
    evictions: int = Field(description="models that left because their room was needed")
    failures: int = Field(description="loads that failed")
    waiting: int = Field(description="callers who wait for a model now")


class UnloadedModel(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    model_key: str
    strategy: Strategy
    size_bytes: int


class KeptModel(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    model_key: str
    strategy: Strategy
    why: str = Field(examples=["pinned", "it is being loaded"])
    holders: list[LeaseHolder]


class CacheCleared(BaseModel):
    """What left the memory, and what stayed and why."""

    cleared: int
    models: list[UnloadedModel]
    freed_bytes: int
    kept: list[KeptModel]


class InUseProblem(BaseModel):
    """Problem details of a model that cannot leave; `holders` is empty while it is being loaded."""

    type: str = "about:blank"
    title: str = "Conflict"
    status: int = 409
    detail: str
    execution_id: str
    holders: list[LeaseHolder] = []


class CacheUnloaded(BaseModel):
    """What left the memory."""

    unloaded: int
    models: list[UnloadedModel]
    freed_bytes: int


def read_key(key: str) -> tuple[str, Strategy | None]:
    """Model and strategy of a `ModelKey`; None: every strategy."""
    name, _, strategy = key.partition(":")
    return name, next((known for known in get_args(Strategy) if known == strategy), None)


def cache_view(reading: Reading, cached: Sequence[Cached], now: datetime) -> CacheStatus:
    asked = reading.hits + reading.loads
    return CacheStatus(
        models=[cached_view(one, now) for one in cached],
        total_bytes=reading.used_bytes,
        budget_bytes=reading.budget_bytes,
        free_bytes=reading.budget_bytes - reading.used_bytes,
        gpu_memory_used_gb=gigabytes(reading.vram_total_bytes - reading.vram_free_bytes),
        hits=reading.hits,
        misses=reading.loads,
        hit_rate=round(reading.hits / asked, 4) if asked else None,
        evictions=reading.evictions,
        failures=reading.failures,
        waiting=reading.waiting,
    )


def cached_view(one: Cached, now: datetime) -> CachedModel:
    model = one.resident
    used = now - timedelta(seconds=one.unused_sec) if one.phase is not Phase.LOADING else None
    return CachedModel(
        model_key=model.name,
        strategy=one.strategy,
        status=one.phase,
        size_bytes=model.size_bytes,
        kv_bytes=model.kv_bytes,
        total_bytes=model.total_bytes,
        size_gb=gigabytes(model.total_bytes),
        leases=len(one.held),
        holders=holders_view(one.held, now),
        hits=one.hits,
        pinned=model.pinned,
        last_used_at=None if used is None else used.isoformat(),
        idle_for_sec=round(model.idle_for_sec, 3),
        expires_in_sec=None if model.expires_in_sec is None else round(model.expires_in_sec, 3),
    )


def holders_view(held: Sequence[Held], now: datetime) -> list[LeaseHolder]:
    """Who has held longest comes first."""
    return [
        LeaseHolder(**vars(one.holder), since=(now - timedelta(seconds=one.seconds)).isoformat())
        for one in sorted(held, key=lambda one: -one.seconds)
    ]


def cleared_view(cleared: Cleared, now: datetime) -> CacheCleared:
    return CacheCleared(
        cleared=len(cleared.gone),
        models=_unloaded(cleared.gone),
        freed_bytes=_bytes(cleared.gone),
        kept=[
            KeptModel(
                model_key=one.resident.name,
                strategy=one.strategy,
                why=one.stays or "",
                holders=holders_view(one.held, now),
            )
            for one in cleared.kept
        ],
    )


def unloaded_view(key: str, gone: Sequence[Cached]) -> CacheUnloaded:
    """Raises NotFound where nothing was in memory."""
    if not gone:
        raise NotFound(f"{key} is not in memory; GET /cache lists what is")
    return CacheUnloaded(unloaded=len(gone), models=_unloaded(gone), freed_bytes=_bytes(gone))


def _unloaded(gone: Sequence[Cached]) -> list[UnloadedModel]:
    return [
        UnloadedModel(model_key=one.resident.name, strategy=one.strategy, size_bytes=one.resident.total_bytes)
        for one in gone
    ]


def _bytes(gone: Sequence[Cached]) -> int:
    return sum(one.resident.total_bytes for one in gone)
