"""Which tools one attempt is offered: those its request calls for, as small models drown in the others."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from langchain_core.tools import BaseTool

from nodes.tools.cues import CALLED_FOR
from state.errors import BadRequest
from state.tasks import Analysis, Task

MAX_CHARS = 4_000
"""Requests say what they want at the start or the end; the middle of a longer one is its material."""


def choose_tools(
    task: Task,
    analysis: Analysis,
    tools: Sequence[BaseTool],
    *,
    named: Sequence[str] | None,
    all_of_them: bool = False,
) -> tuple[BaseTool, ...]:
    """The tools that the request calls for, in the order of `tools`.

    `named` (Context.tools) is what the user wants offered: exactly those, and none where it is empty. `all_of_them`
    offers every tool, for an attempt after one that lacked them. A tool that is not ours is offered when the request
    names it, or needs tools that are none of ours. Raises BadRequest for a name that is no tool's.
    """
    if named is not None:
        known = [tool.name for tool in tools]
        if unknown := [name for name in named if name not in known]:
            raise BadRequest(f"there is no tool '{unknown[0]}'; choose of: {', '.join(known) or 'none'}")
        return tuple(tool for tool in tools if tool.name in named)
    if all_of_them:
        return tuple(tools)
    text = plain(task.prompt)
    wanted = {name for name, calls_for in CALLED_FOR.items() if calls_for(text, analysis)}
    others = "tools" in analysis.needs and not wanted
    return tuple(
        tool
        for tool in tools
        if tool.name in wanted or _is_named(tool.name, text) or (others and tool.name not in CALLED_FOR)
    )


def plain(prompt: str) -> str:
    """A request in small letters without accents, spaces single; of a long one its start and its end."""
    cut = prompt if len(prompt) <= MAX_CHARS else f"{prompt[: MAX_CHARS // 2]} {prompt[-MAX_CHARS // 2 :]}"
    split = unicodedata.normalize("NFKD", cut.replace("’", "'").replace("º", "°")).casefold()
    return " ".join("".join(char for char in split if not unicodedata.combining(char)).split())


def _is_named(tool: str, text: str) -> bool:
    """`use convert with …`, or any mention of a name that no other sentence would have, such as `lab_status`."""
    name = re.escape(tool.casefold())
    asked = rf"\b(?:tool|use|call|run|herramienta|usa|llama a|ejecuta) (?:the |la )?(?:tool |herramienta )?{name}\b"
    return bool(re.search(rf"\b{name}\b" if "_" in tool else asked, text))
