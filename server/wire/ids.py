"""Ids as they come in a URL."""

from __future__ import annotations

from uuid import UUID

from state.errors import BadRequest


def uuid_of(what: str, text: str) -> UUID:
    """The UUID that `text` spells. Raises BadRequest in the reference server's words: `Invalid thread ID: …`."""
    try:
        return UUID(text)
    except ValueError:
        raise BadRequest(f"Invalid {what} ID: must be a UUID") from None
