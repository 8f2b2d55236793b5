"""A Hugging Face hub on the loopback: the two endpoints that a download uses, and how a real one fails."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

REPO = "owner/tiny"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Asked:
    """One request. `sent`: bytes of a file that went out."""

    path: str
    host: str
    range: str | None
    token: str | None
    sent: int = 0


@dataclass
class Hub:
    """What it serves, how it fails, and what it was asked."""

    files: dict[str, bytes]
    asked: list[Asked] = field(default_factory=list)
    refusal: tuple[int, str] | None = None
    """Status and X-Error-Code of every answer."""
    refuse_files: int | None = None
    """Status of every answer with a file, while the listing is given."""
    cuts: list[int] = field(default_factory=list)
    """After how many bytes the next answers with weights break off."""
    knows_ranges: bool = True
    damages: bool = False
    listing: Any = None
    """Given instead of the listing of `files`."""
    go_on: threading.Event = field(default_factory=threading.Event)
    """Weights go out while it is set, those up to `held_from` in any case."""
    held_from: int = 0
    url: str = ""

    def of(self, name: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path.endswith("/" + name)]


def list_files(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """As /api/models/…/tree gives them: weights as LFS, the rest as git blobs."""
    items: list[dict[str, Any]] = [{"type": "directory", "path": "onnx", "oid": "0" * 40, "size": 0}]
    for name, content in files.items():
        git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        item = {"type": "file", "path": name, "oid": git, "size": len(content)}
        if name == WEIGHTS:
            digest = hashlib.sha256(content).hexdigest()
            item |= {"oid": "1" * 40, "lfs": {"oid": digest, "size": len(content), "pointerSize": 130}}
        items.append(item)
    return items


def make_handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            tree, files = f"/api/models/{REPO}/tree/{COMMIT}", f"/{REPO}/resolve/{COMMIT}/"
            path = self.path.partition("?")[0]
            if hub.refusal:
                self.answer(*hub.refusal)
            elif path == tree:
                self.answer_listing()
            elif hub.refuse_files:
                self.answer(hub.refuse_files, "")
            elif path == files + WEIGHTS:
                # Large files lie on another host.
                self.note()
                self.send_response(302)
                self.send_header("Location", f"{hub.url.replace('127.0.0.1', 'localhost')}/store/{WEIGHTS}")
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif path.startswith((files, "/store/")) and path.rpartition("/")[2] in hub.files:
                self.answer_file(path.rpartition("/")[2])
            else:
                self.answer(404, "EntryNotFound")

        def answer(self, status: int, code: str, body: bytes = b"") -> None:
            self.note()
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def answer_listing(self) -> None:
            """In pages of three."""
            items = list_files(hub.files) if hub.listing is None else hub.listing
            start = int(self.path.partition("from=")[2] or 0)
            self.note()
            self.send_response(200)
            page = items
            if isinstance(items, list):
                page = items[start : start + 3]
                if start + 3 < len(items):
                    self.send_header("Link", f'<{hub.url}{self.path.partition("?")[0]}?from={start + 3}>; rel="next"')
            body = json.dumps(page).encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def answer_file(self, name: str) -> None:
            content = hub.files[name]
            begin = int((self.headers["Range"] or "bytes=0-")[6:-1]) if hub.knows_ranges else 0
            body = content[begin:]
            if hub.damages:
                body = bytes(255 - byte for byte in body)
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            cut = hub.cuts.pop(0) if hub.cuts and name == WEIGHTS else len(body)
            if name == WEIGHTS and begin >= hub.held_from:
                assert hub.go_on.wait(30)
            try:
                for at in range(0, min(cut, len(body)), 10_000):
                    if name == WEIGHTS and begin + at >= hub.held_from:
                        assert hub.go_on.wait(30)
                    self.wfile.write(body[at : min(at + 10_000, cut)])
            except OSError:  # the other side has left
                self.close_connection = True
            self.note(sent=min(cut, len(body)))
            self.close_connection = self.close_connection or cut < len(body)

        def note(self, sent: int = 0) -> None:
            host, token = self.headers["Host"], self.headers["Authorization"]
            hub.asked.append(Asked(self.path.partition("?")[0], host, self.headers["Range"], token, sent))

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@contextmanager
def serve(folder: Path, **extra: bytes) -> Iterator[Hub]:
    """Serve the files of a folder, and `extra` ones by name."""
    files = {file.name: file.read_bytes() for file in sorted(folder.iterdir())} | extra
    hub = Hub(files)
    hub.go_on.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), make_handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()
