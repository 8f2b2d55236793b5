"""What every request gets, whoever answers it: an execution id, and a line in the log."""

from __future__ import annotations

import logging
import time
from uuid import UUID

from langchain_core.utils.uuid import uuid7
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, reset_contextvars

EXECUTION_ID = "lab.execution_id"
"""Where a scope holds the id, a UUID."""
HEADER = "X-Execution-ID"
PATH = "lab.path"
"""Where a scope holds the path without the prefix under which langgraph.json mounts the server."""
QUIET = frozenset({"/ok", "/metrics", "/health", "/api/v1/health", "/api/v1/ready", "/api/v1/metrics"})
"""Asked every few seconds by whoever watches the process: told on level DEBUG."""
MAX_PATH_CHARS = 500
_STARTS = ("http.response.start", "websocket.http.response.start", "websocket.accept")

log = logging.getLogger("server.access")


def execution_id(scope: Scope) -> UUID:
    """The request's own. One that no `Access` has seen, in a test say, gets one now."""
    found: UUID = scope.setdefault(EXECUTION_ID, uuid7())
    return found


def path_of(scope: Scope) -> str:
    """The path as the server's routes know it."""
    path: str = scope.get(PATH, scope["path"])
    return path


class Access:
    """The outermost of all, beyond the answer to errors that nobody foresaw: names the request and tells its end.

    The id is made here, never taken from the client. It stands in the scope, in the answer's header and in every log
    line of the request's task.
    """

    def __init__(self, app: ASGIApp, prefix: str = "") -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        name = uuid7()
        scope[EXECUTION_ID] = name
        scope[PATH] = _without(self._prefix, scope["path"])
        status, begun = 0, time.monotonic()

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] in _STARTS:
                status = message.get("status", 101)
                message.setdefault("headers", [])
                MutableHeaders(scope=message)[HEADER] = str(name)
            elif message["type"] == "websocket.close":
                status = message.get("code", 1000)
            await send(message)

        # A route that makes a run binds its id, too; `...` is structlog's word for none.
        bound = bind_contextvars(execution_id=str(name), run_id=...)
        try:
            await self._app(scope, receive, named)
        except BaseException:
            # Left bound: whoever logs the error does so in this task, which ends with it.
            _tell(scope, status or 500, begun)
            raise
        _tell(scope, status, begun)
        reset_contextvars(**bound)


def _without(prefix: str, path: str) -> str:
    return path[len(prefix) :] if prefix and path.startswith(f"{prefix}/") else path


def _tell(scope: Scope, status: int, begun: float) -> None:
    """One line: of a stream when it is over, of a WebSocket with the code of its close."""
    level = logging.DEBUG if scope[PATH].rstrip("/") in QUIET else logging.INFO
    if not log.isEnabledFor(level):
        return
    method, path = scope.get("method", "WEBSOCKET"), scope["path"][:MAX_PATH_CHARS]
    milliseconds = round((time.monotonic() - begun) * 1_000, 1)
    fields = {"method": method, "path": path, "status": status, "ms": milliseconds}
    log.log(level, "%s %s %s", method, path, status, extra=fields)
