"""`lab serve` over WebSockets, with models: tokens as over HTTP, a client that is cut off, a server that stops."""

from __future__ import annotations

import json
import signal

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.acceptance.processes import Lab
from tests.acceptance.protocol.talking import Said, said

SUM = "What is 17 + 25?"


def heard(client: ClientConnection, most: int | None = None) -> list[Said]:
    """What a client is told to the end, or so many events of it; heartbeats are left out."""
    found: list[Said] = []
    try:
        while most is None or len(found) < most:
            told = json.loads(client.recv(30))
            if "id" in told:
                found.append(Said(told["event"], told["data"], told["id"]))
    except ConnectionClosed:
        pass
    return found


def test_runs_are_told_alike_over_http_and_websockets_and_a_server_that_stops_says_so(lab: Lab) -> None:
    with lab.start("serve", "--port", "0") as process:
        address = process.address()
        sockets = address.replace("http", "ws")
        with httpx.Client(base_url=address, timeout=60) as http:
            # Made over a WebSocket, heard again over HTTP.
            with connect(f"{sockets}/ws/execute") as client:
                client.send(json.dumps({"prompt": SUM}))
                executed = heard(client)
                assert client.close_code == 1000
            run_id = executed[0].data["run_id"]
            assert executed[-1].event == "result" and executed[-1].data["output"]
            assert "token" in [event.event for event in executed]
            assert said(http.get(f"/runs/{run_id}/stream", headers={"Last-Event-ID": "-1"}).text) == executed

            # Made over HTTP, heard again over WebSockets, after a cut also.
            asked = http.post("/orchestrate", json={"prompt": SUM}, headers={"Accept": "text/event-stream"})
            orchestrated = said(asked.text)
            run_id = orchestrated[0].data["run_id"]
            for after in (0, 1, len(orchestrated) // 2, len(orchestrated)):
                with connect(f"{sockets}/ws/runs/{run_id}?last_event_id={after}") as client:
                    assert heard(client) == orchestrated[after:]

            # Cut off while tokens come, and here again.
            with connect(f"{sockets}/ws/execute") as client:
                client.send(json.dumps({"prompt": "Hello", "model": "slow", "max_tokens": 50_000}))
                begun = heard(client, 10)
                client.socket.close()
            run_id = begun[0].data["run_id"]
            with connect(f"{sockets}/ws/runs/{run_id}", additional_headers={"Last-Event-ID": begun[-1].id}) as client:
                begun += heard(client, 10)
                client.send('{"type": "cancel"}')
                begun += heard(client)
                assert begun[-1].event == "error" and client.close_code == 1000
            assert [int(event.id) for event in begun] == list(range(1, len(begun) + 1))

            with connect(f"{sockets}/ws/execute") as client:
                process.popen.send_signal(signal.SIGTERM)
                assert heard(client) == [] and client.close_code == 1012
        assert process.popen.wait(30) in (0, -signal.SIGTERM)
    assert not [line for line in process.errors if "Warning" in line or "Traceback" in line]
