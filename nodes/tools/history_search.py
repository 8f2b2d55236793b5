"""History search: what was asked and answered in earlier runs, from LangGraph's store."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.tools import BaseTool, ToolException, tool
from langgraph.prebuilt import ToolRuntime

from nodes.memory import Found, find_runs, runs_of

MAX_RESULTS = 5
MAX_CHARS = 200
"""Of a request or an answer, in one line of the result."""


def history_search() -> BaseTool:
    """The tool that models see: `history_search(query)`."""

    @tool("history_search")
    async def run(query: str, runtime: ToolRuntime) -> str:
        """Find what was asked and answered in earlier conversations, by words or by meaning."""
        if runtime.store is None:
            raise ToolException("there is no history here: answer without it")
        if not query.strip():
            raise ToolException("say what to look for, such as 'invoice of May'")
        found = await find_runs(runtime.store, runs_of(runtime.server_info), query, limit=MAX_RESULTS)
        return as_lines(found)

    return run


def as_lines(found: Sequence[Found]) -> str:
    """A line a run, nearest first: day, request, answer."""
    if not found:
        return "nothing found in earlier conversations"
    return "\n".join(
        f"{each.at[:10]} {_short(each.memory.request)} -> {_short(each.memory.answer) or '(no answer)'}"
        for each in found
    )


def _short(text: str) -> str:
    text = " ".join(text[: 4 * MAX_CHARS].split())
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"
