"""`/api/v1/history`: every execution so far, of whichever door: found, shown with what its nodes did, deleted."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from server.db.history_shapes import HistoryFilter
from server.deps import CurrentLab, CurrentTenant
from server.routes.slashes import with_slashes
from server.wire.answers import answer
from server.wire.execute import ExecutionResult
from server.wire.executions import now, status_of
from server.wire.history import HistoryPage, listed_view, of_type, whole_view

router = APIRouter(prefix="/api/v1", tags=["lab"])

Name = Annotated[str | None, Query(max_length=200)]
MOST = 1_000
MOST_WORDS = 2_000


def _wanted(
    status: Annotated[
        str | None, Query(max_length=200, description="pending, running, completed, failed, cancelled or interrupted")
    ] = None,
    execution_type: Annotated[
        str | None, Query(max_length=200, description="simple, orchestrator, crew, flow, or another graph")
    ] = None,
    graph: Name = None,
    model: Annotated[str | None, Query(max_length=200, description="the model that answered, or was asked for")] = None,
    thread_id: UUID | None = None,
    crew_id: Name = None,
    flow_id: Name = None,
    since: Annotated[
        datetime | None, Query(description="made at this time or later; UTC where it says no zone")
    ] = None,
    until: Annotated[datetime | None, Query(description="made before this time")] = None,
    min_score: Annotated[float | None, Query(ge=0.0, le=1.0, allow_inf_nan=False)] = None,
    q: Annotated[
        str | None,
        Query(
            max_length=MOST_WORDS, description='words of request and answer: `word "a phrase" -without this or that`'
        ),
    ] = None,
) -> HistoryFilter:
    chosen = of_type(execution_type)
    if graph is not None:
        chosen["graphs"] = [name for name in chosen.get("graphs", (graph,)) if name == graph]
    return HistoryFilter(
        **chosen,
        status=status_of(status),
        model=model,
        thread_id=thread_id,
        crew_id=crew_id,
        flow_id=flow_id,
        since=since,
        until=until,
        min_score=min_score,
        words=q or None,
    )


@router.get("/history", response_model=HistoryPage)
async def list_history(
    lab: CurrentLab,
    tenant: CurrentTenant,
    wanted: Annotated[HistoryFilter, Depends(_wanted)],
    limit: Annotated[int, Query(ge=1, le=MOST)] = 50,
    cursor: Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before")] = None,
) -> Response:
    """Executions, the newest first: of the lab, of crews and flows, of the Agent Server, of the terminal.

    `prompt` and `output` are cut at 500 characters; nodes are told of one alone. How many there are in all is not
    counted.
    """
    found = await lab.histories.rows.search(tenant, wanted, limit=limit, cursor=cursor)
    items = [listed_view(each, now()) for each in found.executions]
    return answer({"items": items, "next_cursor": found.next_cursor})


@router.get("/history/{execution_id}", response_model=ExecutionResult)
async def get_history(execution_id: UUID, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """One execution with what its nodes did, also while it runs; by the id of any of its runs."""
    return answer(whole_view(await lab.histories.whole(tenant, execution_id), now()))


@router.delete("/history/{execution_id}", status_code=204)
async def delete_history(execution_id: UUID, lab: CurrentLab, tenant: CurrentTenant) -> Response:
    """Delete an execution with its events, and the thread that was made for it alone; stopped first where it runs."""
    await lab.histories.delete(tenant, execution_id)
    return Response(status_code=204)


with_slashes(router)
