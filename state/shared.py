"""What the agents of a crew share: values by key, for all or for one agent, every change kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

GLOBAL = ""
"""The namespace that all agents see; any other is an agent's id, and its own."""


class SharedChange(BaseModel):
    """One write. `value` None with `deleted` takes the key away."""

    model_config = ConfigDict(frozen=True)

    namespace: str = GLOBAL
    key: str
    value: Any = None
    deleted: bool = False
    by: str
    """The agent, or `client`."""
    at: datetime


def values_of(changes: Iterable[SharedChange], namespace: str = GLOBAL) -> dict[str, Any]:
    """What a namespace holds after the changes, in their order."""
    held: dict[str, Any] = {}
    for change in changes:
        if change.namespace != namespace:
            continue
        if change.deleted:
            held.pop(change.key, None)
        else:
            held[change.key] = change.value
    return held


def history_of(changes: Iterable[SharedChange], key: str, namespace: str = GLOBAL) -> list[SharedChange]:
    """All that was written under a key, oldest first."""
    return [change for change in changes if change.key == key and change.namespace == namespace]
