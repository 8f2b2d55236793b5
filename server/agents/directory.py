"""The registered agents of one tenant, as the steps that call them see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches

from server.db.agents import Agents
from state.agents import AgentRecord
from state.errors import NotFound

_NAMED = 5


class Directory:
    """state.agent_ports.AgentDirectory. Every method raises NoDatabase."""

    def __init__(self, agents: Agents, tenant: str, unwritten: Callable[[], Mapping[str, int]] = dict) -> None:
        """`unwritten`: calls by agent that have begun in this process and that Postgres does not know of yet."""
        self._agents, self._tenant, self._unwritten = agents, tenant, unwritten

    async def get(self, agent_id: str) -> AgentRecord:
        """With its key. Raises NotFound, which names agents that there are."""
        found = await self._agents.get(self._tenant, agent_id)
        if found is None:
            raise NotFound(f"there is no agent '{agent_id[:100]}'; {hint(agent_id[:100], await self._ids())}")
        return found

    async def find(self, *, capability: str | None = None, endpoint: str | None = None) -> list[AgentRecord]:
        """Those that are enabled, the least busy first; unhealthy ones are the last."""
        found = await self._agents.find(self._tenant, capability=capability, endpoint=endpoint)
        # Steps that ask at once would all choose the same agent: their calls are written some moments later.
        here = self._unwritten()
        return sorted(
            found, key=lambda one: (not one.enabled, not one.healthy, one.running + here.get(one.agent_id, 0))
        )

    async def may_call(self, agent_id: str) -> None:
        """Raises CircuitOpen. Half-open, it lets one caller of all processes try."""
        await self._agents.may_call(self._tenant, agent_id)

    async def succeeded(self, agent_id: str) -> None:
        """Closes the breaker; an agent that was offline is not any more."""
        await self._agents.succeeded(self._tenant, agent_id)

    async def gave_up(self, agent_id: str) -> None:
        """Another caller may try at once."""
        await self._agents.gave_up(self._tenant, agent_id)

    async def failed(self, agent_id: str, error: str) -> None:
        """The breaker counts; what went wrong stands in the call's own row."""
        await self._agents.failed(self._tenant, agent_id)

    async def _ids(self) -> list[str]:
        return [*await self._agents.ids(self._tenant)]


def hint(wanted: str, known: list[str]) -> str:
    """Where a name is not found: those that are like it, else the first ones."""
    if not known:
        return "none is registered"
    close = get_close_matches(wanted, known, n=_NAMED, cutoff=0.6)
    if close:
        return f"did you mean: {', '.join(close)}?"
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    return f"registered are: {', '.join(known[:_NAMED])}{more}"
