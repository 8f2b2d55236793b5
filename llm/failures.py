"""Errors that travel from a worker thread to a caller."""

from __future__ import annotations

import traceback

from state.errors import Broken


def broken(what: str, cause: BaseException) -> Broken:
    """A fault of ours, told in one line, with its cause attached."""
    error = Broken(f"{what}: {type(cause).__name__}: {cause}")
    error.__cause__ = cause
    return error


def forget_frames(error: BaseException) -> None:
    """Empty the frames that an error's tracebacks hold, its causes' too.

    Their locals are tensors: an out-of-memory error that somebody keeps would keep the memory that was missing.
    """
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        current = todo.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        traceback.clear_frames(current.__traceback__)
        todo += [current.__cause__, current.__context__]
