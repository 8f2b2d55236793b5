"""`/models` over HTTP: entries that come and go, downloads and loads whose clients stay or leave."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.acceptance.hubs import FIELDS, arrived, with_hub
from tests.acceptance.processes import Lab, Process
from tests.acceptance.test_serve import STREAM, read_events, until
from tests.integration.hub import WEIGHTS, Hub

NEW = {name: FIELDS[name] for name in ("repo", "revision", "context_length", "parameters")}


@pytest.fixture
def hub(lab: Lab) -> Iterator[Hub]:
    with with_hub(lab) as running:
        yield running


@pytest.fixture
def server(lab: Lab, hub: Hub) -> Iterator[Process]:
    with lab.start("serve", "--port", "0") as process:
        process.address()
        yield process


@pytest.fixture
def client(server: Process) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.address(), timeout=60) as client:
        yield client


@pytest.fixture
def shared(shared_server: Process) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shared_server.address(), timeout=60) as client:
        yield client


def residents(client: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/health").json()["memory"]["resident"]
    return found


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("GET", "/models/demos", None, 404, "did you mean demo?"),
        ("GET", "/models/DEMO", None, 422, "name"),
        ("GET", "/models/a b", None, 422, "name"),
        ("GET", f"/models/{'a' * 65}", None, 422, "name"),
        ("PUT", "/models/DEMO", NEW, 422, "name"),
        ("PUT", "/models/demo", NEW, 409, "choose another name"),
        ("PUT", "/models/mine", {**NEW, "revision": "main"}, 422, "revision"),
        ("PUT", "/models/mine", {**NEW, "repo": "../x"}, 422, "repo"),
        ("PUT", "/models/mine", {**NEW, "path": "/etc"}, 422, "path"),
        ("PUT", "/models/mine", {**NEW, "base_url": "http://inside"}, 422, "base_url"),
        ("PUT", "/models/mine", {**NEW, "factory": "os:system"}, 422, "factory"),
        ("PUT", "/models/mine", {**NEW, "pinned": True}, 422, "pinned"),
        ("PUT", "/models/mine", {**NEW, "parameters": 0}, 422, "parameters"),
        ("DELETE", "/models/demo", None, 409, "LAB_MODELS_FILE"),
        ("DELETE", "/models/mine", None, 404, "mine"),
        ("POST", "/models/demos/load", None, 404, "did you mean demo?"),
        ("POST", "/models/demo/load", {"strategy": "fast"}, 422, "strategy"),
        ("POST", "/models/demo/load", {"keep_alive": -2}, 422, "keep_alive"),
        ("POST", "/models/demo/load", {"wait": True}, 422, "wait"),
        ("POST", "/models/mistral7b/load", None, 404, "LAB_OFFLINE"),
        ("POST", "/models/demos/unload", None, 404, "did you mean demo?"),
        ("POST", "/models/demos/pull", None, 404, "did you mean demo?"),
        ("POST", "/models/mistral7b/pull", None, 404, "LAB_OFFLINE"),
    ],
)
def test_bad_input_is_a_problem_in_one_line(
    shared: httpx.Client, method: str, path: str, body: object, status: int, said: str
) -> None:
    response = shared.request(method, path, json=body)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert said in response.json()["detail"] and "\n" not in response.json()["detail"]


def test_a_refused_pull_is_no_stream(shared: httpx.Client) -> None:
    assert shared.post("/models/mistral7b/pull", headers=STREAM).status_code == 404


def test_an_order_to_load_may_say_nothing_or_everything(shared: httpx.Client) -> None:
    assert shared.post("/models/demo/load").json()["loaded"] == ["standard"]
    order = {"strategy": "standard", "pin": True, "keep_alive": 100}
    told = shared.post("/models/demo/load", json=order).json()
    assert told["residents"][0]["pinned"] and told["residents"][0]["kv_bytes"] > 0
    assert shared.get("/models/demo").json()["residents"][0]["pinned"]
    told = shared.post("/models/demo/load", json={"pin": False}).json()
    assert 90 < told["residents"][0]["expires_in_sec"] <= 100
    assert shared.post("/models/demo/unload").json() == {"unloaded": 1}
    assert shared.post("/models/demo/unload", json={"strategy": "optimized"}).json() == {"unloaded": 0}


def test_a_model_that_answers_is_not_unloaded(shared: httpx.Client) -> None:
    body = {"prompt": "Hello", "model": "slow"}
    with shared.stream("POST", "/orchestrate", json=body, headers=STREAM) as response:
        events = read_events(response)
        assert next(name for name, _ in events if name == "token")
        refused = shared.post("/models/slow/unload")
        assert refused.status_code == 503 and "answers 1 calls" in refused.json()["detail"]
    until(lambda: not any(model["leases"] for model in residents(shared)), shared)
    assert shared.post("/models/slow/unload").json() == {"unloaded": 1}


def test_an_added_model_is_there_until_it_is_removed_from_the_memory_too(client: httpx.Client, hub: Hub) -> None:
    assert client.put("/models/mine", json=NEW).json()["added"]
    assert client.put("/models/mine", json=NEW).status_code == 200
    assert client.put("/models/mine", json={**NEW, "bits": 8}).status_code == 409
    assert "mine" in [model["name"] for model in client.get("/models").json()]
    assert client.post("/models/mine/load").json()["loaded"] == ["standard"]
    assert client.delete("/models/mine").status_code == 204
    assert residents(client) == [] and client.get("/models/mine").status_code == 404
    # Another commit under the same name is another model: nothing of the first one answers for it.
    assert client.put("/models/mine", json={**NEW, "revision": "f" * 40}).json()["here"] is False


def test_a_remote_model_has_nothing_to_fetch_or_load(client: httpx.Client) -> None:
    assert client.get("/models/far").json()["remote"]
    for verb in ("pull", "load"):
        refused = client.post(f"/models/far/{verb}")
        assert refused.status_code == 422 and "remote" in refused.json()["detail"]


def test_a_pull_tells_its_progress_and_ends_with_the_model(client: httpx.Client, hub: Hub) -> None:
    with client.stream("POST", "/models/tiny/pull", headers=STREAM) as response:
        events = list(read_events(response))
    total = sum(map(len, hub.files.values()))
    assert events[-2] == ("progress", {"name": "tiny", "done_bytes": total, "total_bytes": total})
    assert events[-1][0] == "result" and events[-1][1]["here"]
    asked = len(hub.asked)
    assert client.post("/models/tiny/pull").json()["here"]
    assert not any(it.path.endswith(WEIGHTS) for it in hub.asked[asked:])


def test_a_pull_that_fails_half_way_ends_with_the_error(client: httpx.Client, hub: Hub) -> None:
    hub.damages = True
    with client.stream("POST", "/models/tiny/pull", headers=STREAM) as response:
        name, data = list(read_events(response))[-1]
    assert name == "error" and data["status"] == 503 and "arrived damaged" in data["detail"]


@pytest.mark.parametrize("headers", [STREAM, {}], ids=["stream", "json"])
def test_a_client_that_leaves_stops_its_download_and_the_next_goes_on(
    client: httpx.Client, server: Process, hub: Hub, lab: Lab, headers: dict[str, str]
) -> None:
    hub.go_on.clear()
    hub.held_from = 100_000
    with httpx.Client(base_url=server.address(), timeout=60) as leaving:
        if headers:
            with leaving.stream("POST", "/models/tiny/pull", headers=headers) as response:
                events = read_events(response)  # kept: a reader that is dropped closes the connection
                assert next(events)[0] == "progress"
                until(lambda: arrived(lab, hub) >= 90_000, client)
        else:
            with pytest.raises(httpx.ReadTimeout):
                leaving.post("/models/tiny/pull", timeout=httpx.Timeout(60, read=3))
            until(lambda: arrived(lab, hub) >= 90_000, client)
    server.wait_for("a client left a download: model=tiny")
    hub.go_on.set()
    assert client.post("/models/tiny/pull").json()["here"]
    assert re.fullmatch(r"bytes=\d{5,}-", str(hub.of(WEIGHTS)[-1].range))
    assert "Traceback" not in "".join(server.errors)


def test_a_download_goes_on_for_the_one_who_stays(client: httpx.Client, server: Process, hub: Hub, lab: Lab) -> None:
    hub.go_on.clear()
    hub.held_from = 100_000
    with (
        httpx.Client(base_url=server.address(), timeout=60) as leaving,
        leaving.stream("POST", "/models/tiny/pull", headers=STREAM) as response,
        client.stream("POST", "/models/tiny/pull", headers=STREAM) as staying,
    ):
        first, events = read_events(response), read_events(staying)
        assert next(first)[0] == next(events)[0] == "progress"
        response.close()
        server.wait_for("a client left a download: model=tiny")
        hub.go_on.set()
        assert list(events)[-1][0] == "result"


def test_a_client_that_leaves_takes_its_load_back(client: httpx.Client, server: Process, hub: Hub) -> None:
    hub.go_on.clear()
    with httpx.Client(base_url=server.address(), timeout=60) as leaving, pytest.raises(httpx.ReadTimeout):
        leaving.post("/models/tiny/load", timeout=httpx.Timeout(60, read=2))
    until(lambda: client.get("/health").json()["memory"]["waiting"] == 0, client)
    hub.go_on.set()
    assert client.post("/models/demo/load").json()["loaded"] == ["standard"]
    assert [model["name"] for model in residents(client)] == ["demo"]
    assert "Traceback" not in "".join(server.errors)


def test_sigterm_ends_a_pull(client: httpx.Client, server: Process, hub: Hub) -> None:
    hub.go_on.clear()
    with client.stream("POST", "/models/tiny/pull", headers=STREAM) as response:
        events = read_events(response)
        assert next(events)[0] == "progress"
        server.popen.send_signal(signal.SIGTERM)
        with suppress(httpx.RemoteProtocolError):
            assert "result" not in [name for name, _ in events]
    server.popen.wait(timeout=30)
    assert "Traceback" not in "".join(server.errors)
