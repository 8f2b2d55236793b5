"""Executions as `POST /api/v1/execute` and `/ws/execute` begin and tell them: runs of the one queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from server.execution_request import TeamRequest, crew_of, planned
from server.histories import Whole
from server.lab import Lab
from server.run_queue.shapes import Run
from server.streaming.events import Event
from server.streaming.frames import Frame
from server.streaming.lab_nodes import nodes_of
from server.streaming.lab_stream import LAB
from server.wire.execute import ExecutionRequest
from server.wire.execution_view import OWN_MARKS
from server.wire.executions import now
from server.wire.history import whole_view


async def begin(
    lab: Lab, tenant: str, body: ExecutionRequest, *, run_id: UUID | None = None, on_disconnect: str | None = None
) -> Run:
    """Put an execution into the queue; when this returns it is durable. In the background nothing bounds its time.

    Raises BadRequest, NotFound (model, tool, agent), Conflict: another run is at work on the thread, or the thread
    belongs to another graph.
    """
    plan = planned(body)
    timeout = None if body.background else lab.settings.request_timeout
    if isinstance(plan, TeamRequest):
        return await _begin_team(lab, tenant, plan, run_id, timeout, on_disconnect)
    if body.webhook_url is not None:
        await lab.webhooks.check(body.webhook_url)
    return await lab.lab_runs.start(
        tenant,
        plan,
        run_id=run_id,
        metadata={name: value for name, value in body.metadata.items() if name not in OWN_MARKS},
        timeout_sec=timeout,
        on_disconnect=on_disconnect,
        webhook=body.webhook_url,
    )


async def _begin_team(
    lab: Lab, tenant: str, team: TeamRequest, run_id: UUID | None, timeout: float | None, on_disconnect: str | None
) -> Run:
    if model := team.asked.settings.get("model"):
        lab.models.card(model)
    for agent_id in team.agents:
        await lab.agents.of(tenant).get(agent_id)
    crew = crew_of(team.agents)
    await lab.definitions.check_crew(crew)
    ours = {"stream_mode": [LAB], "timeout_sec": timeout, "on_disconnect": on_disconnect}
    return await lab.executions.start(
        tenant, lab.definitions.unkept("crew", crew), team.asked, run_id=run_id, ours=ours
    )


async def executed(lab: Lab, tenant: str, run: Run, last: Event, noted: Sequence[Frame]) -> Mapping[str, Any]:
    """The ExecutionResult of a run that has ended so: what the history tells of it. Raises NotFound: it is deleted.

    `noted`: its events that tell of nodes. The history would read them once more: with what stands around them that is
    half of what a short answer costs.
    """
    execution = await lab.histories.rows.ended(tenant, run.run_id)
    if execution is None or execution.execution_id != run.run_id:  # it goes on with runs before it: so do its nodes
        return whole_view(await lab.histories.whole(tenant, run.run_id), now())
    return whole_view(Whole(execution, nodes_of(noted), last.data.get("interrupts") or ()), now())
