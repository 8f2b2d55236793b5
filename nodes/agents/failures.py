"""Failures of agents that retries and fallbacks tell apart."""

from __future__ import annotations

from state.errors import AgentFailed


class NotAgain(AgentFailed):
    """Asking the same agent again is useless now; another one with the capability may be asked at once."""
