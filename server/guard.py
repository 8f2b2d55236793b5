"""Who may talk to a loopback server: this machine's own pages and programs, with bodies of bounded size."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import problem

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
MAX_BODY_BYTES = 2_000_000


class Guard:
    """Refuses foreign Host and Origin headers (DNS rebinding, any web page) and large bodies.

    A browser sends `Origin` with every cross-site request; programs send none, and none is needed.
    """

    def __init__(self, app: ASGIApp, allowed_origins: Iterable[str]) -> None:
        self._app = app
        self._origins = frozenset(allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        wrong = refusal(headers.get("host", ""), headers.get("origin"), self._origins)
        if wrong is not None and scope["type"] == "http":
            await problem(403, wrong)(scope, receive, send)
        elif wrong is not None:
            await send({"type": "websocket.close", "code": 1008, "reason": wrong})
        elif int(headers.get("content-length") or 0) > MAX_BODY_BYTES:
            await problem(413, f"the body is larger than {MAX_BODY_BYTES:,} bytes")(scope, receive, send)
        else:
            await self._app(scope, _bounded(receive), send)


def refusal(host: str, origin: str | None, allowed_origins: frozenset[str]) -> str | None:
    """Why a request is refused, or None."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:  # such as an unclosed bracket
        name = None
    if name not in LOOPBACK_NAMES:
        return f"Host '{host[:100]}' is not this machine; use 127.0.0.1 or localhost"
    if origin is None or origin in allowed_origins or origin in (f"http://{host}", f"https://{host}"):
        return None
    return f"Origin '{origin[:100]}' is not allowed; add it to LAB_ALLOWED_ORIGINS"


def _bounded(receive: Receive) -> Receive:
    """The same body, cut off as a disconnect once it is too large (chunked bodies have no length)."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return {"type": "http.disconnect"} if seen > MAX_BODY_BYTES else message

    return bounded
