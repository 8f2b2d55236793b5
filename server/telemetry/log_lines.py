"""A log record as one line: JSON for machines, aligned words for people, without secrets in either."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, Processor

from server.cli.terminal import shown

IDS = "lab_ids"
"""Where a record holds the ids of its place, see `log_context`."""
MAX_CHARS = 20_000
"""Of one text: a line stays a line that tools can read."""
MIN_SECRET_CHARS = 8
"""A shorter one is a word that other lines hold, too; in URLs and headers it is hidden all the same."""
HIDDEN = "***"
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {IDS, "message", "asctime", "taskName", "color_message"}
"""What every record has; the rest was given as `extra`."""
_CREDENTIALS = re.compile(
    r"""(?ix)
    ( \w://[^\s:/@'"]*: ) [^\s/@'"]+ (?=@)                          # the password in a URL
    | ( authorization [^\w\s:=,]* \s* [:=,] [^\w\n]{0,6} (?:b['"])? (?:(?:basic|bearer|digest|token)\s+)? )
      [^\s'",;)}\\]{4,}
    | ( api[-_]?key [^\w\s:=,]* \s* [:=,] [^\w\n]{0,6} (?:b['"])? ) [^\s'",;)}\\]{8,}
    | ( \bbearer\s+ ) [^\s'",;)}\\]{8,}
    """
)
_SIGNS = ("://", "uthorization", "UTHORIZATION", "key", "KEY", "Key", "earer", "EARER")
"""Without one of these a line holds no credentials; looking for them costs a tenth of the pattern."""


def formatter(*, as_json: bool, colours: bool = False, secrets: Iterable[str] = ()) -> logging.Formatter:
    """Formats records that have been handed over with their ids. `secrets`: values that must stand in no line."""
    hide: Any = Hidden(secrets)
    finish: list[Processor]
    if as_json:
        finish = [structlog.processors.format_exc_info, _bounded, _to_json, hide]
    else:
        console = structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=structlog.dev.plain_traceback)
        finish = [structlog.processors.format_exc_info, _for_terminals, console, hide]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_fields],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
    )


class Hidden:
    """Replaces secrets in a finished line, and whatever looks like a credential in a header or a URL."""

    def __init__(self, secrets: Iterable[str]) -> None:
        given = {secret for secret in secrets if len(secret) >= MIN_SECRET_CHARS}
        # The longest first, should one hold another; as they are, and as Python and JSON write them.
        forms = {form for secret in given for form in (secret, repr(secret)[1:-1])}
        spelt = {text for form in forms for text in (form, json.dumps(form)[1:-1], _dumped(form)[1:-1])}
        self._secrets = sorted(spelt, key=len, reverse=True)

    def __call__(self, logger: object, method: str, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, HIDDEN)
        return _CREDENTIALS.sub(_kept, line) if any(sign in line for sign in _SIGNS) else line


def _kept(found: re.Match[str]) -> str:
    return next(group for group in found.groups() if group is not None) + HIDDEN


def _fields(logger: object, method: str, event: EventDict) -> EventDict:
    """The record's time (UTC), level, component, text, ids and extras, in the order of reading."""
    record: logging.LogRecord = event["_record"]
    more = {name: value for name, value in record.__dict__.items() if name not in _OWN and not name.startswith("_")}
    ids: Mapping[str, Any] = getattr(record, IDS, {})
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    head = {"timestamp": at, "level": record.levelname.lower(), "logger": record.name, "pid": record.process}
    return {**more, **ids, **event, **head}


def _bounded(logger: object, method: str, event: EventDict) -> EventDict:
    """With every text of bounded length, and what was said first."""
    first = ("timestamp", "level", "logger", "event")
    ordered = {**{name: event[name] for name in first}, **event}
    return {name: _short(value) if isinstance(value, str) else value for name, value in ordered.items()}


def _for_terminals(logger: object, method: str, event: EventDict) -> EventDict:
    """Without control characters, which could drive the terminal; process ids are left out."""
    told = {name: shown(_short(value)) if isinstance(value, str) else value for name, value in event.items()}
    told.pop("pid")
    return told


def _short(text: str) -> str:
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}… ({len(text):,} characters)"


def _to_json(logger: object, method: str, event: EventDict) -> str:
    return _dumped(event)


def _dumped(value: object) -> str:
    try:
        return orjson.dumps(value, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError, RecursionError):  # halves of surrogate pairs, numbers beyond 64 bits, rings
        return json.dumps(repr(value) if not isinstance(value, dict) else _plain(value))


def _plain(event: Mapping[Any, Any]) -> dict[str, Any]:
    """The same in what JSON always has. Extras are foreign objects: one that cannot be shown is named by its type."""
    plain: dict[str, Any] = {}
    for name, value in event.items():
        try:
            fits = value is None or isinstance(value, str) or (isinstance(value, int) and abs(value) < 2**63)
            plain[str(name)] = value if fits else repr(value)
        except Exception:  # foreign code, and the line about it would end here, too
            plain[str(name)] = f"a {type(value).__name__} that cannot be shown"
    return plain
