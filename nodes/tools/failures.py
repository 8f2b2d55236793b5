"""How a tool's failure is told to the model: one short line that says what to do, never a traceback.

No `from __future__ import annotations` here: ToolNode reads the handled types from the annotation itself.
"""

from langchain_core.tools import ToolException
from langgraph.prebuilt.tool_node import ToolInvocationError

MAX_CHARS = 300


def tell_failure(error: ToolException | ValueError) -> str:
    """The words of a failed call, for `ToolNode(handle_tool_errors=...)`; arguments of the wrong type are named."""
    if isinstance(error, ToolInvocationError) and error.filtered_errors:
        wrong = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.filtered_errors)
        return _one_line(f"Error: {error.tool_name} takes other arguments: {'; '.join(wrong)}")
    return _one_line(f"Error: {error}")


def _one_line(text: str) -> str:
    text = " ".join(text[: 4 * MAX_CHARS].split())
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"
