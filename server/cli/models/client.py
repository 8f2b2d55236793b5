"""A running `lab serve`, as the commands ask it: memory belongs to its process."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

import httpx

from server.settings import Settings
from server.streaming.sse import EVENT_STREAM
from server.wire.health import Health
from server.wire.models import ModelInfo
from state.errors import (
    BadRequest,
    Broken,
    Conflict,
    ContextOverflow,
    LabError,
    NotFound,
    TimedOut,
    Unavailable,
)
from state.models import MODEL_NAME
from state.resources import Reading

CONNECT_SEC = 2.0
LOOK_SEC = 2.0
"""How long a server may take to say how it is, before it counts as absent."""

ERRORS: dict[int, type[LabError]] = {
    error.status: error for error in (NotFound, Conflict, ContextOverflow, Unavailable, TimedOut)
}


class Server:
    """What answers on `LAB_HOST:LAB_PORT`. Raises Unavailable when nothing does, else the errors that it tells."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.url = str(client.base_url).rstrip("/")

    def look(self) -> Reading | None:
        """Its memory now; None when no server answers in time. Raises nothing."""
        try:
            answer = self._client.get("/health", timeout=LOOK_SEC)
            return Health.model_validate(answer.json()).memory
        except (httpx.HTTPError, ValueError):
            return None

    def show(self, name: str) -> ModelInfo:
        """One model."""
        return ModelInfo.model_validate(self._ask("GET", name))

    def add(self, name: str, fields: Mapping[str, Any]) -> ModelInfo:
        return ModelInfo.model_validate(self._ask("PUT", name, body=fields))

    def remove(self, name: str) -> None:
        self._ask("DELETE", name)

    def load(self, name: str, order: Mapping[str, Any]) -> ModelInfo:
        """Returns when it is in memory."""
        return ModelInfo.model_validate(self._ask("POST", name, "/load", order))

    def unload(self, name: str, order: Mapping[str, Any]) -> int:
        """How many left the memory."""
        return int(self._ask("POST", name, "/unload", order)["unloaded"])

    def pull(self, name: str) -> Iterator[tuple[int, int]]:
        """Have it fetch a model's files; yields bytes here and bytes in all."""
        with (
            self._errors_told(),
            self._client.stream("POST", f"{_path(name)}/pull", headers={"Accept": EVENT_STREAM}) as response,
        ):
            if not response.is_success:
                response.read()
                self._refuse(response.status_code, self._json(response))
            for event, data in read_events(response.iter_lines()):
                if event == "error":
                    self._refuse(data["status"], data)
                if event == "progress":
                    yield data["done_bytes"], data["total_bytes"]

    def _ask(self, method: str, name: str, verb: str = "", body: Mapping[str, Any] | None = None) -> Any:
        with self._errors_told():
            response = self._client.request(method, _path(name) + verb, json=body)
        if response.status_code == httpx.codes.NO_CONTENT:
            return None
        told = self._json(response)
        if not response.is_success:
            self._refuse(response.status_code, told)
        return told

    @contextmanager
    def _errors_told(self) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unavailable(f"no server answers on {self.url}; start one with: lab serve") from error
        except httpx.HTTPError as error:
            raise Unavailable(f"{self.url} broke off ({error!r}); its log says why") from error

    def _json(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            raise Unavailable(f"what answers on {self.url} is not Agent Lab; set LAB_PORT") from error

    def _refuse(self, status: int, told: object) -> NoReturn:
        detail = told.get("detail") if isinstance(told, dict) else None
        if not isinstance(detail, str):
            raise Unavailable(f"what answers on {self.url} is not Agent Lab; set LAB_PORT")
        raise error_of(status, detail)


@contextmanager
def open_server(settings: Settings) -> Iterator[Server]:
    """The server of these settings; nothing is asked yet."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    # No read timeout: a load takes as long as it takes. No proxy: it is this machine.
    timeout = httpx.Timeout(None, connect=CONNECT_SEC)
    with httpx.Client(base_url=f"http://{host}:{settings.port}", timeout=timeout, trust_env=False) as client:
        yield Server(client)


def error_of(status: int, detail: str) -> LabError:
    """The error that a server told by its status."""
    if status in ERRORS:
        return ERRORS[status](detail)
    return BadRequest(detail) if status < 500 else Broken(f"the server failed: {detail}; its log says more")


def read_events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """(event, data) of a stream of server-sent events whose data are JSON of one line, as ours are."""
    name = ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def _path(name: str) -> str:
    if not re.fullmatch(MODEL_NAME, name):
        raise BadRequest(f"{name!r} is no model's name: lower-case letters, digits, '.', '_' and '-', 64 at most")
    return f"/models/{name}"
