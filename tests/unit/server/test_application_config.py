"""langgraph.json: every mistake with its line and the way out; what is not known is told, not refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from server.application.config import AppConfig, read_config, unknown_keys
from server.application.json_lines import key_lines, line_of
from state.errors import BadRequest

GRAPHS = '"graphs": {"a": "./a.py:graph"}'


def _read(tmp_path: Path, text: str | bytes) -> AppConfig:
    file = tmp_path / "langgraph.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_config(file)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("{\n  oh\n}", 2, "this is not JSON"),
        ("", 1, "this is not JSON"),
        ("{" + GRAPHS + ",}", 1, "comments and trailing commas are not allowed"),
        ("[]", 1, "expected an object such as"),
        ("{}", 1, 'graphs: no graph is named; say "graphs"'),
        ('{\n"graphs": {}}', 2, "graphs: no graph is named"),
        ('{\n"graphs": ["a"]}', 2, "graphs: it should be an object"),
        ('{"graphs": {\n"a": 5}}', 2, "graphs.a: it should be an object, it is 5"),
        ('{"graphs": {\n"a": {"description": "no path"}}}', 2, 'graphs.a.path: "path" is missing; add it'),
        ('{"graphs": {"a": "x:y",\n"a": "z:y"}}', 2, '"a" is said twice in one place; keep one of them'),
        ("{" + GRAPHS + ',\n"dependencies": "."}', 2, "dependencies: it should be a valid array"),
        ("{" + GRAPHS + ',\n"dependencies": [\n1]}', 3, "dependencies.0: it should be a valid string"),
        ("{" + GRAPHS + ',\n"env": 5}', 2, 'env: expected {"NAME": "text"}, or a file such as ".env"'),
        ("{" + GRAPHS + ',\n"env": {\n"A": true}}', 3, 'env.A: expected {"NAME": "text"}'),
        ("{" + GRAPHS + ',\n"auth": {"path": "x:y"}}', 2, "auth: authentication by the application is not supported"),
        ("{" + GRAPHS + ',\n"encryption": {"path": "x:y"}}', 2, "encryption: this is not supported"),
        ("{" + GRAPHS + ',\n"store": {"index": {"dims": 3}}}', 2, 'store.index.embed: "embed" is missing'),
        (
            "{" + GRAPHS + ',\n"store": {"index": {"embed": "x", "dims": 0}}}',
            2,
            "store.index.dims: it should be greater",
        ),
        ("{" + GRAPHS + ',\n"store": {"ttl": {"default_ttl": -1}}}', 2, "store.ttl.default_ttl: it should be greater"),
        (
            "{" + GRAPHS + ',\n"checkpointer": {"ttl": {"strategy": "burn"}}}',
            2,
            "checkpointer.ttl.strategy: it should be 'delete' or 'keep_latest', it is \"burn\"",
        ),
        ("{" + GRAPHS + ',\n"http": {"cors": {"allow_origins": "*"}}}', 2, "http.cors.allow_origins: it should be"),
        ("{" + GRAPHS + ',\n"http": {"disable_runs": "yes"}}', 2, "http.disable_runs: it should be a valid boolean"),
        ("{" + GRAPHS + ',\n"http": {"mount_prefix": "api/"}}', 2, 'http.mount_prefix: it starts with "/"'),
        (
            "{" + GRAPHS + ',\n"webhooks": {"url": {"max_url_length": 0}}}',
            2,
            "webhooks.url.max_url_length: it should be",
        ),
        ("{" + GRAPHS + ',\n"webhooks": {"headers": {"a": 1}}}', 2, "webhooks.headers.a: it should be a valid string"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        _read(tmp_path, text)
    assert str(refused.value).startswith(f"{tmp_path / 'langgraph.json'}:{line}: ")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\xff\xfe{", "is not UTF-8"),
        (b'{"graphs": NaN}', "NaN is not JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b" " * 1_000_001, "1,000,000 are allowed"),
    ],
)
def test_what_is_no_json_at_all_is_told(tmp_path: Path, text: bytes, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        _read(tmp_path, text)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadRequest) as refused:
        _read(tmp_path, '{"graphs": {"a": 1},\n"http": {"disable_runs": 2}}')
    assert "langgraph.json:1: graphs.a" in str(refused.value)
    assert "langgraph.json:2: http.disable_runs" in str(refused.value)


@pytest.mark.parametrize("missing", ["langgraph.json", "folder"])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, missing: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadRequest, match=r"name a langgraph\.json with --config"):
        read_config(tmp_path / missing)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('"dependancies": []', [":2: dependancies: this key is not known and not used", 'mean "dependencies"?']),
        ('"xyz": 1', [":2: xyz: this key is not known and not used"]),
        ('"http": {\n"dissable_runs": true}', [":3: http.dissable_runs: this key", 'did you mean "disable_runs"?']),
        ('"store": {"ttl": {"default": 1}}', [":2: store.ttl.default: this key", 'did you mean "default_ttl"?']),
    ],
)
def test_an_unknown_key_is_told_and_not_refused(tmp_path: Path, text: str, told: list[str]) -> None:
    config = _read(tmp_path, "{" + GRAPHS + ",\n" + text + "}")
    (warning,) = unknown_keys(config)
    assert all(part in warning for part in told), warning


def test_an_unknown_key_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _read(tmp_path, "{" + GRAPHS + ', "xyz": 1}')
    assert "xyz: this key is not known" in caplog.text


def test_every_key_of_the_documentation_is_read(tmp_path: Path) -> None:
    said: dict[str, Any] = {
        "$schema": "https://langgra.ph/schema.json",
        "python_version": "3.12",
        "node_version": "20",
        "api_version": "0.16",
        "base_image": "x",
        "image_distro": "wolfi",
        "pip_config_file": "x",
        "pip_installer": "uv",
        "source": {"kind": "uv"},
        "dockerfile_lines": ["RUN x"],
        "keep_pkg_tools": True,
        "ui": {"a": "./ui.tsx"},
        "ui_config": {"shared": []},
        "_INTERNAL_docker_tag": "x",
        "dependencies": [".", "langchain_core"],
        "graphs": {"a": "./a.py:graph", "b": {"path": "b:graph", "description": "told"}},
        "env": {"A": "1"},
        "auth": None,
        "encryption": None,
        "store": {
            "index": {"embed": "openai:small", "dims": 3, "fields": ["$.text"]},
            "ttl": {"refresh_on_read": False, "default_ttl": 1.5, "sweep_interval_minutes": 10},
        },
        "checkpointer": {
            "ttl": {"strategy": "keep_latest", "default_ttl": 60, "sweep_interval_minutes": 1, "sweep_limit": 5},
            "serde": {"pickle_fallback": False},
        },
        "http": {
            "app": "./web.py:app",
            "cors": {
                "allow_origins": ["https://a.example"],
                "allow_methods": ["GET"],
                "allow_headers": ["x-a"],
                "allow_credentials": True,
                "allow_origin_regex": ".*",
                "expose_headers": ["x-b"],
                "max_age": 5,
            },
            "configurable_headers": {"includes": ["x-*"], "excludes": ["x-secret"]},
            "logging_headers": {"excludes": ["*"]},
            "middleware_order": "auth_first",
            "enable_custom_route_auth": True,
            "mount_prefix": "/api",
            **{
                f"disable_{group}": True
                for group in ("assistants", "threads", "runs", "crons", "store", "mcp", "a2a", "meta", "ui", "webhooks")
            },
        },
        "webhooks": {
            "env_prefix": "HOOK_",
            "headers": {"x-key": "${{ env.HOOK_KEY }}"},
            "url": {
                "require_https": True,
                "allowed_domains": ["*.example.com"],
                "allowed_ports": [443],
                "max_url_length": 100,
                "disable_loopback": True,
            },
        },
    }
    config = _read(tmp_path, json.dumps(said))
    assert unknown_keys(config) == []
    assert config.graphs["a"].path == "./a.py:graph"
    assert config.graphs["b"].description == "told"
    assert config.store.index is not None
    assert config.store.index.fields == ("$.text",)
    assert config.store.lifetime() == {"refresh_on_read": False, "default_ttl": 1.5, "sweep_interval_minutes": 10}
    assert config.checkpointer.ttl is not None
    assert config.checkpointer.ttl.model_dump() == said["checkpointer"]["ttl"]
    assert config.http.cors is not None
    assert config.http.cors.model_dump(mode="json") == said["http"]["cors"]
    assert config.http.disable_crons
    assert config.webhooks.model_dump(mode="json") == said["webhooks"]


def test_what_is_left_out_or_null_is_as_documented(tmp_path: Path) -> None:
    config = _read(tmp_path, "{" + GRAPHS + ', "http": null, "store": {"index": null}, "webhooks": null, "env": null}')
    assert config.http.app is None
    assert not config.http.disable_runs
    assert config.store.lifetime() is None
    assert config.checkpointer.ttl is None
    assert config.webhooks.env_prefix == "LG_WEBHOOK_"
    assert config.webhooks.url.allowed_domains == ()


def test_numbers_of_the_environment_are_texts(tmp_path: Path) -> None:
    assert _read(tmp_path, "{" + GRAPHS + ', "env": {"A": 1, "B": 1.5}}').document.env == {"A": "1", "B": "1.5"}


def test_a_mark_of_byte_order_is_no_mistake(tmp_path: Path) -> None:
    assert list(_read(tmp_path, b"\xef\xbb\xbf{" + GRAPHS.encode() + b"}").graphs) == ["a"]


def test_each_key_has_its_line() -> None:
    text = '{\n "a": {"b, [": [1,\n {"c\\"": null}], "d":\n\n "x"},\n "e": []\n}'
    json.loads(text)
    assert key_lines(text) == {
        (): 1,
        ("a",): 2,
        ("a", "b, ["): 2,
        ("a", "b, [", 0): 2,
        ("a", "b, [", 1): 3,
        ("a", "b, [", 1, 'c"'): 3,
        ("a", "d"): 3,
        ("e",): 6,
    }


def test_a_key_that_is_not_there_is_told_where_it_belongs() -> None:
    assert line_of({(): 1, ("a",): 4}, ("a", "b", 0)) == 4
    assert line_of({(): 1, ("a",): 4}, ("c",)) == 1
