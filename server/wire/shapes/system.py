"""What the server says of itself."""

from __future__ import annotations

from typing import Any

from server.wire.shapes.building import FLAG, OBJECT, TEXT, Schema, maybe, shape

SHAPES: dict[str, Schema] = {
    "Alive": shape("The server is up.", {"ok": FLAG, "services": OBJECT}, optional=["services"], example={"ok": True}),
    "Event": shape(
        "A server-sent event.",
        {"event": TEXT, "data": {**TEXT, "description": "JSON on one line"}, "id": TEXT},
        optional=["id"],
        example={"event": "token", "data": '{"node":"execute","text":"42"}', "id": "7"},
    ),
    "ServerInfo": shape(
        "What clients may count on.",
        {
            "version": {**TEXT, "description": "of the Agent Server API that is followed"},
            "langgraph_py_version": TEXT,
            "flags": {"type": "object", "additionalProperties": FLAG},
            "host": {"type": "object", "additionalProperties": maybe(TEXT)},
        },
    ),
}
METRICS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Metrics",
        "content": {
            "text/plain": {"schema": TEXT, "example": "# TYPE lg_api_workers_max gauge\nlg_api_workers_max 8.0\n"},
            "application/json": {"schema": OBJECT},
        },
    }
}
"""What a scrape answers, for Prometheus or as JSON."""
PULL_STREAM = """event: progress
data: {"name":"demo","done_bytes":1048576,"total_bytes":1192135096}

event: result
data: {"name":"demo","here":true}

"""
