"""What a node's `config` says to the lab itself: how long, how often, what is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphs.flows.shapes import kind
from nodes.agents.remote import MAX_TIMEOUT_SEC
from nodes.teams.steps import MAX_ATTEMPTS


def settings_told(config: Mapping[str, Any], *, agent: bool) -> Iterator[tuple[str, str]]:
    """What cannot be taken, each with its key. Of other kinds of steps than agents' only what all have in common."""
    timeout = config.get("timeout")
    if timeout is not None and not _is_number(timeout, 0, MAX_TIMEOUT_SEC):
        yield "timeout", f"timeout must be seconds above 0, at most {MAX_TIMEOUT_SEC:.0f}, not {kind(timeout)}"
    attempts = config.get("attempts", 1)
    if isinstance(attempts, bool) or not isinstance(attempts, int) or not 1 <= attempts <= MAX_ATTEMPTS:
        yield "attempts", f"attempts must be a whole number from 1 to {MAX_ATTEMPTS}, not {kind(attempts)}"
    if agent and not isinstance(config.get("prompt", ""), str):
        yield "prompt", f"prompt must be a text, not {kind(config['prompt'])}"
    if agent and not isinstance(config.get("input", {}), Mapping):
        yield "input", f"input must be a mapping of names to values, not {kind(config['input'])}"


def _is_number(value: Any, above: float, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and above < value <= most
