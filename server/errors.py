"""The error tree on the wire: problem details on the lab's own routes, `{"detail": …}` on those of the Agent Server."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from server.routes.whole import ClientGone
from state.errors import LabError

log = logging.getLogger(__name__)

CLIENT_CLOSED_REQUEST = 499
"""For the access log, which other servers' use of it has made familiar; nobody is there to read it."""
LAB_PATHS = (
    "/inference",
    "/orchestrate",
    "/models",
    "/health",
    "/agents",
    "/flows",
    "/executions",
    "/monitoring",
    "/api/v1",
)
"""Where RFC 9457 problem details are answered. Everything else speaks as the Agent Server does."""


def is_lab_path(path: str) -> bool:
    """Whether a route of ours answers there, and not one of the Agent Server or of a user's application."""
    return any(path == own or path.startswith(f"{own}/") for own in LAB_PATHS)


def problem(status: int, detail: str) -> JSONResponse:
    """A problem-details response."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def refused(path: str, status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An error in the form that clients of `path` read."""
    response = problem(status, detail) if is_lab_path(path) else JSONResponse({"detail": detail}, status_code=status)
    response.headers.update(headers or {})
    return response


def install_error_handlers(app: FastAPI) -> None:
    """Map our tree, FastAPI's validation errors, plain HTTP errors and everything unforeseen."""

    @app.exception_handler(LabError)
    async def _lab_error(request: Request, error: LabError) -> JSONResponse:
        if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return refused(request.url.path, error.status, str(error))

    @app.exception_handler(RequestValidationError)
    async def _validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
        wrong = "; ".join(_field(item["loc"], item["msg"]) for item in error.errors())
        return refused(request.url.path, HTTPStatus.UNPROCESSABLE_ENTITY, wrong)

    @app.exception_handler(ClientGone)
    async def _client_gone(request: Request, error: ClientGone) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    @app.exception_handler(HTTPException)
    async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
        return refused(request.url.path, error.status_code, str(error.detail), error.headers)

    @app.exception_handler(Exception)
    async def _unforeseen(request: Request, error: Exception) -> JSONResponse:
        """The server logs the traceback, since Starlette raises the error again behind this answer."""
        return refused(request.url.path, HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error")


def _field(location: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(str(part) for part in location if part != 'body') or 'body'}: {message}"
