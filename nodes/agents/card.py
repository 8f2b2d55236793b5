"""What an A2A agent says of itself, as far as we use it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """What an agent says of itself."""

    name: str
    description: str
    capabilities: tuple[str, ...]
    """The ids and the tags of its skills, as far as they can be capabilities."""
