"""JSON Schemas of what routes answer, for /openapi.json, where no pydantic model says it. Bodies: beside their routes'
`wire` modules."""

from __future__ import annotations

from server.wire.shapes import assistants, crons, errors, figures, jobs, runs, states, store, system, teams, threads
from server.wire.shapes.building import Schema

SHAPES: dict[str, Schema] = {
    **errors.SHAPES,
    **system.SHAPES,
    **assistants.SHAPES,
    **threads.SHAPES,
    **states.SHAPES,
    **runs.SHAPES,
    **crons.SHAPES,
    **store.SHAPES,
    **teams.SHAPES,
    **jobs.SHAPES,
    **figures.SHAPES,
}
"""By name: `components.schemas` of the description."""
