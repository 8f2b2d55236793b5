"""`/assistants`: graphs with a configuration under an id, their versions, drawings and schemas.

Where an id is taken, a graph's name is too: it means the graph's system assistant.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Annotated, Any, TypeVar, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel

from server import graph_views
from server.db.assistant_shapes import Assistant
from server.deps import CurrentLab, CurrentTenant
from server.wire import assistants as wire
from server.wire.answers import answer, page_of
from server.wire.assistants import assistant_json, version_json
from server.wire.body import json_body
from server.wire.ids import uuid_of
from server.wire.shapes.assistants import SUBGRAPHS
from server.wire.shapes.building import COUNT, listed
from server.wire.told import PAGED, Responses, told
from state.errors import Malformed, NotFound

router = APIRouter(prefix="/assistants", tags=["Assistants"])

_Route = TypeVar("_Route", bound=Callable[..., Awaitable[Response]])


def _reads(path: str, answers: Responses) -> Callable[[_Route], _Route]:
    """GET, and HEAD like it; /openapi.json lists the first alone."""

    def add(route: _Route) -> _Route:
        router.head(path, include_in_schema=False)(route)
        return router.get(path, responses=answers)(route)

    return add


def _named(assistant_id: str, lab: CurrentLab) -> UUID:
    return lab.assistants.named(assistant_id) or uuid_of("assistant", assistant_id)


Named = Annotated[UUID, Depends(_named)]


async def _kept(assistant_id: Named, lab: CurrentLab, tenant: CurrentTenant) -> Assistant:
    found = await lab.assistants.get(tenant, assistant_id)
    if found is None:
        raise NotFound("Not Found")
    return found


Kept = Annotated[Assistant, Depends(_kept)]


async def _shown(assistant: Kept, lab: CurrentLab) -> AsyncIterator[Pregel[Any, Any, Any, Any]]:
    config = cast(RunnableConfig, dict(assistant.config))
    async with AsyncExitStack() as stack:
        try:
            # A factory is the author's own code, asked with what a client has configured.
            graph = await stack.enter_async_context(lab.application.graph(assistant.graph_id, config))
        except ValueError as error:
            raise Malformed(str(error)) from error
        yield graph


Shown = Annotated[Pregel[Any, Any, Any, Any], Depends(_shown)]


@router.post("", openapi_extra=wire.described(wire.CREATE), responses=told("Assistant"))
async def create_assistant(
    body: Annotated[Any, Depends(json_body(wire.CREATE))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """Make an assistant at version 1."""
    new = wire.new_assistant(body)
    lab.assistants.known_graph(new.graph_id)
    keep_existing = body.get("if_exists") == "do_nothing"
    made = await lab.assistants.create(tenant, wire.mirrored(new), keep_existing=keep_existing)
    return answer(assistant_json(made))


@router.post(
    "/search", openapi_extra=wire.described(wire.SEARCH), responses=told(listed("AssistantFound"), headers=PAGED)
)
async def search_assistants(
    body: Annotated[Any, Depends(json_body(wire.SEARCH))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """Assistants by metadata, graph and name; newest first unless sorted."""
    wanted, page = wire.assistant_filter(body), page_of(body)
    if wanted.graph_id is not None:
        lab.assistants.known_graph(wanted.graph_id)
    found = await lab.assistants.search(
        tenant,
        wanted,
        sort_by=body.get("sort_by", "created_at"),
        descending="sort_by" not in body or body.get("sort_order") != "asc",
        limit=page.limit + 1,
        offset=page.offset,
    )
    shown = [assistant_json(assistant, body.get("select", ())) for assistant in page.shown(found)]
    return answer(shown, page.headers(found))


@router.post("/count", openapi_extra=wire.described(wire.COUNT), responses=told(COUNT))
async def count_assistants(
    body: Annotated[Any, Depends(json_body(wire.COUNT))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """How many a search would find in all."""
    wanted = wire.assistant_filter(body)
    if wanted.graph_id is not None:
        lab.assistants.known_graph(wanted.graph_id)
    return answer(await lab.assistants.count(tenant, wanted))


@_reads("/{assistant_id}", told("Assistant"))
async def get_assistant(assistant: Kept) -> Response:
    """One assistant."""
    return answer(assistant_json(assistant))


@router.patch("/{assistant_id}", openapi_extra=wire.described(wire.PATCH), responses=told("Assistant"))
async def patch_assistant(
    assistant_id: Named, body: Annotated[Any, Depends(json_body(wire.PATCH))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """Make the next version; what the body leaves out stays."""
    change = wire.assistant_change(body)
    if change.graph_id is not None:
        lab.assistants.known_graph(change.graph_id)
    return answer(assistant_json(await lab.assistants.update(tenant, assistant_id, wire.mirrored(change))))


@router.delete("/{assistant_id}", status_code=204)
async def delete_assistant(
    assistant_id: Named, lab: CurrentLab, tenant: CurrentTenant, delete_threads: str = "false"
) -> Response:
    """Delete an assistant and its versions; with `delete_threads=true` also the threads whose metadata names it."""
    threads = await lab.assistants.threads_of(tenant, assistant_id) if delete_threads.lower() == "true" else []
    await lab.assistants.delete(tenant, assistant_id)
    for thread_id in threads:
        await lab.threads.delete(tenant, thread_id)
    return Response(status_code=204)


@_reads("/{assistant_id}/graph", told("GraphDrawing"))
async def draw_graph(graph: Shown, xray: str = "") -> Response:
    """Nodes and edges of the assistant's graph; `xray` (true, or a depth) opens subgraphs."""
    return answer(graph_views.drawing(await graph.aget_graph(xray=graph_views.xray_of(xray))))


@_reads("/{assistant_id}/schemas", told("GraphSchemas"))
async def show_schemas(assistant: Kept, graph: Shown) -> Response:
    """JSON Schemas of the assistant's graph."""
    return answer({"graph_id": assistant.graph_id, **await asyncio.to_thread(graph_views.schemas, graph)})


@_reads("/{assistant_id}/subgraphs", told(SUBGRAPHS))
@_reads("/{assistant_id}/subgraphs/{namespace}", told(SUBGRAPHS))
async def show_subgraphs(graph: Shown, namespace: str | None = None, recurse: str = "false") -> Response:
    """JSON Schemas of the subgraphs by namespace; one nested in another needs `recurse=true`."""
    deep = recurse in ("true", "True")
    found = [pair async for pair in graph.aget_subgraphs(namespace=namespace, recurse=deep)]
    # A graph that runs on another server keeps its schemas there.
    here = {name: subgraph for name, subgraph in found if isinstance(subgraph, Pregel)}
    return answer({name: await asyncio.to_thread(graph_views.schemas, subgraph) for name, subgraph in here.items()})


@router.post(
    "/{assistant_id}/versions",
    openapi_extra=wire.described(wire.VERSIONS),
    responses=told(listed("AssistantVersion")),
)
async def list_versions(
    assistant_id: Named, body: Annotated[Any, Depends(json_body(wire.VERSIONS))], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """Versions by metadata, newest first."""
    page = page_of(body)
    found = await lab.assistants.versions(
        tenant, assistant_id, body.get("metadata", {}), limit=page.limit, offset=page.offset
    )
    return answer([version_json(version) for version in found])


@router.post("/{assistant_id}/latest", openapi_extra=wire.described(wire.LATEST), responses=told("Assistant"))
async def set_latest(
    body: Annotated[Any, Depends(json_body(wire.LATEST))], assistant_id: Named, lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """Make an assistant what it was at a version."""
    return answer(assistant_json(await lab.assistants.set_latest(tenant, assistant_id, body.get("version"))))
