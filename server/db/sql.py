"""Named queries out of a `.sql` file. A query begins at `-- name` or `-- name: what it does` on a line of its own."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).with_name("queries")


def read_queries(file: Path) -> dict[str, bytes]:
    """Each query's text under its name. Bytes, as psycopg takes for SQL that is not a literal in the code."""
    # A query follows an empty line or the start, so that comments inside one are left alone.
    parts = re.split(r"(?:\A|\n\n)-- (\w+)(?::[^\n]*)?\n", file.read_text(encoding="utf-8"))
    return {name: text.strip().encode() for name, text in zip(parts[1::2], parts[2::2], strict=True)}
