"""Crews and flows as they are kept."""

from __future__ import annotations

from server.wire.shapes.building import (
    COUNT,
    FLAG,
    ID,
    MOMENT,
    OBJECT,
    TEXT,
    TEXTS,
    WHOLE,
    Schema,
    listed,
    maybe,
    ref,
    shape,
    word,
)

_KEPT: dict[str, Schema] = {
    "assistant_id": {**ID, "description": "the assistant that it is"},
    "source": {**TEXT, "description": "where it comes from"},
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
_LISTED: dict[str, Schema] = {
    "crew_id": TEXT,
    "name": TEXT,
    "description": TEXT,
    "execution_mode": maybe(TEXT),
    "agents": {**TEXTS, "description": "ids"},
    "version": WHOLE,
    **_KEPT,
}
_CREW: dict[str, Schema] = {
    "crew_id": TEXT,
    "name": TEXT,
    "description": TEXT,
    "execution_mode": TEXT,
    "agents": listed("AgentSpec"),
    "flow_relations": listed("FlowRelation"),
    "shared_tools": TEXTS,
    "max_parallel_tasks": WHOLE,
    "aggregator": maybe(TEXT),
    "decision": ref("DecisionSpec"),
    "metadata": OBJECT,
}
_FLOW_NAMES: dict[str, Schema] = {
    "flow_id": TEXT,
    "name": TEXT,
    "description": maybe(TEXT),
    "version": {**maybe(TEXT), "description": "its author's"},
    "entry_point": maybe(TEXT),
    "exit_points": maybe(TEXTS),
    "metadata": maybe(OBJECT),
    "revision": {**WHOLE, "description": "counts what was kept under its id"},
}

SHAPES: dict[str, Schema] = {
    "CrewListed": shape("A crew in a list.", _LISTED),
    "CrewKept": shape("A crew, kept.", {"status": word("created", "updated"), **_LISTED}),
    "Crew": shape("A crew whole: its definition, and the assistant that it is.", {**_CREW, "version": WHOLE, **_KEPT}),
    "FlowListed": shape(
        "A flow in a list.",
        {**_FLOW_NAMES, "nodes": {**TEXTS, "description": "ids"}, "node_count": COUNT, **_KEPT},
    ),
    "Flow": shape("A flow whole.", {**_FLOW_NAMES, "nodes": listed("FlowNode"), **_KEPT}),
    "FlowChecked": shape(
        "Every mistake of a flow.",
        {
            "valid": FLAG,
            "faults": listed(
                shape(
                    "A mistake.",
                    {
                        "message": TEXT,
                        "path": {"type": "array", "items": {"type": ["string", "integer"]}},
                        "line": {**maybe(WHOLE), "description": "from 1; null where the flow came as JSON"},
                        "column": maybe(WHOLE),
                    },
                )
            ),
        },
        example={"valid": True, "faults": []},
    ),
}
