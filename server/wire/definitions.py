"""Crews and flows on the wire: bodies as definitions, kept definitions as clients read them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from fastapi import Request
from pydantic import ValidationError

from graphs.crews.build import read_crew
from graphs.flows.faults import Fault, Positions
from graphs.flows.load import LoadedFlow
from graphs.flows.reading import read_document
from graphs.flows.shapes import shaped
from server.definitions import Kept
from server.wire.assistants import stamp
from server.wire.shaped import json_of
from state.errors import BadRequest
from state.flows import CrewSpec, FlowSpec

YAML = ("application/yaml", "application/x-yaml", "text/yaml")
CREW_PATHS = frozenset({"execute", "job", "jobs", "stats", "cleanup"})
FLOW_PATHS = frozenset({"execute", "validate"})
"""Words that stand in URLs where an id would."""


async def crew_of_body(request: Request) -> CrewSpec:
    """A dependency: the crew that a body defines; one without an id is given one.

    Raises FlowErrors, a BadRequest, with every mistake, and as `json_of`.
    """
    spec = read_crew(await json_of(request))
    if not spec.crew_id.strip():
        return spec.model_copy(update={"crew_id": str(uuid4())})
    check_crew_id(spec.crew_id)
    return spec


def check_crew_id(crew_id: str) -> None:
    """A client's own id must be one that can stand in a URL. Raises BadRequest."""
    wrong = next((char for char in crew_id if char in "/\\?#%" or not char.isprintable()), None)
    if wrong is not None or crew_id != crew_id.strip() or crew_id in (".", ".."):
        raise BadRequest(f"crew_id: {crew_id[:100]!r} cannot stand in a URL; leave / \\ ? # % and outer blanks out")
    if crew_id in CREW_PATHS:
        raise BadRequest(f"crew_id: '{crew_id}' is taken; so are: {', '.join(sorted(CREW_PATHS))}")


async def flow_of_body(request: Request) -> LoadedFlow:
    """A dependency: the flow that a body of JSON or YAML defines; without an id it has that of the URL.

    Raises FlowErrors, a BadRequest, with every mistake; HTTPException (415) for another content type.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type in YAML:
        # 256 KB of YAML take a tenth of a second to read.
        document = await asyncio.to_thread(read_document, _text(await request.body()), "flow")
        return _loaded(document.data, document.positions, request.path_params.get("flow_id"))
    return _loaded(await json_of(request, *YAML), Positions("flow"), request.path_params.get("flow_id"))


def check_flow_id(flow_id: str) -> None:
    """Raises BadRequest: a word that routes use."""
    if flow_id in FLOW_PATHS:
        raise BadRequest(f"flow_id: '{flow_id}' is taken; so are: {', '.join(sorted(FLOW_PATHS))}")


def put_view(kept: Kept) -> dict[str, Any]:
    """The answer to keeping a crew."""
    return {"status": "created" if kept.created else "updated", **crew_listed(kept)}


def crew_view(kept: Kept) -> dict[str, Any]:
    """A crew whole: its definition, and the assistant that it is."""
    own = {"crew_id": kept.name, "name": kept.assistant.name}
    return {**own, **_whole(kept.definition, CrewSpec), **own, "version": kept.assistant.version, **_assistant(kept)}


def crew_listed(kept: Kept) -> dict[str, Any]:
    """A crew in a list."""
    return {
        "crew_id": kept.name,
        "name": kept.assistant.name,
        "description": kept.assistant.description or "",
        "execution_mode": kept.definition.get("execution_mode"),
        "agents": _ids(kept.definition, "agents", "agent_id"),
        "version": kept.assistant.version,
        **_assistant(kept),
    }


def flow_view(kept: Kept) -> dict[str, Any]:
    """A flow whole. `version` is its author's; `revision` counts what was kept under its id."""
    own = {"flow_id": kept.name, "name": kept.assistant.name}
    return {**own, **_whole(kept.definition, FlowSpec), **own, "revision": kept.assistant.version, **_assistant(kept)}


def flow_listed(kept: Kept) -> dict[str, Any]:
    """A flow in a list."""
    whole = flow_view(kept)
    names = ("flow_id", "name", "description", "version", "entry_point", "exit_points", "metadata")
    nodes = _ids(kept.definition, "nodes", "id")
    known = {name: whole.get(name) for name in names}
    return {**known, "revision": whole["revision"], "nodes": nodes, "node_count": len(nodes), **_assistant(kept)}


def fault_view(fault: Fault) -> dict[str, Any]:
    """A mistake; line and column count from 1 and are null where the definition came as JSON."""
    mark = fault.mark
    return {
        "message": fault.message,
        "path": list(fault.path),
        "line": mark.line if mark else None,
        "column": mark.column if mark else None,
    }


def _loaded(data: Any, positions: Positions, flow_id: str | None) -> LoadedFlow:
    if flow_id is not None and isinstance(data, Mapping) and data.get("flow_id") is None:
        data = {**data, "flow_id": flow_id}
    return LoadedFlow(shaped(FlowSpec, data, positions), positions)


def _whole(definition: Mapping[str, Any], shape: type[CrewSpec] | type[FlowSpec]) -> dict[str, Any]:
    """In the order in which people write it, which Postgres does not keep."""
    try:
        return shape.model_validate(definition).model_dump(mode="json")
    except ValidationError:  # somebody made something else of the assistant
        return dict(definition)


def _assistant(kept: Kept) -> dict[str, Any]:
    assistant = kept.assistant
    return {
        "assistant_id": str(assistant.assistant_id),
        "source": kept.source,
        "created_at": stamp(assistant.created_at),
        "updated_at": stamp(assistant.updated_at),
    }


def _ids(definition: Mapping[str, Any], several: str, key: str) -> list[str]:
    found = definition.get(several)
    return (
        [str(one[key]) for one in found if isinstance(one, Mapping) and key in one] if isinstance(found, list) else []
    )


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(f"byte {error.start} of the body is not UTF-8") from None
