"""What is wrong with a file of the operator's folder of agents, and where."""

from __future__ import annotations

import inspect
import traceback
from dataclasses import dataclass
from pathlib import Path

from nodes.agents.words import error_line


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file, and where."""

    file: str
    line: int
    """1 where no line is to blame."""
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


def line_of(cls: type) -> int:
    """Where a class begins in its file; 1 where that cannot be told."""
    try:
        return inspect.getsourcelines(cls)[1]
    except (OSError, TypeError, IndentationError):
        return 1


def fault_of(error: BaseException, path: Path) -> Fault:
    """An import's failure, with the line of the file where it came about."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return Fault(str(path), error.lineno or 1, f"it is not Python: {error.msg}")
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    line = next((line for line in reversed(lines) if line is not None), 1)
    return Fault(str(path), line, f"it cannot be imported: {error_line(error)}")
