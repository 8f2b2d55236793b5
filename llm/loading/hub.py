"""What is asked of a Hugging Face hub or a mirror of it: the files of a commit, and one file from a byte on.

The library's `snapshot_download` is not used: in 1.33 it deletes what has arrived of a file when a download fails, so
that a model of 15 GB starts anew, and it checks lengths only. Plain HTTP is used for every file; over Xet, the hub's
protocol of chunks, nothing remains after a cut either. The library's client is used, with its proxies, errors and
HF_HUB_OFFLINE. Imports huggingface_hub, which takes a quarter of a second.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from huggingface_hub import get_session, get_token, hf_raise_for_status
from huggingface_hub.constants import ENDPOINT

from state.errors import BadRequest
from state.models import ModelCard

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
"""Seconds without a byte, and for a connection. A hub that says nothing for longer is taken as gone."""

WANTED = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.txt")
"""What is fetched, of the repository's top folder alone. No pickled weights, no Python files."""

UNWANTED = ("consolidated*",)
"""Second copies of the weights in another layout."""

_NAME = re.compile(r"[\w][\w.+-]*", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class HubFile:
    """A file of a commit. `digest`: its SHA-256 where it is large (LFS), else git's SHA-1 of it as a blob."""

    name: str
    size: int
    digest: str

    def is_content(self, file: Path) -> bool:
        """Whether this is what the file holds. Reads it all: a second or two for each gigabyte."""
        if not file.is_file() or file.stat().st_size != self.size:
            return False
        with file.open("rb") as stream:
            if len(self.digest) == 64:
                return hashlib.file_digest(stream, "sha256").hexdigest() == self.digest
            blob = hashlib.sha1(b"blob %d\0" % self.size, usedforsecurity=False)
            blob.update(stream.read())
            return blob.hexdigest() == self.digest


class Hub:
    """One hub. Raises what httpx and huggingface_hub raise; `hub_errors.explain` makes errors of ours of it."""

    def __init__(self, url: str | None = None, token: str | None = None) -> None:
        """`url` None: the public hub, or HF_ENDPOINT; it gets the token of `hf auth login` where there is no other."""
        self.url = (url or ENDPOINT).rstrip("/")
        # Our name alone: the library's own headers tell of Python, torch and who runs it.
        self._headers = {"User-Agent": "agent-lab", "Accept-Encoding": "identity"}
        token = token or (get_token() if url is None else None)
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def list_files(self, card: ModelCard) -> list[HubFile]:
        """The wanted files of the card's commit, weights last. Raises BadRequest for a listing that is none."""
        url: str | None = f"{self.url}/api/models/{card.repo}/tree/{card.revision}"
        files: list[HubFile] = []
        while url is not None:
            page = get_session().get(url, headers=self._headers, timeout=TIMEOUT, follow_redirects=True)
            hf_raise_for_status(page)
            files += read_listing(page.json(), where=url)
            url = page.links.get("next", {}).get("url")
        return sorted(files, key=lambda file: (file.name.endswith(".safetensors"), file.name))

    @contextmanager
    def open_file(self, card: ModelCard, file: HubFile, start: int) -> Iterator[httpx.Response]:
        """The body of a file from byte `start` on (status 206), or all of it (200) where the hub cannot begin there."""
        url = f"{self.url}/{card.repo}/resolve/{card.revision}/{quote(file.name)}"
        headers = {**self._headers, **({"Range": f"bytes={start}-"} if start else {})}
        # A redirect to another host, as to the store of large files, goes without the token: httpx sees to that.
        with get_session().stream("GET", url, headers=headers, timeout=TIMEOUT, follow_redirects=True) as response:
            hf_raise_for_status(response)
            yield response


def read_listing(items: object, *, where: str) -> list[HubFile]:
    """The wanted files of one page of a listing. Raises BadRequest for one that a hub would not send."""
    if not isinstance(items, list):
        raise BadRequest(f"{where}: not a listing of files; is this a Hugging Face hub (LAB_HUB_URL)?")
    try:
        files = [_read_file(item) for item in items if item["type"] == "file"]
    except (KeyError, TypeError, ValueError) as error:
        raise BadRequest(f"{where}: not a listing of files ({error!r}); is this a hub (LAB_HUB_URL)?") from error
    return [file for file in files if is_wanted(file.name)]


def _read_file(item: Mapping[str, Any]) -> HubFile:
    large = item.get("lfs")
    size, digest = (large["size"], large["oid"]) if large else (item["size"], item["oid"])
    if not _DIGEST.fullmatch(digest):
        raise ValueError(digest)
    return HubFile(str(item["path"]), int(size), digest)


def is_wanted(name: str) -> bool:
    """Whether a model needs a file of this name. One with a folder in it could lead out of ours, and is not wanted."""
    wanted = any(fnmatchcase(name, pattern) for pattern in WANTED)
    return wanted and bool(_NAME.fullmatch(name)) and not any(fnmatchcase(name, pattern) for pattern in UNWANTED)
