"""`/api/v1/crew`: crews as they are kept. Executing them: `jobs.py`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from server.definitions import Kept
from server.deps import CurrentLab, CurrentTenant
from server.lab import Lab
from server.routes.executing import Paged, paging
from server.routes.slashes import with_slashes
from server.wire.answers import answer
from server.wire.definitions import crew_listed, crew_of_body, crew_view, put_view
from server.wire.shaped import described
from server.wire.shapes import examples
from server.wire.shapes.building import listed, ref
from server.wire.told import told
from state.errors import BadRequest
from state.flows import CrewSpec

router = APIRouter(prefix="/api/v1/crew", tags=["lab"])

CrewId = Annotated[str | None, Query(max_length=200)]


@router.put(
    "",
    openapi_extra=described(CrewSpec, examples.CREW),
    responses={**told("CrewKept"), **told("CrewKept", status=201, about="It is new")},
)
async def put_crew(
    spec: Annotated[CrewSpec, Depends(crew_of_body)], lab: CurrentLab, tenant: CurrentTenant
) -> Response:
    """Keep a crew (201), or a new version of it where it differs (200). It is an assistant of graph `crew`."""
    kept = await lab.definitions.put_crew(tenant, spec)
    return answer(put_view(kept), status=201 if kept.created else 200)


@router.get("", responses=told({"anyOf": [listed("CrewListed"), ref("Crew")]}))
async def get_crews(
    lab: CurrentLab, tenant: CurrentTenant, page: Paged, crew_id: CrewId = None, name: CrewId = None
) -> Response:
    """All crews, by name; with `crew_id` or `name` that one, whole."""
    if crew_id is not None or name is not None:
        return answer(crew_view(await _one(lab, tenant, crew_id, name)))
    found = await lab.definitions.search(tenant, "crew", limit=page.limit, offset=page.offset)
    total = await lab.definitions.count(tenant, "crew")
    return answer([crew_listed(kept) for kept in found], paging(page, len(found), total))


@router.delete("", status_code=204)
async def delete_crew_by_query(
    lab: CurrentLab, tenant: CurrentTenant, crew_id: CrewId = None, name: CrewId = None
) -> Response:
    """Delete the crew that `crew_id` or `name` names. Its jobs stay."""
    if crew_id is None and name is None:
        raise BadRequest("crew_id is missing; say which crew: DELETE /api/v1/crew?crew_id=…")
    await lab.definitions.delete(tenant, "crew", (await _one(lab, tenant, crew_id, name)).name)
    return Response(status_code=204)


async def _one(lab: Lab, tenant: str, crew_id: str | None, name: str | None) -> Kept:
    if crew_id is not None:
        return await lab.definitions.get(tenant, "crew", crew_id)
    return await lab.definitions.crew_named(tenant, name or "")


one = APIRouter(prefix="/api/v1/crew/{crew_id}", tags=["lab"])
"""Asked after the routes of jobs, whose words stand where an id would."""


@one.get("", responses=told("Crew"))
async def get_crew(crew_id: str, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """One crew: its definition, and the assistant that it is."""
    return answer(crew_view(await lab.definitions.get(tenant, "crew", crew_id)))


@one.delete("", status_code=204)
async def delete_crew(crew_id: str, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """Delete a crew with its versions. Its jobs stay."""
    await lab.definitions.delete(tenant, "crew", crew_id)
    return Response(status_code=204)


with_slashes(router)
with_slashes(one)
