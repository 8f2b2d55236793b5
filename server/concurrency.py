"""How many requests may make or follow runs at the same time."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from server.errors import refused
from server.telemetry.access import path_of

TOO_MANY = 429
RETRY_AFTER_SEC = 1
_RUNS = re.compile(
    r"/(inference|orchestrate|flows/execute|api/v1/execute|api/v1/crew/execute"
    r"|(executions|api/v1/crew/jobs)/[^/]+/stream|ws/.+)/?"
)


def makes_or_follows(path: str) -> bool:
    """Whether a request to this path holds on to a run: models, memory and connections are behind it.

    Those of the Agent Server API are not among them: they wait in the run queue, as they do on the reference server.
    """
    return _RUNS.fullmatch(path) is not None


class Concurrency:
    """Answers 429 to more than `most` such requests at once; all others, such as health and metrics, always pass."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or not makes_or_follows(path_of(scope)):
            await self._app(scope, receive, send)
            return
        if self._held >= self._most:
            await self._refuse(scope, receive, send)
            return
        self._held += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._held -= 1

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket" and "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1013, "reason": self._why})
            return
        headers = {"Retry-After": str(RETRY_AFTER_SEC)}
        await refused(scope, TOO_MANY, self._why, headers)(scope, receive, send)

    @property
    def _why(self) -> str:
        return f"{self._most} requests make or follow runs already; try again, or raise LAB_MAX_CONCURRENT"
