"""The operator's file of MCP servers, and what agents see of a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp.types import BlobResourceContents, EmbeddedResource, ImageContent, ResourceLink, TextContent
from pydantic import AnyUrl

from server.mcp_tools.config import read_servers, servers_of
from server.mcp_tools.texts import MAX_CHARS, text_of, told, tool_names
from state.errors import BadRequest

ENVIRONMENT = {"TOKEN": "t0ken"}


def test_a_file_in_the_common_form_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    bearer = {"Authorization": "Bearer ${env.TOKEN}"}
    servers = {
        "files": {"type": "stdio", "command": "npx", "args": ["-y", "x"], "env": {"K": "a${env.TOKEN}"}},
        "web": {"url": "https://x.example/mcp", "headers": bearer},
        "old": {"type": "sse", "url": "http://x.example/sse"},
        "off": {"command": "x", "disabled": True},
    }
    path.write_text(json.dumps({"mcpServers": servers}))
    found = read_servers(path, ENVIRONMENT)
    assert {name: server.connection() for name, server in found.items()} == {
        "files": {"transport": "stdio", "command": "npx", "args": ["-y", "x"], "env": {"K": "at0ken"}, "cwd": None},
        "web": {
            "transport": "streamable_http",
            "url": "https://x.example/mcp",
            "headers": {"Authorization": "Bearer t0ken"},
        },
        "old": {"transport": "sse", "url": "http://x.example/sse", "headers": {}},
    }
    assert "t0ken" not in repr(found)


@pytest.mark.parametrize(
    ("said", "told_as"),
    [
        (None, "expected one key, servers or mcpServers"),
        ({"servers": {}, "mcpServers": {}}, "expected one key"),
        ({"servers": []}, "expected one key"),
        ({"servers": {"a__b": {"command": "x"}}}, "'a__b' cannot name a server"),
        ({"servers": {7: {"command": "x"}}}, "7 cannot name a server"),
        ({"servers": {"a": None}}, "server 'a': it: "),
        ({"servers": {"a": {}}}, "expected either command, which starts it, or url"),
        ({"servers": {"a": {"command": "x", "url": "http://x"}}}, "expected either command"),
        ({"servers": {"a": {"url": "ftp://x"}}}, "server 'a': url: "),
        ({"servers": {"a": {"url": "http://x", "args": ["y"]}}}, "args has no meaning beside url"),
        ({"servers": {"a": {"command": "x", "headers": {"K": "s3cret"}}}}, "headers has no meaning beside command"),
        ({"servers": {"a": {"command": "x", "transport": "sse"}}}, "stdio goes with command"),
        ({"servers": {"a": {"command": "x", "timeout": 0}}}, "server 'a': timeout: "),
        ({"servers": {"a": {"command": "x", "shell": "s3cret"}}}, "server 'a': shell: Extra inputs"),
        ({"servers": {"a": {"command": "x", "env": {"K": ["s3cret"]}}}}, "server 'a': env.K: "),
        (
            {"servers": {"a": {"command": "x", "env": {"K": "${env.NONE}"}}}},
            "env.K: the environment has no variable NONE",
        ),
    ],
)
def test_a_wrong_file_is_refused_by_name_and_without_its_secrets(said: Any, told_as: str) -> None:
    with pytest.raises(BadRequest) as refused:
        servers_of(said, ENVIRONMENT, where="mcp.yaml")
    assert str(refused.value).startswith("mcp.yaml: ") and told_as in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "text", [b"servers: {a: [", b"\xff\xfe\xff", b"!!python/object/apply:os.system [ls]", b"[" * 9000]
)
def test_what_is_no_yaml_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "mcp.yaml"
    path.write_bytes(text)
    with pytest.raises(BadRequest, match=r"mcp\.yaml: it is neither YAML nor JSON: "):
        read_servers(path, {})
    with pytest.raises(BadRequest, match=r"LAB_MCP_SERVERS: .* cannot be read: "):
        read_servers(tmp_path / "none.yaml", {})


def test_names_suit_every_provider_and_no_two_are_alike() -> None:
    names = tool_names("web", ["search", "a.b", "a/b", "é", "x" * 80, "x" * 81])
    assert names["search"] == "web__search" and names["a.b"] == "web__a_b"
    assert len(set(names.values())) == 6
    assert all(name.startswith("web__") and name.isascii() and len(name) <= 64 for name in names.values())
    assert names == tool_names("web", names), "the same at each start"


def test_results_are_bounded_texts() -> None:
    url = AnyUrl("file:///a")
    blocks = [
        TextContent(type="text", text="one"),
        ImageContent(type="image", data="AAAA", mimeType="image/png"),
        EmbeddedResource(
            type="resource", resource=BlobResourceContents(uri=url, blob="AAAAAAAA", mimeType="application/pdf")
        ),
        ResourceLink(type="resource_link", name="notes", uri=url),
    ]
    assert text_of(blocks) == "one\n[image/png, 3 bytes]\n[application/pdf, 6 bytes]\n[notes: file:///a]"
    assert text_of([], {"sum": 5}) == '{"sum": 5}'
    assert text_of([TextContent(type="text", text="x" * (MAX_CHARS + 7))]).endswith("x… (7 characters more)")


def test_errors_are_told_without_addresses() -> None:
    request = httpx.Request("POST", "http://x.example/?key=s3cret")
    refused = httpx.HTTPStatusError("401 for url s3cret", request=request, response=httpx.Response(401))
    assert told(ExceptionGroup("in a task", [ExceptionGroup("again", [refused])])) == "it answered 401"
    assert told(FileNotFoundError(2, "No such file", "npx")) == "there is no npx"
    assert told(TimeoutError(), seconds=30.0) == "no answer within 30 s"
    assert told(ValueError("two\nlines")) == "two lines"
    assert told(ValueError()) == "ValueError"
    assert told(anyio.BrokenResourceError()) == "it has closed the connection"
