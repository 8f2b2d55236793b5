"""`/cache`: models in memory, who holds them, and orders to let them go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from llm.cache import Phase
from llm.leasing.holders import Cached
from llm.manager import ModelManager
from server.deps import CurrentLab
from server.errors import problem
from server.routes.slashes import with_slashes
from server.telemetry.access import execution_id
from server.wire.cache import (
    CacheCleared,
    CacheStatus,
    CacheUnloaded,
    ModelKey,
    cache_view,
    cleared_view,
    holders_view,
    read_key,
    unloaded_view,
)
from server.wire.executions import now
from server.wire.shapes.building import ref
from state.errors import BadRequest, Conflict, InUse
from state.models import Strategy

router = APIRouter(prefix="/cache", tags=["lab"])

# What reads the device or waits for the memory is a plain function, which FastAPI runs in a thread.


@router.get("")
def get_cache_status(lab: CurrentLab) -> CacheStatus:
    """Models in memory: their bytes, who holds them, when they leave; the budget; hits and misses since the start."""
    return cache_view(lab.models.reading(), lab.models.manager.cached(), now())


@router.post("/clear")
def clear_cache(lab: CurrentLab) -> CacheCleared:
    """Unload every model that is neither in use nor pinned; tells what stayed, and why."""
    return cleared_view(lab.models.manager.clear(), now())


@router.delete(
    "/{model_key}",
    response_model=CacheUnloaded,
    responses={
        409: {
            "description": "It is in use, by these holders, or being loaded",
            "content": {"application/problem+json": {"schema": ref("InUseProblem")}},
        }
    },
)
def unload_cached_model(
    model_key: ModelKey,
    request: Request,
    lab: CurrentLab,
    strategy: Annotated[Strategy | None, Query(description="left out: every strategy")] = None,
) -> object:
    """Take a model out of memory, pinned or not. 404 when it is not there, 409 with its lease holders when in use."""
    try:
        return unloaded_view(model_key, _unload(lab.models.manager, model_key, strategy))
    except InUse as used:
        return _refused(used, request)


def _unload(manager: ModelManager, key: str, strategy: Strategy | None) -> Sequence[Cached]:
    """What left. Raises NotFound, InUse, Conflict while it is being loaded, BadRequest for two strategies."""
    name, named = read_key(key)
    if named is not None and strategy not in (None, named):
        raise BadRequest(f"strategy: {key} names {named}, not {strategy}; leave one of them out")
    wanted = named or strategy
    gone = manager.unload(name, wanted)
    here = () if gone else manager.cached()
    if any(one.resident.name == name and one.phase is Phase.LOADING for one in here if wanted in (None, one.strategy)):
        raise Conflict(f"{key} is being loaded; unload it afterwards")
    return gone


def _refused(used: InUse, request: Request) -> Response:
    holders = [one.model_dump() for one in holders_view(used.held, now())]
    return problem(409, str(used), execution_id(request.scope), holders=holders)


with_slashes(router)
