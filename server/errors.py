"""The error tree on the wire: RFC 9457 problem details, one line of `detail`."""

from __future__ import annotations

import logging
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


def problem(status: int, detail: str) -> JSONResponse:
    """A problem-details response."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def install_error_handlers(app: FastAPI) -> None:
    """Map our tree, FastAPI's validation errors and plain HTTP errors to problem details."""

    @app.exception_handler(LabError)
    async def _lab_error(request: Request, error: LabError) -> JSONResponse:
        if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return problem(error.status, str(error))

    @app.exception_handler(RequestValidationError)
    async def _validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, "; ".join(_field(item["loc"], item["msg"]) for item in error.errors()))

    @app.exception_handler(ClientGone)
    async def _client_gone(request: Request, error: ClientGone) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    @app.exception_handler(HTTPException)
    async def _http_error(request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail))


def _field(location: tuple[int | str, ...], message: str) -> str:
    return f"{'.'.join(str(part) for part in location if part != 'body') or 'body'}: {message}"
