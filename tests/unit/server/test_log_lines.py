"""How a log record becomes a line: its fields, its bounds, and what must stand in none."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import Any

import pytest

from server.telemetry.log_lines import IDS, MAX_CHARS, formatter

SECRET = 'sk-"quoted"\\and-long'


def record(text: str, *args: object, exc_info: Any = None, ids: Any = (), **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("server.x", logging.WARNING, __file__, 1, text, args, exc_info)
    made.__dict__.update({IDS: dict(ids), **extra})
    return made


def as_json(made: logging.LogRecord) -> dict[str, Any]:
    line = formatter(as_json=True).format(made)
    assert "\n" not in line
    told: dict[str, Any] = json.loads(line)
    return told


def raised(text: str) -> Any:
    try:
        raise RuntimeError(text)
    except RuntimeError:
        return sys.exc_info()


def test_a_json_line_says_when_where_and_what() -> None:
    made = record("%d of %s", 2, "3", ids={"run_id": "r", "node": "n"}, status=200)
    made.created = 1_700_000_000.25
    assert as_json(made) == {
        "timestamp": "2023-11-14T22:13:20.250+00:00",
        "level": "warning",
        "logger": "server.x",
        "event": "2 of 3",
        "pid": made.process,
        "run_id": "r",
        "node": "n",
        "status": 200,
    }


def test_an_exception_is_a_field_of_its_own() -> None:
    told = as_json(record("it failed", exc_info=raised("why")))
    assert told["event"] == "it failed"
    assert told["exception"].endswith("RuntimeError: why")


def test_extras_do_not_stand_in_for_the_lines_own_fields() -> None:
    told = as_json(record("true", ids={"run_id": "r"}, run_id="other", event="false", level="loud"))
    assert (told["event"], told["level"], told["run_id"]) == ("true", "warning", "r")


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


RING: dict[str, Any] = {}
RING["ring"] = RING


@pytest.mark.parametrize(
    "odd",
    ["\ud800", "\0\x1b[31m\n", 10**30, 10**6000, float("nan"), RING, {1: {(2,): 3}}, Unshowable(), b"\xff", {"a"}],
    ids=["surrogate", "control", "large", "huge", "nan", "ring", "keys", "unshowable", "bytes", "set"],
)
def test_odd_values_are_lines_all_the_same(odd: object) -> None:
    assert as_json(record("said", value=odd))["event"] == "said"
    if isinstance(odd, str):
        assert as_json(record(odd))["event"] == odd


def test_long_texts_are_cut() -> None:
    told = as_json(record("x" * (MAX_CHARS + 1)))
    assert told["event"] == f"{'x' * MAX_CHARS}… ({MAX_CHARS + 1:,} characters)"


def test_what_drives_a_terminal_is_shown_and_not_sent() -> None:
    line = formatter(as_json=False).format(record("a\x1b[31mb", exc_info=raised("c\x1b]0;d"), path="/\x07"))
    assert "\x1b" not in line and "\x07" not in line
    assert "a␛[31mb" in line and "RuntimeError: c␛]0;d" in line


def test_colours_are_for_terminals() -> None:
    assert "\x1b[" in formatter(as_json=False, colours=True).format(record("a"))


@pytest.mark.parametrize("as_json", [True, False], ids=["json", "console"])
@pytest.mark.parametrize(
    "made",
    [
        record("sent %s", SECRET),
        record("sent", key=SECRET, nested={"a": [SECRET]}),
        record("failed", exc_info=raised(SECRET)),
    ],
    ids=["text", "extra", "traceback"],
)
def test_known_secrets_stand_in_no_line(made: logging.LogRecord, as_json: bool) -> None:
    line = formatter(as_json=as_json, secrets=[SECRET]).format(made)
    assert "quoted" not in line and "***" in line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdefgh", "Authorization: Bearer ***"),
        ("{'authorization': 'Basic dTpw'}", "{'authorization': 'Basic ***'}"),
        ("[(b'authorization', b'Bearer abcdefgh'), (b'a', b'b')]", "[(b'authorization', b'Bearer ***'), (b'a', b'b')]"),
        ("Proxy-Authorization=abcdefgh", "Proxy-Authorization=***"),
        ("{'X-API-Key': 'abcdefgh'}", "{'X-API-Key': '***'}"),
        ("OPENAI_API_KEY=abcdefgh next", "OPENAI_API_KEY=*** next"),
        ("postgresql://user:hunter2@host/db", "postgresql://user:***@host/db"),
        ("bearer abcdefgh.ijkl", "bearer ***"),
    ],
)
def test_credentials_are_hidden_wherever_they_come_from(text: str, shown: str) -> None:
    assert as_json(record(text))["event"] == shown
    assert as_json(record("x", headers=text))["headers"] == shown


@pytest.mark.parametrize(
    "text",
    [
        "api_key: it is missing",
        "the authorization header is missing",
        "serving on http://127.0.0.1:8001 (Ctrl-C stops)",
        "http://[::1]:8001/a@b and the key of it",
    ],
)
def test_other_words_stay(text: str) -> None:
    assert as_json(record(text))["event"] == text


def test_short_secrets_do_not_hide_other_words() -> None:
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(formatter(as_json=True, secrets=["lab", ""]))
    assert "the lab serves" in handler.format(record("the lab serves"))
