"""An agent as anybody might run one: `python http_agent.py NAME PORT FOLDER` answers POST /process and GET /health.

Each call becomes a line of FOLDER/NAME.calls before it is answered. FOLDER/NAME.mode, read at each call, says how:
`{"status": 500}`, `{"hold": true}` (answers when that is gone), `{"say": …}` (its output), `{"echo": true}` (a refusal
that repeats the key it was sent).
"""

from __future__ import annotations

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

name, port, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])


def mode() -> dict[str, Any]:
    try:
        return dict(json.loads((folder / f"{name}.mode").read_text()))
    except FileNotFoundError:
        return {}


class Agent(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.answer(200 if self.path == "/health" else 404, {"status": "ok"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self.headers.get("X-API-Key")
        call = {
            "pid": os.getpid(),
            "input": body["input"],
            "config": body["config"],
            "key": key,
            "bearer": self.headers.get("Authorization"),
            "idempotency": self.headers.get("Idempotency-Key"),
            "execution": self.headers.get("X-Execution-Id"),
        }
        with (folder / f"{name}.calls").open("a") as calls:
            calls.write(json.dumps(call) + "\n")
        while mode().get("hold"):
            time.sleep(0.02)
        how = mode()
        if how.get("echo"):
            self.answer(500, {"detail": f"I was sent the key {key}"})
        elif "status" in how:
            self.answer(how["status"], {"detail": f"{name} is out of sorts"})
        else:
            asked = body["input"].get("user_query") or body["input"].get("query") or json.dumps(body["input"])
            self.answer(200, {"output": how.get("say", {"response": f"{name}({asked})"})})

    def answer(self, status: int, body: dict[str, Any]) -> None:
        sent = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that its client has left is no news."""


if __name__ == "__main__":
    Server(("127.0.0.1", port), Agent).serve_forever()
