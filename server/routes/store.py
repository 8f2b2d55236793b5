"""`/store`: long-term memory for clients, one tenant's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from langgraph.store.base import NOT_PROVIDED

from server.db.tenant_store import TenantStore
from server.deps import CurrentLab, CurrentTenant
from server.wire.answers import answer
from server.wire.assistants import described
from server.wire.body import json_body
from server.wire.shapes.building import TEXT, maybe, ref, shape
from server.wire.store import DELETE, NAMESPACES, PUT, SEARCH, asked_namespace, item_shape, refused_label
from server.wire.told import told
from state.errors import Malformed

router = APIRouter(tags=["Store"])

REFUSED = told(None, status=422, about="Detail; of a label that cannot be one, words without a content type")
NO_KEY = told(shape("What is missing.", {"error": TEXT}), status=400, about="No key is given")


async def _store(lab: CurrentLab, tenant: CurrentTenant) -> TenantStore:
    return lab.database.store_for_clients(tenant)


Store = Annotated[TenantStore, Depends(_store)]


@router.put("/store/items", status_code=204, openapi_extra=described(PUT), responses=REFUSED)
async def put_item(store: Store, body: Annotated[Any, Depends(json_body(PUT))]) -> Response:
    """Keep a value, in the place of one with the same namespace and key."""
    if words := refused_label(body["namespace"]):
        return _refused(words)
    async with _bad_requests():
        await store.aput(
            tuple(body["namespace"]),
            body["key"],
            body["value"],
            index=body.get("index"),
            ttl=body.get("ttl", NOT_PROVIDED),
        )
    return Response(status_code=204)


@router.delete("/store/items", status_code=204, openapi_extra=described(DELETE), responses=REFUSED)
async def delete_item(store: Store, body: Annotated[Any, Depends(json_body(DELETE))]) -> Response:
    """204 also where there was none."""
    if words := refused_label(body.get("namespace")):
        return _refused(words)
    async with _bad_requests():
        await store.adelete(tuple(body.get("namespace", ())), body["key"])
    return Response(status_code=204)


@router.head("/store/items", include_in_schema=False)
@router.get("/store/items", responses={**told(maybe(ref("Item"))), **NO_KEY, **REFUSED})
async def get_item(store: Store, key: str = "", namespace: str = "", refresh_ttl: str | None = None) -> Response:
    """The item, or null. `namespace` is dotted; reading renews a time to live unless `refresh_ttl=false`."""
    labels = asked_namespace(namespace)
    if words := refused_label(labels):
        return _refused(words)
    if not key:
        return Response(b'{"error":"Key is required"}', 400, media_type="application/json")
    async with _bad_requests():
        item = await store.aget(labels, key, refresh_ttl=None if refresh_ttl is None else refresh_ttl != "false")
    return answer(None if item is None else item_shape(item))


@router.post("/store/items/search", openapi_extra=described(SEARCH), responses={**told("ItemsFound"), **REFUSED})
async def search_items(store: Store, body: Annotated[Any, Depends(json_body(SEARCH))]) -> Response:
    """Items below a namespace, by filter and by meaning; a limit of 0 is 10, as on the reference server."""
    prefix = body.get("namespace_prefix") or ()
    if words := refused_label(prefix):
        return _refused(words)
    async with _bad_requests():
        found = await store.asearch(
            tuple(prefix),
            query=body.get("query"),
            filter=body.get("filter"),
            limit=body.get("limit") or 10,
            offset=body.get("offset", 0),
            refresh_ttl=body.get("refresh_ttl"),
        )
    return answer({"items": [item_shape(item) for item in found]})


@router.post("/store/namespaces", openapi_extra=described(NAMESPACES), responses={**told("NamespacesFound"), **REFUSED})
async def list_namespaces(store: Store, body: Annotated[Any, Depends(json_body(NAMESPACES))]) -> Response:
    """Namespaces that hold items, in order, cut to `max_depth` labels; `*` in prefix and suffix is any one label."""
    prefix, suffix = body.get("prefix"), body.get("suffix")
    if words := refused_label(prefix, suffix):
        return _refused(words)
    async with _bad_requests():
        found = await store.alist_namespaces(
            prefix=_labels(prefix),
            suffix=_labels(suffix),
            max_depth=body.get("max_depth"),
            limit=body.get("limit", 100),
            offset=body.get("offset", 0),
        )
    return answer({"namespaces": found})


def _labels(given: Sequence[str] | None) -> tuple[str, ...] | None:
    return tuple(given) if given else None


def _refused(words: str) -> Response:
    # Plain text without a content type is what the reference server answers here.
    return Response(words, 422)


@asynccontextmanager
async def _bad_requests() -> AsyncIterator[None]:
    """What a store refuses, as stores do, with a ValueError is the client's mistake."""
    try:
        yield
    except ValueError as error:
        raise Malformed(str(error)) from None
