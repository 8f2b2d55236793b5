"""Raw requests about runs: what the SDK hides, headers, frames and error bodies, in few words."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import httpx

T = TypeVar("T")
MISSING = "6ba7b821-9dad-11d1-80b4-00c04fd430c9"
"""The id of nothing."""
PATIENCE_SEC = 20.0


class Said(NamedTuple):
    """One server-sent event; `id` is empty where it has none, `event` where it is a comment."""

    event: str
    data: Any
    id: str = ""


def said(text: str) -> list[Said]:
    """The events of a stream's text, comments left out."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if fields:
            found.append(Said(fields["event"], json.loads(fields["data"]), fields.get("id", "")))
    return found


def until(look: Callable[[], T], seconds: float = PATIENCE_SEC) -> T:
    """The first thing seen that is true. Fails when nothing is for too long."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"still {seen!r} after {seconds} s"
        time.sleep(0.05)
    return seen


class Talk:
    """One client, talking to a server about runs."""

    def __init__(self, address: str) -> None:
        self.http = httpx.Client(base_url=address, timeout=30)

    def thread(self, **body: Any) -> str:
        return str(self.http.post("/threads", json=body).raise_for_status().json()["thread_id"])

    def shown(self, thread: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/threads/{thread}").raise_for_status().json()
        return found

    def ask(self, thread: str | None, assistant: str, how: str = "", **body: Any) -> httpx.Response:
        """POST a run; `how` is "", "/stream" or "/wait"."""
        home = f"/threads/{thread}/runs" if thread else "/runs"
        return self.http.post(f"{home}{how}", json={"assistant_id": assistant, **body})

    def start(self, thread: str | None, assistant: str, **body: Any) -> dict[str, Any]:
        """A run in the background."""
        made: dict[str, Any] = self.ask(thread, assistant, **body).raise_for_status().json()
        return made

    def wait(self, thread: str | None, assistant: str, **body: Any) -> Any:
        return self.ask(thread, assistant, "/wait", **body).raise_for_status().json()

    def stream(self, thread: str | None, assistant: str, **body: Any) -> list[Said]:
        return said(self.ask(thread, assistant, "/stream", **body).raise_for_status().text)

    def joined(self, thread: str, run_id: str, last: str | None = None, **params: Any) -> list[Said]:
        headers = {"Last-Event-ID": last} if last is not None else {}
        path = f"/threads/{thread}/runs/{run_id}/stream"
        return said(self.http.get(path, headers=headers, params=params).raise_for_status().text)

    def run(self, thread: str, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/threads/{thread}/runs/{run_id}").raise_for_status().json()
        return found

    def runs(self, thread: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.http.get(f"/threads/{thread}/runs").raise_for_status().json()
        return found

    def status(self, thread: str, run_id: str) -> str | None:
        """None where it is gone."""
        answer = self.http.get(f"/threads/{thread}/runs/{run_id}")
        return str(answer.json()["status"]) if answer.is_success else None

    def has_begun(self, thread: str, run_id: str) -> None:
        """Wait until a run of `works` is in its slow step."""
        until(lambda: self.status(thread, run_id) != "pending")
        until(lambda: self.history(thread) and self.history(thread)[0]["next"] == ["work"])

    def has_ended(self, thread: str, run_id: str) -> str | None:
        """How it ended, once it has; None where it is gone then."""
        until(lambda: self.status(thread, run_id) not in ("pending", "running"))
        return self.status(thread, run_id)

    def cancel(self, thread: str, run_id: str, **params: Any) -> httpx.Response:
        return self.http.post(f"/threads/{thread}/runs/{run_id}/cancel", params=params)

    def history(self, thread: str, limit: int = 50) -> list[dict[str, Any]]:
        """States of the thread, newest first."""
        found = self.http.get(f"/threads/{thread}/history", params={"limit": limit}).raise_for_status()
        states: list[dict[str, Any]] = found.json()
        return states


@contextmanager
def talking(address: str) -> Iterator[Talk]:
    talk = Talk(address)
    try:
        yield talk
    finally:
        talk.http.close()
