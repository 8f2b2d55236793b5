"""`/models`: the catalogue, what of it is here and in memory, and orders to fetch, load and unload."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from llm.models import LocalModels
from server.catalogue import add, describe, describe_all, refuse_remote, remove
from server.deps import CurrentLab
from server.pulling import pull
from server.routes.slashes import with_slashes
from server.routes.whole import run_whole, while_here
from server.streaming.sse import EVENT_STREAM, started, stream_response
from server.wire.models import LoadRequest, ModelInfo, ModelList, ModelName, NewModel, Unloaded, UnloadRequest
from server.wire.shaped import body_of, described
from server.wire.shapes.system import PULL_STREAM
from server.wire.told import events
from state.resources import Holder

router = APIRouter(tags=["lab"])

PULLED = events(PULL_STREAM, about="It is here; as events where they are accepted")
api = APIRouter(prefix="/api/v1", tags=["lab"])

# What reads files or waits for the memory is a plain function, which FastAPI runs in a thread.


@router.get("/models")
def list_models(lab: CurrentLab) -> list[ModelInfo]:
    """Every model that can be asked for."""
    return describe_all(lab.models)


@api.get("/models")
def get_models(lab: CurrentLab) -> ModelList:
    """The same, with what a request that names no model and no strategy gets."""
    models = lab.models
    return ModelList(
        models=describe_all(models), default_model=models.default_model, default_strategy=models.default_strategy
    )


@router.get("/models/{name}")
def show_model(name: ModelName, lab: CurrentLab) -> ModelInfo:
    """One model."""
    return describe(lab.models, name)


@router.put("/models/{name}", openapi_extra=described(NewModel))
def add_model(name: ModelName, body: Annotated[NewModel, Depends(body_of(NewModel))], lab: CurrentLab) -> ModelInfo:
    """Add a model of the Hugging Face hub at a pinned commit, and keep the entry. Nothing is fetched yet.

    Adding the same again changes nothing; other fields under a known name are a conflict (409).
    """
    add(lab.models, name, body)
    return describe(lab.models, name)


@router.delete("/models/{name}", status_code=204)
def remove_model(name: ModelName, lab: CurrentLab) -> None:
    """Remove an added entry, and the model from memory as soon as it answers no call. Its files stay on the disk."""
    remove(lab.models, name)


@router.post("/models/{name}/load", openapi_extra=described(LoadRequest, required=False))
async def load_model(
    name: ModelName,
    request: Request,
    lab: CurrentLab,
    body: Annotated[LoadRequest, Depends(body_of(LoadRequest, optional=True))],
) -> ModelInfo:
    """Bring a model into memory, fetching it first if need be; answers when it is there.

    A client that leaves while its model waits for its turn takes the order back, unless others wait for it, too; a
    load that has begun goes on.
    """
    return await while_here(_load(lab.models, name, body), request)


async def _load(models: LocalModels, name: str, order: LoadRequest) -> ModelInfo:
    refuse_remote(models.card(name), "load")
    manager = models.manager
    # Held, so that it cannot leave before it has its pin and its keep-alive. These block for a moment only.
    async with manager.lease(name, order.strategy, holder=Holder(f"POST /models/{name}/load")):
        if order.keep_alive is not None:
            await asyncio.to_thread(manager.load_model, name, order.strategy, order.keep_alive)
        if order.pin is not None:
            await asyncio.to_thread(manager.pin if order.pin else manager.unpin, name, order.strategy)
    return await asyncio.to_thread(describe, models, name)


@router.post("/models/{name}/unload", openapi_extra=described(UnloadRequest, required=False))
def unload_model(
    name: ModelName,
    lab: CurrentLab,
    order: Annotated[UnloadRequest, Depends(body_of(UnloadRequest, optional=True))],
) -> Unloaded:
    """Take a model out of memory, pinned or not. 503, with whose, while it answers calls; 0 when it was not there."""
    return Unloaded(unloaded=lab.models.manager.unload_model(name, order.strategy))


@router.post("/models/{name}/pull", response_model=ModelInfo, responses=PULLED)
async def pull_model(name: ModelName, request: Request, lab: CurrentLab) -> object:
    """Fetch a model's files. `Accept: text/event-stream` tells `progress` and, as the last, `result` or `error`.

    A client that leaves stops the download, unless somebody else waits for it; what has arrived is kept, and the next
    one goes on from there.
    """
    progress = pull(lab.models, name)
    if EVENT_STREAM in request.headers.get("accept", ""):
        return stream_response(await started(progress))
    return (await run_whole(progress, request)).data


with_slashes(router)
with_slashes(api)
