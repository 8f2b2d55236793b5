"""How a command talks: errors in one line on stderr, logs quiet unless asked for."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from graphs.flows.faults import FlowErrors
from server.settings import Settings
from server.telemetry.log_levels import set_levels
from state.errors import Broken, LabError

P = ParamSpec("P")
T = TypeVar("T")

_PICTURES = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"} | dict.fromkeys(
    (127, *range(128, 160), *range(0xD800, 0xE000)), "�"
)
PIPE_WIDTH = 200
"""Columns of a table that no terminal shows."""


def report(error: LabError) -> None:
    """One line on stderr, of a definition with several mistakes a line each; ours come with their traceback."""
    if isinstance(error, Broken):
        logging.getLogger("lab").error("unexpected", exc_info=error)
    lines = str(error).splitlines() if isinstance(error, FlowErrors) else [str(error)]
    console = Console(stderr=True, soft_wrap=True)
    for line in lines:
        console.print(f"[bold red]error:[/] {escape(' '.join(line.split()))}")


def set_up_logging(settings: Settings, *, quiet: bool = False) -> None:
    """Plain lines on stderr, of a command that answers people: at `LAB_LOG_LEVEL`, `quiet` only from warnings up."""
    level = "WARNING" if quiet and settings.log_level == "INFO" else settings.log_level
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    set_levels(settings, level)


def shown(text: str) -> str:
    """A text of a model or a user, with control characters as pictures: an escape sequence must not drive the terminal.

    New lines and tabs stay; lone surrogates, which cannot be printed, are replaced.
    """
    return text.translate(_PICTURES)


def shorten(text: str, limit: int = 160) -> str:
    """The text's start on one line, as `shown`."""
    folded = shown(" ".join(text[: 4 * limit].split()))
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"


def print_json(value: object) -> None:
    """JSON on stdout, to read; lone surrogates, which UTF-8 does not have, as JSON's escapes."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace").decode())


def wide_console() -> Console:
    """For tables: as wide as the terminal, or wide enough for every cell where the output goes to a file or a pipe."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPE_WIDTH)


async def in_daemon_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Like `asyncio.to_thread`, on a thread that nobody waits for: reading the keyboard ends with the Enter key only,
    and Ctrl-C must not wait for that.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]  # without an error there is a result

    def work() -> None:
        result, failed = None, None
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            failed = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=work, name="keyboard", daemon=True).start()
    return await done
