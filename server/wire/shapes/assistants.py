"""Assistants, their versions, and what their graphs look like."""

from __future__ import annotations

from server.wire.shapes.building import (
    A_MOMENT,
    AN_ID,
    FLAG,
    ID,
    MOMENT,
    OBJECT,
    TEXT,
    WHOLE,
    Schema,
    anything,
    by_key,
    listed,
    maybe,
    ref,
    selected,
    shape,
)

_ASSISTANT = shape(
    "A graph with a configuration, under an id.",
    {
        "assistant_id": ID,
        "graph_id": {**TEXT, "description": "the graph's name"},
        "config": OBJECT,
        "context": maybe(OBJECT),
        "metadata": OBJECT,
        "name": TEXT,
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "version": WHOLE,
        "description": maybe(TEXT),
    },
    example={
        "assistant_id": AN_ID,
        "graph_id": "orchestrator",
        "config": {},
        "context": {"max_attempts": 2},
        "metadata": {"team": "support"},
        "name": "Careful",
        "created_at": A_MOMENT,
        "updated_at": A_MOMENT,
        "version": 1,
        "description": None,
    },
)
_VERSION_FIELDS = {name: schema for name, schema in _ASSISTANT["properties"].items() if name != "updated_at"}
_JSON_SCHEMA = maybe({**OBJECT, "description": "a JSON Schema; null where there is none"})
_SCHEMAS = {
    "input_schema": _JSON_SCHEMA,
    "output_schema": _JSON_SCHEMA,
    "state_schema": _JSON_SCHEMA,
    "config_schema": OBJECT,
    "context_schema": _JSON_SCHEMA,
}
_NODE = shape(
    "A node.",
    {"id": {"type": ["string", "integer"]}, "type": TEXT, "data": anything("its name, or its schema")},
    optional=["type", "data"],
)
_EDGE = shape(
    "An edge.",
    {
        "source": {"type": ["string", "integer"]},
        "target": {"type": ["string", "integer"]},
        "data": anything("what it is called"),
        "conditional": FLAG,
    },
    optional=["data", "conditional"],
)

SHAPES: dict[str, Schema] = {
    "Assistant": _ASSISTANT,
    "AssistantFound": selected(_ASSISTANT, "An assistant, or of it what `select` names."),
    "AssistantVersion": shape("What an assistant was at a version.", _VERSION_FIELDS),
    "GraphDrawing": shape("A graph as it is drawn.", {"nodes": listed(_NODE), "edges": listed(_EDGE)}),
    "GraphSchemas": shape("JSON Schemas of an assistant's graph.", {"graph_id": TEXT, **_SCHEMAS}),
    "SubgraphSchemas": shape("JSON Schemas of a subgraph.", _SCHEMAS),
}
SUBGRAPHS = by_key(ref("SubgraphSchemas"))
"""By namespace."""
