"""Who may talk to a loopback server: this machine's own pages and programs, with requests of bounded size."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.application.shapes import CorsConfig
from server.errors import refused

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
MAX_URL_BYTES = 16_000
EXPOSED_HEADERS = ("x-pagination-total", "x-pagination-next", "content-location", "location", "x-execution-id")
"""What the JavaScript client reads: pages of a search, and where to take a broken stream up again; and what a
request is called in the logs."""
LISTED_ORIGIN = "lab.listed_origin"
"""Set in the scope of a request whose Origin the operator named."""
_HIDDEN_SEPARATOR = re.compile(
    rb"/(assistants|threads|runs|store|agents|crew|flows|executions)/.*(%2f|%5c)", re.IGNORECASE | re.DOTALL
)
"""In an id of the Agent Server, an agent, a crew or a flow; names of models and own routes may hold one."""


@dataclass(frozen=True)
class Cors:
    """Which web pages may call, and what a browser lets them do. Fields as those of Starlette's CORSMiddleware."""

    allow_origins: Collection[str] = ()
    allow_origin_regex: str | None = None
    allow_methods: Sequence[str] = ("*",)
    allow_headers: Sequence[str] = ("*",)
    allow_credentials: bool = False
    expose_headers: Sequence[str] = EXPOSED_HEADERS
    max_age: int = 600

    def lists(self, origin: str) -> bool:
        """Whether the operator named this very origin; `*` names none."""
        matches = self.allow_origin_regex is not None and re.fullmatch(self.allow_origin_regex, origin) is not None
        return matches or (origin in self.allow_origins and origin != "*")

    def allows(self, origin: str) -> bool:
        return "*" in self.allow_origins or self.lists(origin)


def cors_of(allowed_origins: Sequence[str], config: CorsConfig | None) -> Cors:
    """The operator's origins, and what the application's `http.cors` adds to them."""
    given = config.model_dump(include=set(CorsConfig.model_fields), exclude_none=True) if config else {}
    return Cors(**{**given, "allow_origins": (*allowed_origins, *given.get("allow_origins", ()))})


def install_guard(app: FastAPI, cors: Cors, max_body_bytes: int) -> None:
    """CORS and the guard around the whole application, the guard outermost."""
    app.add_middleware(
        CORSMiddleware,
        allow_origins=list(cors.allow_origins),
        allow_origin_regex=cors.allow_origin_regex,
        allow_methods=cors.allow_methods,
        allow_headers=cors.allow_headers,
        allow_credentials=cors.allow_credentials,
        expose_headers=[*cors.expose_headers, *(name for name in EXPOSED_HEADERS if name not in cors.expose_headers)],
        max_age=cors.max_age,
        # A page of the public web asks its browser for this before it reaches a loopback server, such as Studio's.
        allow_private_network=True,
    )
    app.add_middleware(Guard, cors=cors, max_body_bytes=max_body_bytes)


class Guard:
    """Refuses foreign Host and Origin headers (DNS rebinding, any web page), URLs that hide a path, large requests.

    A browser sends `Origin` with every cross-site request; programs send none, and none is needed.
    """

    def __init__(self, app: ASGIApp, cors: Cors, max_body_bytes: int) -> None:
        self._app = app
        self._cors = cors
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        wrong = refusal(headers.get("host", ""), origin, self._cors)
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send, wrong)
            return
        status, why = (403, wrong) if wrong else self._out_of_bounds(scope, headers)
        if why is not None:
            await refused(scope, status, why)(scope, receive, send)
            return
        if origin is not None and self._cors.lists(origin):
            scope[LISTED_ORIGIN] = True
        # As in bodies: Postgres can neither hold a NUL nor be asked about one.
        scope["query_string"] = scope.get("query_string", b"").replace(b"%00", b"%EF%BF%BD")
        await self._bounded(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send, wrong: str | None) -> None:
        if wrong is None:
            await self._app(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": wrong})

    def _out_of_bounds(self, scope: Scope, headers: Headers) -> tuple[int, str | None]:
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        if len(path) + len(scope.get("query_string", b"")) > MAX_URL_BYTES:
            return 414, f"the URL is longer than {MAX_URL_BYTES:,} bytes"
        if _HIDDEN_SEPARATOR.search(path):
            return 422, "the path holds an encoded separator, which no id does"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._max_body_bytes:
            return 413, self._too_large
        return 200, None

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413 as soon as the body is too large, also where it has no length (chunked)."""
        seen, started = 0, False

        async def bounded() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_body_bytes:
                raise BodyTooLarge(413, self._too_large)
            return message

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, bounded, watched)
        except BodyTooLarge as error:
            if started:
                raise
            await refused(scope, 413, error.detail)(scope, receive, send)

    @property
    def _too_large(self) -> str:
        return f"the body is larger than {self._max_body_bytes:,} bytes"


class BodyTooLarge(HTTPException):
    """Raised to whoever reads the body. FastAPI lets only HTTP errors through while it reads one."""


def refusal(host: str, origin: str | None, cors: Cors) -> str | None:
    """Why a request is refused, or None."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:  # such as an unclosed bracket
        name = None
    if name not in LOOPBACK_NAMES:
        return f"Host '{host[:100]}' is not this machine; use 127.0.0.1 or localhost"
    if origin is None or cors.allows(origin) or origin in (f"http://{host}", f"https://{host}"):
        return None
    return f"Origin '{origin[:100]}' is not allowed; add it to LAB_ALLOWED_ORIGINS"
