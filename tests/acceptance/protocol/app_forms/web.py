"""The application's own routes, beside the server's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response, WebSocket


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    app.state.opened = True
    yield {"shared": "from the lifespan"}


app = FastAPI(lifespan=lifespan, title="An application of its own")


@app.get("/own")
async def own() -> dict[str, Any]:
    return {"opened": app.state.opened}


@app.get("/own/state")
async def state(request: Request) -> dict[str, Any]:
    return {"shared": request.state.shared}


@app.post("/own/echo")
async def echo(body: dict[str, Any]) -> dict[str, Any]:
    return {"echo": body}


@app.get("/ok")
async def never_asked() -> dict[str, str]:
    return {"ok": "the application's"}


@app.get("/assistants/mine")
async def mine() -> dict[str, str]:
    return {"assistant": "the application's"}


@app.get("/own/refused")
async def refused() -> None:
    raise PermissionError("not this one")


@app.exception_handler(PermissionError)
async def _refused(request: Request, error: Exception) -> Response:
    return Response(str(error), status_code=418)


@app.websocket("/own/socket")
async def socket(connection: WebSocket) -> None:
    await connection.accept()
    await connection.send_text(await connection.receive_text())
    await connection.close()


@app.middleware("http")
async def mark(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await call_next(request)
    response.headers["x-application"] = "seen"
    return response
