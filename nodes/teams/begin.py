"""Where a run of a crew or a flow begins: what is asked, and a clean slate."""

from __future__ import annotations

from datetime import UTC, datetime

from langgraph.types import Overwrite

from nodes.teams.inputs import task_of
from nodes.teams.steps import Team
from state.crew_run import CrewState, LogEntry


async def begin(state: CrewState, *, team: Team) -> dict[str, object]:
    """Reads `query`, `input_data`, `messages`; writes `task`, `heard`, `given`; empties all that an earlier run left.

    The shared context stays, and so do the messages. Raises BadRequest when nothing is asked.
    """
    started = LogEntry(at=datetime.now(UTC), event="started", detail=f"{team.kind} {team.id or team.name}".strip())
    return {
        "task": task_of(state, team.kind),
        "heard": state.messages[-1].id if state.messages else None,
        "given": state.input_data,
        "query": "",
        "input_data": {},
        # None and not Overwrite: clients are shown the updates.
        "outcomes": None,
        "agent_messages": None,
        "log": Overwrite([started]),
        "choice": None,
        "result": None,
    }
