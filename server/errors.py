"""The error tree on the wire: problem details on the lab's own routes, `{"detail": …}` on those of the Agent Server."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Scope

from graphs.flows.faults import MAX_FAULTS, FlowErrors
from server.routes.whole import ClientGone
from server.telemetry.access import execution_id, path_of
from server.wire.mistakes import MAX_TOLD, Invalid, Mistake, where
from state.errors import LabError

log = logging.getLogger(__name__)

CLIENT_CLOSED_REQUEST = 499
"""For the access log, which other servers' use of it has made familiar; nobody is there to read it."""
LAB_PATHS = (
    "/inference",
    "/orchestrate",
    "/models",
    "/health",
    "/cache",
    "/agents",
    "/flows",
    "/executions",
    "/monitoring",
    "/api/v1",
    "/ws",
)
"""Where RFC 9457 problem details are answered. Everything else speaks as the Agent Server does."""


def is_lab_path(path: str) -> bool:
    """Whether a route of ours answers there, and not one of the Agent Server or of a user's application."""
    return any(path == own or path.startswith(f"{own}/") for own in LAB_PATHS)


def problem(
    status: int, detail: str, execution: UUID | None = None, *, errors: Sequence[Mistake] = (), **more: Any
) -> JSONResponse:
    """A problem-details response. `execution`: which request it answers; `more`: further members of the body."""
    body = {"type": "about:blank", "title": title_of(status), "status": status, "detail": _printable(detail), **more}
    if execution is not None:
        body["execution_id"] = str(execution)
    if errors:
        body["errors"] = [{"field": _printable(one.field), "message": _printable(one.message)} for one in errors]
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def title_of(status: int) -> str:
    """What this status is called."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def mistakes_of(error: LabError) -> Sequence[Mistake]:
    """Field by field, where it is known which ones are wrong: in a body, or in a definition."""
    match error:
        case Invalid():
            return error.mistakes
        case FlowErrors():
            return [Mistake(where(fault.path), fault.message) for fault in error.faults[:MAX_FAULTS]]
    return ()


def refused(
    scope: Scope,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    *,
    errors: Sequence[Mistake] = (),
) -> JSONResponse:
    """An error in the form that clients of the scope's path read."""
    if is_lab_path(path_of(scope)):
        response = problem(status, detail, execution_id(scope), errors=errors)
    else:
        response = JSONResponse({"detail": _printable(detail)}, status_code=status)
    response.headers.update(headers or {})
    return response


def install_error_handlers(app: FastAPI) -> None:
    """Map our tree, FastAPI's validation errors, plain HTTP errors and everything unforeseen."""

    @app.exception_handler(LabError)
    async def _lab_error(request: Request, error: LabError) -> JSONResponse:
        if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return refused(request.scope, error.status, str(error), errors=mistakes_of(error))

    @app.exception_handler(RequestValidationError)
    async def _validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [Mistake.of(item["loc"], item["msg"]) for item in error.errors()[:MAX_TOLD]]
        detail = "; ".join(str(one) for one in errors)
        return refused(request.scope, HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=errors)

    @app.exception_handler(ClientGone)
    async def _client_gone(request: Request, error: ClientGone) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    @app.exception_handler(HTTPException)
    async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
        return refused(request.scope, error.status_code, str(error.detail), error.headers)

    @app.exception_handler(Exception)
    async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
        """The server logs the traceback, since Starlette raises the error again behind this answer."""
        return refused(request.scope, HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")


def _printable(text: str) -> str:
    """With question marks for halves of surrogate pairs, which no answer can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
