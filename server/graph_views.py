"""What a graph looks like from outside: its drawing, and JSON Schemas of what goes in and comes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from langchain_core.runnables.graph import Graph
from langchain_core.utils.pydantic import create_model_v2
from langgraph.channels.base import BaseChannel
from langgraph.pregel import Pregel
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError, PydanticUndefinedAnnotation
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import CoreSchema

from state.errors import BadRequest

UNNAMED = "LangGraph"
"""What LangGraph calls a graph that was compiled without a name."""

_NO_SCHEMA = (PydanticInvalidForJsonSchema, PydanticSchemaGenerationError, PydanticUndefinedAnnotation, TypeError)


def label(graph: Pregel[Any, Any, Any, Any], graph_id: str) -> str:
    """The graph's own name, or the one that the application gives it."""
    own = graph.get_name()
    return graph_id if own == UNNAMED else own


def xray_of(text: str) -> bool | int:
    """How deep a drawing looks into subgraphs: `true`, `false` or a depth from 1. Raises BadRequest."""
    if text in ("true", "True"):
        return True
    if text in ("", "false", "False"):
        return False
    try:
        depth = int(text)
    except ValueError:
        depth = 0
    if depth < 1:
        raise BadRequest("Invalid xray value")
    return depth


def drawing(graph: Graph) -> dict[str, Any]:
    """Nodes `{id, type, data}` and edges `{source, target, conditional?}`; the classes behind nodes are left out."""
    drawn: dict[str, Any] = graph.to_json()
    for node in drawn["nodes"]:
        if isinstance(node.get("data"), dict):
            node["data"].pop("id", None)
    return drawn


def schemas(graph: Pregel[Any, Any, Any, Any]) -> dict[str, Any]:
    """JSON Schemas of input, output, state, config and context; null where none can be made.

    Takes milliseconds where a state holds messages: not for the event loop.
    """
    context = _schema_or_none(graph.get_context_jsonschema)
    return {
        "input_schema": _schema_or_none(graph.get_input_jsonschema),
        "output_schema": _schema_or_none(graph.get_output_jsonschema),
        "state_schema": _schema_or_none(lambda: state_schema(graph)),
        # The old word for the same thing; clients that know only this one expect an object.
        "config_schema": context or {},
        "context_schema": context,
    }


def state_schema(graph: Pregel[Any, Any, Any, Any]) -> dict[str, Any]:
    """Every channel of the state, none required. A graph whose state is one value has that value's schema.

    Raises what pydantic raises for a type without a schema.
    """
    name, channels = graph.get_name("State"), graph.stream_channels_asis
    if isinstance(channels, str):
        model = create_model_v2(name, root=(_update_type(graph, channels), None))
    else:
        fields = {key: (_update_type(graph, key), None) for key in channels}
        model = create_model_v2(name, field_definitions=fields)
    return model.model_json_schema(schema_generator=_Lenient)


def _update_type(graph: Pregel[Any, Any, Any, Any], channel: str) -> Any:
    found = graph.channels[channel]
    return found.UpdateType if isinstance(found, BaseChannel) else Any


def _schema_or_none(make: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    try:
        return make()
    except _NO_SCHEMA:
        return None


class _Lenient(GenerateJsonSchema):
    """Says nothing about a type that has no JSON form, instead of giving the whole state up."""

    def handle_invalid_for_json_schema(self, schema: CoreSchema, error_info: str) -> JsonSchemaValue:
        return {}
