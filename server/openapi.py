"""/openapi.json: our routes, and those of the user's application where there is one."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from server.application.mounted import merged
from server.errors import is_lab_path
from server.wire.cache import InUseProblem
from server.wire.shapes import SHAPES
from server.wire.shapes.building import ref
from server.wire.shapes.parameters import PARAMETERS
from state.crew_run import AgentExecution, LogEntry
from state.messages import AgentMessage

MODELS: tuple[type[BaseModel], ...] = (AgentMessage, AgentExecution, LogEntry, InUseProblem)
"""Shapes of other floors, in answers that are no models of their own."""
REF = "#/components/schemas/{model}"
METHODS = frozenset({"get", "put", "post", "delete", "patch"})
_NAMED = re.compile(rb'"\$ref":"#/components/schemas/([^"]+)"')
_UNUSED = {"HTTPValidationError", "ValidationError"}
"""FastAPI's own shape of a refusal, which no route answers with."""

ABOUT = """\
One engine, four doors: the Agent Server API for clients of LangGraph (assistants, threads, runs, crons, store), the lab
API (`/inference`, `/orchestrate`, `/models`, `/cache`), the backend API (`/api/v1`), and crews, flows and agents.

**Errors.** The lab's own routes answer problem details (RFC 9457), the Agent Server's `{"detail": …}`. Besides what
each route says: 403 for a foreign Host or Origin, 413 and 414 for what is too large, 415 for another content type.
Each answer names its request in `X-Execution-ID`.

**Streams.** Server-sent events; those of a run have growing ids, and `Last-Event-ID` goes on after one of them.

**WebSockets**, which OpenAPI has no words for:

- `/ws/runs/{run_id}` tells a run's events, the same ones with the same ids as its stream;
  `?last_event_id=` goes on after one of them.
- `/ws/execute` takes the body of `POST /api/v1/execute` as its first message, and tells that run's events.

Trailing slashes are taken.
"""
TAGS = (
    {"name": "lab", "description": "Models, single calls, the orchestrator; crews, flows and their executions."},
    {"name": "agents", "description": "The agents that crews and flows can call."},
    {"name": "System", "description": "What the server is, and how it does."},
    {"name": "Assistants", "description": "Graphs with a configuration."},
    {"name": "Threads", "description": "What states and runs are kept under."},
    {"name": "Thread Runs", "description": "Runs on a thread."},
    {"name": "Stateless Runs", "description": "Runs on threads of their own."},
    {"name": "Crons", "description": "Runs on a schedule."},
    {"name": "Store", "description": "Long-term memory."},
)


class Described(FastAPI):
    """FastAPI whose description is whole: bodies and answers by name, errors, parameters with examples.

    It leaves HEAD out, which answers wherever GET does, and takes in a user's application.
    """

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            with warnings.catch_warnings():
                # GET and HEAD of a route share an operation id; only one of the two is told.
                warnings.filterwarnings("ignore", message="Duplicate Operation ID")
                schema = described(without_head(super().openapi()))
            users = getattr(self.state, "user_app", None)
            self.openapi_schema = merged(schema, users.openapi()) if isinstance(users, FastAPI) else schema
        return self.openapi_schema


def without_head(schema: dict[str, Any]) -> dict[str, Any]:
    """The same without HEAD's operations; an id made for one of several methods loses its mark."""
    paths = {
        path: {method: operation for method, operation in operations.items() if method != "head"}
        for path, operations in schema["paths"].items()
    }
    for path in paths.values():
        for method, operation in path.items():
            made_for_head = isinstance(operation, dict) and str(operation.get("operationId", "")).endswith("_head")
            if made_for_head:
                operation["operationId"] = operation["operationId"].removesuffix("_head") + f"_{method}"
    return {**schema, "paths": paths}


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """The same, whole. Bodies that have a title are in `components`, beside the parts that they refer to.

    As JSON Schemas of their own, bodies bring their `components` along; in this document references start at its root.
    """
    named: dict[str, Any] = dict(schema.get("components", {}).get("schemas", {}))
    paths = {
        path: {
            method: _described(path, operation, named) if method in METHODS else operation
            for method, operation in operations.items()
        }
        for path, operations in schema["paths"].items()
    }
    named = {name: one for name, one in named.items() if name not in _UNUSED}
    components = {**schema.get("components", {}), "schemas": {**named, **_asked_for({**_shapes(), **named}, paths)}}
    info = {"description": ABOUT, **schema["info"]}
    used = {tag for operations in paths.values() for one in operations.values() for tag in one.get("tags", ())}
    tags = [tag for tag in TAGS if tag["name"] in used]
    return {**schema, "info": info, "tags": tags, "paths": paths, "components": components}


def _described(path: str, operation: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    told = {**_with_named_body(operation, named), "responses": dict(_answers(path, operation["responses"]))}
    if "parameters" in operation:
        tag = next(iter(operation.get("tags", ())), "")
        told["parameters"] = [_parameter(one, tag) for one in operation["parameters"]]
    return told


def _with_named_body(operation: dict[str, Any], named: dict[str, Any]) -> dict[str, Any]:
    """`operation` with a reference as its body's schema; the schema goes into `named`."""
    body = operation.get("requestBody", {})
    own = body.get("content", {}).get("application/json", {}).get("schema", {})
    title = own.get("title")
    if title is None or title == "Body":  # as FastAPI calls what has no name
        return operation
    named |= own.get("components", {}).get("schemas", {})
    named[title] = {key: value for key, value in own.items() if key != "components"}
    content = {**body["content"], "application/json": {"schema": ref(title)}}
    return {**operation, "requestBody": {**body, "content": content}}


def _answers(path: str, responses: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Each answer without the content that FastAPI takes for granted, and how errors are told on this path."""
    for status, response in responses.items():
        content = response.get("content", {})
        if "HTTPValidationError" in str(content):
            continue
        kept = {name: one for name, one in content.items() if one.get("schema") != {}}
        yield (
            status,
            {**{key: value for key, value in response.items() if key != "content"}}
            | ({"content": kept} if kept else {}),
        )
    if "default" not in responses:
        yield "default", _PROBLEM if is_lab_path(path) else _DETAIL


_PROBLEM = {
    "description": "An error: problem details",
    "content": {"application/problem+json": {"schema": ref("Problem")}},
}
_DETAIL = {"description": "An error", "content": {"application/json": {"schema": ref("Detail")}}}


def _parameter(told: dict[str, Any], tag: str) -> dict[str, Any]:
    """`told` with what else is known of a parameter of this name."""
    name, schema = told["name"], told["schema"]
    known = PARAMETERS.get(f"{tag}.{name}") or PARAMETERS.get(f"{told['in']}.{name}")
    if known is None:
        return told
    own = schema.get("examples")
    return {
        "description": known.about,
        **({} if own else {"example": known.example}),
        **told,
        **({"schema": {**known.schema, "title": schema.get("title", name)}} if known.schema else {}),
    }


def _shapes() -> dict[str, Any]:
    _, parts = models_json_schema([(model, "serialization") for model in MODELS], ref_template=REF)
    return {**SHAPES, **parts.get("$defs", {})}


def _asked_for(shapes: Mapping[str, Any], paths: Mapping[str, Any]) -> dict[str, Any]:
    """Those that the paths refer to, and those that these refer to."""
    found: dict[str, Any] = {}
    waiting: list[Any] = [paths]
    while waiting:
        for name in {match.decode() for match in _NAMED.findall(orjson.dumps(waiting.pop()))} - found.keys():
            found[name] = shapes[name]
            waiting.append(shapes[name])
    return found
