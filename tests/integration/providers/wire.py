"""A server on loopback that speaks as OpenAI's and Anthropic's do, as far as chat goes; its answers are scripted."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """One answer. `events`: Server-Sent Events for a stream, else `body` whole. `cut`: hang up after the last event."""

    body: Mapping[str, Any] = field(default_factory=dict)
    events: list[Any] | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    hold: threading.Event | None = None
    """Wait for it before the body, or between the first event and the second."""
    raw: bytes | None = None


@dataclass
class Asked:
    """A request. `headers`: by names in lower case; `at`: seconds of a monotonic clock."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    at: float


class Remote:
    """A server's script and its log. `url`: its address. `gone`: set when a client hung up in the midst of a stream."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.replies: list[Reply] = []
        self.asked: list[Asked] = []
        self.gone = threading.Event()

    def says(self, *replies: Reply) -> None:
        self.replies[:] = replies
        self.asked.clear()
        self.gone.clear()


@contextmanager
def open_remote() -> Iterator[Remote]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    remote = server.remote = Remote(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield remote
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        remote: Remote = self.server.remote  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        remote.asked.append(Asked(self.path, {k.lower(): v for k, v in self.headers.items()}, body, time.monotonic()))
        reply = remote.replies.pop(0) if len(remote.replies) > 1 else remote.replies[0]
        try:
            self._stream(reply) if reply.events is not None else self._whole(reply)
        except (BrokenPipeError, ConnectionResetError):
            remote.gone.set()
        self.close_connection = True

    def _whole(self, reply: Reply) -> None:
        if reply.hold is not None:
            reply.hold.wait(10)
        data = reply.raw if reply.raw is not None else json.dumps(reply.body).encode()
        kind = "text/html" if reply.raw is not None else "application/json"
        self._head(reply, {"Content-Type": kind, "Content-Length": str(len(data))})
        self.wfile.write(data)

    def _stream(self, reply: Reply) -> None:
        self._head(reply, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        for number, event in enumerate(reply.events or ()):
            if number == 1 and reply.hold is not None:
                # Written until the client hangs up, as a server that generates would.
                while not reply.hold.wait(0.01):
                    self._chunk(b": still here\n\n")
            name = f"event: {event['type']}\n" if isinstance(event, dict) and "type" in event else ""
            data = event if isinstance(event, str) else json.dumps(event)
            self._chunk(f"{name}data: {data}\n\n".encode())
        if not reply.cut:
            self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def _head(self, reply: Reply, headers: Mapping[str, str]) -> None:
        self.send_response(reply.status)
        for name, value in {**headers, **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


OPENAI_USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 3,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 8},
}
CALL = {"name": "calculator", "arguments": '{"expression": "2+2"}'}


def openai_whole(text: str = "Hello there.", *, reason: str = "stop", call: bool = False) -> Reply:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if call:
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": CALL}],
        }
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if call else reason}
    return Reply(
        {"id": "x1", "object": "chat.completion", "created": 1, "model": "big-1", "choices": [choice]}
        | {"usage": OPENAI_USAGE}
    )


def openai_stream(*texts: str, reason: str | None = "stop", call: bool = False, **about: Any) -> Reply:
    def chunk(delta: Mapping[str, Any], ending: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": ending}
        return {"id": "x1", "object": "chat.completion.chunk", "created": 1, "model": "big-1", "choices": [choice]}

    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": text} for text in texts]
    if call:
        first = {"index": 0, "id": "c1", "type": "function", "function": {**CALL, "arguments": ""}}
        pieces = [{"index": 0, "function": {"arguments": part}} for part in ('{"expression": ', '"2+2"}')]
        deltas += [{"tool_calls": [first]}, *({"tool_calls": [piece]} for piece in pieces)]
    events: list[Any] = [chunk(delta) for delta in deltas]
    if reason is not None:
        events += [chunk({}, "tool_calls" if call else reason), {**chunk({}), "choices": [], "usage": OPENAI_USAGE}]
        events.append("[DONE]")
    return Reply(events=events, **about)


def openai_error(status: int, message: str, code: str = "", **about: Any) -> Reply:
    return Reply({"error": {"message": message, "type": "x", "code": code}}, status=status, **about)


def anthropic_whole(text: str = "Hello there.", *, reason: str = "end_turn", call: bool = False) -> Reply:
    content: dict[str, Any] = {"type": "text", "text": text}
    if call:
        content = {"type": "tool_use", "id": "c1", "name": "calculator", "input": {"expression": "2+2"}}
    return Reply(
        {"id": "m1", "type": "message", "role": "assistant", "model": "clever-1", "content": [content]}
        | {"stop_reason": "tool_use" if call else reason, "stop_sequence": None}
        | {"usage": {"input_tokens": 11, "output_tokens": 3}}
    )


def anthropic_stream(*texts: str, reason: str | None = "end_turn", call: bool = False, **about: Any) -> Reply:
    message = {"id": "m1", "type": "message", "role": "assistant", "model": "clever-1", "content": []}
    usage = {"input_tokens": 11, "output_tokens": 1}
    start = {**message, "stop_reason": None, "stop_sequence": None, "usage": usage}
    block: dict[str, Any] = {"type": "text", "text": ""}
    deltas: list[dict[str, Any]] = [{"type": "text_delta", "text": text} for text in texts]
    if call:
        block = {"type": "tool_use", "id": "c1", "name": "calculator", "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in ('{"expression": ', '"2+2"}')]
    events: list[Any] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
    ]
    if reason is not None:
        ending = {"stop_reason": "tool_use" if call else reason, "stop_sequence": None}
        events += [
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": ending, "usage": {"output_tokens": 3, "input_tokens": 11}},
            {"type": "message_stop"},
        ]
    return Reply(events=events, **about)


def anthropic_error(status: int, message: str, kind: str = "x", **about: Any) -> Reply:
    return Reply({"type": "error", "error": {"type": kind, "message": message}}, status=status, **about)
