"""`/flows`: flows as they are kept, checked and executed. Their executions: `executions.py`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from graphs.flows.faults import FlowErrors
from graphs.flows.load import LoadedFlow
from server.deps import CurrentLab, CurrentTenant
from server.following import shown
from server.routes.executing import Paged, execution_url, paging, started, waited
from server.routes.slashes import with_slashes
from server.wire.answers import answer
from server.wire.definitions import YAML, check_flow_id, fault_view, flow_listed, flow_of_body, flow_view
from server.wire.executions import ExecuteFlow, execution_view
from server.wire.shaped import body_of, described
from server.wire.shapes import examples
from server.wire.shapes.building import listed
from server.wire.told import LOCATION, PAGED, told
from state.errors import BadRequest
from state.flows import FlowSpec

router = APIRouter(prefix="/flows", tags=["lab"])

Loaded = Annotated[LoadedFlow, Depends(flow_of_body)]
FLOW = described(FlowSpec, examples.FLOW, more=dict.fromkeys(YAML, examples.FLOW_YAML))


@router.get("", responses=told(listed("FlowListed"), headers=PAGED))
async def list_flows(lab: CurrentLab, tenant: CurrentTenant, page: Paged) -> Response:
    """All flows, by name."""
    found = await lab.definitions.search(tenant, "flow", limit=page.limit, offset=page.offset)
    total = await lab.definitions.count(tenant, "flow")
    return answer([flow_listed(kept) for kept in found], paging(page, len(found), total))


@router.post("", status_code=201, openapi_extra=FLOW, responses=told("Flow", status=201, headers=LOCATION))
async def create_flow(loaded: Loaded, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """Keep a flow, said in JSON or YAML, or a new version of it. It is an assistant of graph `flow`."""
    check_flow_id(loaded.spec.flow_id)
    kept = await lab.definitions.put_flow(tenant, loaded.spec, loaded.positions)
    return answer(flow_view(kept), {"Location": f"/flows/{kept.name}"}, status=201)


@router.post(
    "/execute",
    status_code=202,
    openapi_extra=described(ExecuteFlow, examples.EXECUTE_FLOW),
    responses={
        **told("Execution", status=202, about="It is in the queue", headers=LOCATION),
        **told("Execution", about="It has ended, or asks something; `wait` was said", headers=LOCATION),
    },
)
async def execute_flow(
    body: Annotated[ExecuteFlow, Depends(body_of(ExecuteFlow))],
    request: Request,
    lab: CurrentLab,
    tenant: CurrentTenant,
) -> Response:
    """Put an execution into the queue; when this answers, it is durable. With `wait` it answers at the end (200)."""
    kept = await lab.definitions.runnable(tenant, "flow", body.flow_id)
    job = await started(lab, tenant, kept, body.asked(query=body.query))
    where = {"Location": execution_url(job.job_id)}
    if body.wait:
        return answer(await waited(lab, tenant, job, execution_view, request), where)
    return answer(await shown(lab, tenant, job, execution_view), where, status=202)


@router.post("/validate", openapi_extra=FLOW, responses=told("FlowChecked"))
async def validate_flow(request: Request, lab: CurrentLab) -> Response:
    """Every mistake of a flow, with its line where it is said in YAML. Nothing is kept."""
    try:
        loaded = await flow_of_body(request)
        faults = await lab.definitions.faults_of(loaded.spec, loaded.positions)
    except FlowErrors as error:
        faults = list(error.faults)
    return answer({"valid": not faults, "faults": [fault_view(fault) for fault in faults]})


@router.get("/{flow_id}", responses=told("Flow"))
async def get_flow(flow_id: str, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """One flow, whole."""
    return answer(flow_view(await lab.definitions.get(tenant, "flow", flow_id)))


@router.put("/{flow_id}", openapi_extra=FLOW, responses={**told("Flow"), **told("Flow", status=201, about="It is new")})
async def put_flow(flow_id: str, loaded: Loaded, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """Keep a flow under this id: 201 where it is new, else a new version of it."""
    if loaded.spec.flow_id != flow_id:
        raise BadRequest(f"flow_id: the body says '{loaded.spec.flow_id}', the URL '{flow_id[:64]}'; make them one")
    check_flow_id(flow_id)
    kept = await lab.definitions.put_flow(tenant, loaded.spec, loaded.positions)
    return answer(flow_view(kept), status=201 if kept.created else 200)


@router.delete("/{flow_id}", status_code=204)
async def delete_flow(flow_id: str, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """Delete a flow with its versions. Its executions stay."""
    await lab.definitions.delete(tenant, "flow", flow_id)
    return Response(status_code=204)


with_slashes(router)
