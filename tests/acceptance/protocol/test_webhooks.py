"""Webhooks: who is called when a run has ended, with what, how often. The server's langgraph.json allows loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.acceptance.protocol.servers import Kind, serving
from tests.acceptance.protocol.talking import Talk, until
from tests.conftest import TEMPLATE, new_database


class Call(NamedTuple):
    path: str
    headers: dict[str, str]
    body: Any


class Listener:
    """A receiver: a path that begins with `/500` fails, `/302` leads elsewhere; anything else is thanked."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        calls = self.calls

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                calls.append(Call(self.path, headers, json.loads(raw) if raw else None))
                asked = self.path.split("/")[1]
                self.send_response(int(asked) if asked.isdecimal() else 200)
                self.send_header("location", "/target")
                self.send_header("content-length", "0")
                self.end_headers()

            do_GET = do_POST

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def at(self, path: str) -> list[Call]:
        return [call for call in self.calls if call.path == path]

    def one(self, path: str) -> Call:
        return until(lambda: self.at(path))[0]


@pytest.fixture(scope="module")
def calling(request: pytest.FixtureRequest, kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that may call this machine."""
    folder: Path = tmp_path_factory.mktemp("calling")
    if kind == "reference":
        with serving(kind, folder, config="calling.json") as address:
            yield address
        return
    with (
        new_database(request.getfixturevalue("postgres"), TEMPLATE) as url,
        serving(kind, folder, database_url=url, config="calling.json") as address,
    ):
        yield address


@pytest.fixture
def talk(calling: str) -> Iterator[Talk]:
    opened = Talk(calling)
    yield opened
    opened.http.close()


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    opened = Listener()
    thread = threading.Thread(target=opened.server.serve_forever)
    thread.start()
    yield opened
    opened.server.shutdown()
    thread.join()
    opened.server.server_close()


BODY = [
    "run_id",
    "thread_id",
    "assistant_id",
    "metadata",
    "status",
    "kwargs",
    "multitask_strategy",
    "created_at",
    "updated_at",
    "langsmith_session_name",
    "run_started_at",
    "run_ended_at",
    "webhook_sent_at",
    "values",
]


@pytest.mark.parametrize("how", ["", "/wait", "/stream"])
def test_the_end_of_a_run_is_posted(talk: Talk, listener: Listener, how: str) -> None:
    thread, path = talk.thread(), f"/end{how.replace('/', '-')}"
    answer = talk.ask(thread, "steps", how, input={"note": "hi"}, webhook=listener.address + path, metadata={"m": 1})
    assert answer.status_code == 200
    body = listener.one(path).body
    assert list(body) == BODY
    assert body["thread_id"] == thread
    assert body["status"] == "success"
    assert body["values"] == {"trail": ["a", "b", "c"], "note": "hi"}
    assert body["metadata"]["m"] == 1
    assert body["kwargs"]["webhook"] == listener.address + path
    assert body["kwargs"]["input"] == {"note": "hi"}
    assert body["multitask_strategy"] == "enqueue"
    assert body["langsmith_session_name"] is None
    run = talk.http.get(f"/threads/{thread}/runs/{body['run_id']}").json()
    assert {name: run[name] for name in ("run_id", "assistant_id", "status", "created_at")} == {
        name: body[name] for name in ("run_id", "assistant_id", "status", "created_at")
    }


def test_its_times_are_in_order(talk: Talk, listener: Listener) -> None:
    talk.ask(talk.thread(), "steps", "/wait", input={}, webhook=f"{listener.address}/times")
    body = listener.one("/times").body
    names = ("created_at", "run_started_at", "run_ended_at", "webhook_sent_at")
    times = [datetime.fromisoformat(body[name]) for name in names]
    assert times == sorted(times)
    assert all(body[name].endswith("+00:00") for name in names)


def test_its_headers_are_those_of_the_configuration(talk: Talk, listener: Listener) -> None:
    talk.ask(talk.thread(), "steps", "/wait", input={}, webhook=f"{listener.address}/headers?x=1#part")
    headers = listener.one("/headers?x=1").headers
    assert headers["content-type"] == "application/json"
    assert headers["x-static"] == "v"
    assert headers["authorization"] == "Bearer a-token"
    assert headers["host"] == listener.address.removeprefix("http://")


def test_a_host_name_is_kept_in_the_host_header(talk: Talk, listener: Listener) -> None:
    url = f"http://localhost:{listener.server.server_port}/named"
    talk.ask(talk.thread(), "steps", "/wait", input={}, webhook=url)
    assert listener.one("/named").headers["host"] == f"localhost:{listener.server.server_port}"


@pytest.mark.parametrize("how", ["", "/wait", "/stream"])
def test_a_run_without_a_thread_is_posted_without_values(talk: Talk, listener: Listener, how: str) -> None:
    path = f"/stateless{how.replace('/', '-')}"
    talk.ask(None, "steps", how, input={"note": "hi"}, webhook=listener.address + path)
    body = listener.one(path).body
    assert list(body) == BODY
    assert (body["status"], body["values"]) == ("success", None)


def test_a_failed_run_says_why(talk: Talk, listener: Listener) -> None:
    thread = talk.thread()
    talk.ask(thread, "threads_failing", input={}, webhook=f"{listener.address}/failed")
    body = listener.one("/failed").body
    assert list(body) == [*BODY, "error"]
    assert body["status"] == "error"
    assert set(body["error"]) == {"error", "message"}


def test_an_interrupted_run_is_posted_as_done(talk: Talk, listener: Listener) -> None:
    talk.ask(talk.thread(), "asks", "/wait", input={}, webhook=f"{listener.address}/asked")
    body = listener.one("/asked").body
    assert list(body) == BODY
    assert body["status"] == "success"


def test_each_run_of_a_thread_has_its_own_call(talk: Talk, listener: Listener) -> None:
    thread = talk.thread()
    for n in range(3):
        talk.ask(thread, "steps", input={"note": str(n)}, webhook=f"{listener.address}/own/{n}")
    bodies = [listener.one(f"/own/{n}").body for n in range(3)]
    assert len({body["run_id"] for body in bodies}) == 3
    assert [body["kwargs"]["input"] for body in bodies] == [{"note": str(n)} for n in range(3)]


def test_a_receiver_that_fails_is_called_again_with_the_same_body(talk: Talk, listener: Listener) -> None:
    talk.ask(talk.thread(), "steps", "/wait", input={}, webhook=f"{listener.address}/500/again")
    calls = until(lambda: len(listener.at("/500/again")) >= 3 and listener.at("/500/again"))
    assert len({json.dumps(call.body) for call in calls or ()}) == 1


@pytest.mark.ours_only("it follows redirects, so that a public receiver leads it anywhere")
def test_a_redirect_is_not_followed(talk: Talk, listener: Listener) -> None:
    talk.ask(talk.thread(), "steps", "/wait", input={}, webhook=f"{listener.address}/302/away")
    talk.ask(talk.thread(), "steps", "/wait", input={}, webhook=f"{listener.address}/after")
    listener.one("/302/away")
    listener.one("/after")
    assert len(listener.at("/302/away")) == 1
    assert listener.at("/target") == []


def test_a_relative_url_is_a_path_of_the_server_itself(talk: Talk) -> None:
    answer = talk.ask(talk.thread(), "steps", "/wait", input={}, webhook="/threads/count")
    assert answer.status_code == 200


@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "http://0.0.0.0/", "ftp://example.com/"])
def test_allowing_loopback_allows_nothing_else(talk: Talk, url: str) -> None:
    answer = talk.ask(talk.thread(), "steps", input={}, webhook=url)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("Webhook host blocked: ")


def test_a_receiver_that_is_not_there_fails_nothing_else(talk: Talk) -> None:
    answer = talk.ask(talk.thread(), "steps", "/wait", input={"note": "hi"}, webhook="http://127.0.0.1:9/")
    assert answer.json() == {"trail": ["a", "b", "c"], "note": "hi"}
    assert httpx.get(f"{talk.http.base_url}/ok").json()["ok"] is True
