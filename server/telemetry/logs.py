"""Structured logs of a process: what is told, and on its way from whoever logs to stderr and to files."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any
from urllib.parse import unquote, urlsplit

from server.settings import Settings
from server.telemetry.log_context import current_ids
from server.telemetry.log_files import LogFiles
from server.telemetry.log_levels import set_levels
from server.telemetry.log_lines import IDS, formatter
from state.errors import BadRequest

MOST_WAITING = 10_000
"""Records that wait to be written; more than these, while stderr is blocked say, are counted and dropped."""
FLUSH_SEC = 2.0
"""How long an end waits for what is still to be written."""

log = logging.getLogger(__name__)

Record = tuple[logging.LogRecord, str, Mapping[str, Any]]


class LogWriter(logging.Handler):
    """Hands records to a thread that formats and writes them: whoever logs, an event loop say, waits for no disk.

    The text and the ids are made here, where they are known and still as they were. Measured: 8 µs a line.
    """

    def __init__(self, sinks: Sequence[logging.Handler]) -> None:
        super().__init__()
        self._sinks = sinks
        self._waiting: SimpleQueue[Record | threading.Event | None] = SimpleQueue()
        self._dropped = 0
        self._thread = threading.Thread(target=self._write_all, name="logs", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        if self._waiting.qsize() >= MOST_WAITING:
            self._dropped += 1
            return
        try:
            self._waiting.put((record, record.getMessage(), current_ids()))
        except Exception:  # arguments that do not fit the text: told on stderr, as logging does
            self.handleError(record)

    def flush(self) -> None:
        """Return when all that was told until now is written, or after FLUSH_SEC."""
        written = threading.Event()
        self._waiting.put(written)
        written.wait(FLUSH_SEC)

    def close(self) -> None:
        """Write what waits, and end."""
        self._waiting.put(None)
        self._thread.join(FLUSH_SEC)
        for sink in self._sinks:
            sink.close()
        super().close()

    def _write_all(self) -> None:
        while (item := self._waiting.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
                continue
            self._write(*item)
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                text = f"{dropped} log lines were dropped: they came faster than they can be written"
                self._write(log.makeRecord(log.name, logging.WARNING, "", 0, text, (), None), text, {})

    def _write(self, record: logging.LogRecord, text: str, ids: Mapping[str, Any]) -> None:
        # The record is also others' (a test's): this one is ours.
        own = logging.makeLogRecord({**record.__dict__, "msg": text, "args": (), IDS: ids})
        for sink in self._sinks:
            sink.handle(own)


@contextmanager
def open_logs(settings: Settings, name: str) -> Iterator[LogWriter]:
    """Structured logs on stderr, and in `settings.log_dir` where there is one, until the end; then all are written.

    `name`: of the command. Python's warnings become log lines. Raises BadRequest: the folder cannot be written.
    """
    restore = set_levels(settings, settings.log_level)
    writer = LogWriter(sinks_of(settings, name))
    logging.root.addHandler(writer)
    logging.captureWarnings(True)
    try:
        yield writer
    finally:
        logging.captureWarnings(False)
        logging.root.removeHandler(writer)
        writer.close()
        restore()


def sinks_of(settings: Settings, name: str) -> list[logging.Handler]:
    """Where lines go. Raises BadRequest: LAB_LOG_DIR cannot be written."""
    terminal = sys.stderr.isatty()
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not terminal)
    secrets = secrets_of(settings)
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setFormatter(formatter(as_json=as_json, colours=terminal, secrets=secrets))
    if settings.log_dir is None:
        return [stderr]
    try:
        files = LogFiles(
            settings.log_dir.expanduser(),
            name,
            size_bytes=settings.log_size,
            days=settings.log_days,
            total_bytes=settings.log_total,
        )
    except OSError as error:
        raise BadRequest(
            f"LAB_LOG_DIR: {settings.log_dir} cannot be written ({error.strerror}); name another"
        ) from error
    files.setFormatter(formatter(as_json=True, secrets=secrets))
    return [stderr, files]


def secrets_of(settings: Settings) -> list[str]:
    """What must stand in no log line: keys, tokens, the database's password as it is and as the URL spells it."""
    secrets = [key.get_secret_value() for key in settings.keys.values()]
    if settings.hf_token is not None:
        secrets.append(settings.hf_token.get_secret_value())
    if settings.database_url is not None:
        try:
            password = urlsplit(settings.database_url.get_secret_value()).password or ""
        except ValueError:  # no URL: told by whoever connects
            password = ""
        secrets += [password, unquote(password)]
    return [secret for secret in secrets if secret]
