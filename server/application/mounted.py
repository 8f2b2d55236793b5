"""The user's own routes, `http.app`: they win over the server's, their middleware sees every request."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

ALWAYS_OURS = frozenset({"/ok", "/info", "/metrics", "/docs", "/openapi.json"})
"""What monitoring asks; no application stands in for these."""

_INNER = "lab.inner"
_STATE = "lab.user_state"
_USERS = "user_app"


class UserRoutes:
    """Innermost middleware: hands each request to the user's application, which hands back what it has no route for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server: FastAPI | None = scope.get("app")
        users = None if server is None or scope["type"] == "lifespan" else getattr(server.state, _USERS, None)
        if users is None:
            await self._app(scope, receive, send)
            return
        inner = {"app": server, "call": self._app}
        state = {**scope.get("state", {}), **getattr(server.state, _STATE, {})} if server else {}
        await users({**scope, "state": state, _INNER: inner}, receive, send)


@asynccontextmanager
async def running(server: FastAPI, users: Any) -> AsyncIterator[None]:
    """Mount the user's application for as long as its lifespan lasts; None is no application."""
    if users is None:
        yield
        return
    server.state.user_app = with_fallback(users)
    lifespan = getattr(getattr(users, "router", None), "lifespan_context", None)
    if lifespan is None:
        yield
        return
    async with lifespan(users) as state:
        setattr(server.state, _STATE, dict(state or {}))
        yield


def with_fallback(users: Any) -> ASGIApp:
    """The application with the server's routes around its own; another ASGI callable stays as it is."""
    if isinstance(users, Starlette):
        routes = users.router.routes
        if not any(isinstance(route, _Server) for route in routes):
            routes.insert(0, _Server(ALWAYS_OURS))
            routes.append(_Server(None))
    app: ASGIApp = users
    return app


def merged(ours: dict[str, Any], users: dict[str, Any]) -> dict[str, Any]:
    """The user's description with our routes; theirs and their names win, except what no application stands in for."""
    paths = {**ours["paths"], **{path: one for path, one in users["paths"].items() if path not in ALWAYS_OURS}}
    parts = {
        kind: {**ours.get("components", {}).get(kind, {}), **users.get("components", {}).get(kind, {})}
        for kind in {*ours.get("components", {}), *users.get("components", {})}
    }
    return {**ours, "info": users["info"], "paths": paths, "components": parts}


class _Server(BaseRoute):
    """The server's own routes, as one of the user's application."""

    def __init__(self, paths: frozenset[str] | None) -> None:
        """None: whatever comes here."""
        self._paths = paths

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] not in ("http", "websocket") or _INNER not in scope:
            return Match.NONE, {}
        ours = self._paths is None or scope["path"] in self._paths
        return (Match.FULL if ours else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        inner = scope[_INNER]
        kept = {key: value for key, value in scope.items() if key not in ("router", "route", "endpoint", _INNER)}
        await inner["call"]({**kept, "app": inner["app"]}, receive, send)
