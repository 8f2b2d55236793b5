"""Figures of crews, flows, agents and messages."""

from __future__ import annotations

from server.wire.shapes.building import COUNT, MOMENT, NUMBER, OBJECT, TEXT, Schema, by_key, listed, maybe, ref, shape

_SECONDS: Schema = {**maybe(NUMBER), "description": "seconds"}
_TIMES: dict[str, Schema] = {"mean_seconds": _SECONDS, "p50_seconds": _SECONDS, "p95_seconds": _SECONDS}
_RATE: Schema = {**maybe(NUMBER), "description": "0 to 1; null where none has ended"}
_STATS: dict[str, Schema] = {
    "total": COUNT,
    "by_status": by_key(COUNT),
    "active": COUNT,
    "success_rate": _RATE,
    "ended_last_hour": COUNT,
    **_TIMES,
}
_SAID: Schema = shape("Messages.", {"sent": COUNT, "received": COUNT})
_LATELY: dict[str, Schema] = {"last_day": _SAID, "last_hour": _SAID}

SHAPES: dict[str, Schema] = {
    "ExecutionStats": shape("How many stand how; times are those of the ones that completed.", _STATS),
    "CrewStats": shape("Crews and their jobs.", {"crews": COUNT, "jobs": ref("ExecutionStats")}),
    "SystemStats": shape(
        "Agents, executions, messages, and this process.",
        {
            "agents": shape("Registered agents.", {"total": COUNT, "by_status": by_key(COUNT)}),
            "executions": ref("ExecutionStats"),
            "messages": shape(
                "Of all processes.",
                {
                    "kept": COUNT,
                    "waiting": COUNT,
                    **_LATELY,
                    "agents": listed(shape("An agent.", {"agent_id": TEXT, **_LATELY})),
                },
            ),
            "this_process": {**OBJECT, "description": "memory, message latency, models"},
        },
    ),
    "ExecutionFigures": shape(
        "Executions by crew and flow, the latest of them, and the times of each agent.",
        {
            "total": COUNT,
            "executions": listed(
                shape(
                    "A crew or a flow; null: runs of no kept definition.",
                    {"kind": TEXT, "crew_id": maybe(TEXT), "flow_id": maybe(TEXT), **_STATS, "last_at": MOMENT},
                    optional=["crew_id", "flow_id"],
                )
            ),
            "recent": listed("ExecutionListed"),
            "agents": listed(
                shape(
                    "An agent.",
                    {
                        "agent_id": TEXT,
                        "agent_class": maybe(TEXT),
                        "calls": COUNT,
                        "completed": COUNT,
                        "failed": COUNT,
                        "running": COUNT,
                        "success_rate": _RATE,
                        **_TIMES,
                        "input_tokens": COUNT,
                        "output_tokens": COUNT,
                    },
                )
            ),
        },
    ),
}
