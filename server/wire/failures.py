"""What a client is told of an exception."""

from __future__ import annotations

from langgraph.errors import EmptyInputError, InvalidUpdateError, TaskNotFound

from state.errors import LabError

_TOLD = (
    ValueError,
    RuntimeError,
    TypeError,
    KeyError,
    AttributeError,
    TimeoutError,
    InvalidUpdateError,
    EmptyInputError,
    TaskNotFound,
    LabError,
)
"""Kinds whose words are for a client. Others, a file's or a database's, may name what is none of its business."""

HIDDEN = "An internal error occurred"


def failure(error: BaseException) -> dict[str, str]:
    """Its class and, of the kinds whose words are for a client, what it says."""
    return {"error": type(error).__name__, "message": str(error) if isinstance(error, _TOLD) else HIDDEN}
