"""Labelled data as people keep it: files of JSON lines, read whole or refused with file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from state.errors import BadRequest


def read_rows(path: Path, form: str) -> list[tuple[str, dict[str, Any]]]:
    """Each line's object with where it stands (`file:line`); blank lines are skipped.

    `form` says what a line looks like, for the message of an empty file. Raises BadRequest for a file that cannot be
    read, and for the first line that is no JSON object.
    """
    try:
        content = path.read_text(encoding="utf-8-sig")  # editors on Windows begin files with a mark
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path}: cannot be read as UTF-8 text: {error}") from error
    # Not splitlines(): JSON may hold U+2028 and the like unescaped.
    rows = [
        (where, _object(line, where))
        for number, line in enumerate(content.split("\n"), 1)
        if line.strip() and (where := f"{path}:{number}")
    ]
    if not rows:
        raise BadRequest(f"{path}: no lines; each is {form} as JSON")
    return rows


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{where}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadRequest(f"{where}: expected an object, not {type(value).__name__}")
    return value
