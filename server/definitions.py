"""Crews and flows as they are kept: assistants of the graphs `crew` and `flow`, whose configuration is the definition.

Their versions, drawings, threads, runs and streams are those of any assistant.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID, uuid5

from graphs.crews.build import read_crew
from graphs.crews.check import check_crew
from graphs.flows.check import checked
from graphs.flows.faults import Fault, FlowErrors, Positions
from graphs.flows.load import flow_from
from server.addresses import Network
from server.db.assistant_shapes import Assistant, AssistantChange, AssistantFilter, NewAssistant, system_id
from server.db.assistants import Assistants
from server.registered import check_addresses, check_crew_settings, check_registered, flow_faults, known_names
from server.wire.values import plain
from state.agent_ports import AgentNeeds
from state.errors import Conflict, NotFound
from state.flows import CrewSpec, FlowSpec

Kind = Literal["crew", "flow"]
Source = Literal["api", "shipped", "folder"]
"""Who brought a definition: a client, this project, the folder of LAB_FLOWS_DIR."""

NAMES = UUID("5d1cc6a3-1a55-5c0e-9b8b-6f0d6f1c0a7e")
"""The name space of the assistants' ids, so that they can be computed anywhere."""
FACTORIES: Mapping[Kind, str] = {
    "crew": "./graphs/crews/build.py:make_graph",
    "flow": "./graphs/flows/compile.py:make_graph",
}
"""What a langgraph.json says to serve them."""
LISTED_AT: Mapping[Kind, str] = {"crew": "/api/v1/crew", "flow": "/flows"}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """A definition and the assistant that it is."""

    kind: Kind
    assistant: Assistant
    created: bool = False

    @property
    def name(self) -> str:
        """Its crew_id or flow_id."""
        return str(self.assistant.metadata.get(f"{self.kind}_id", ""))

    @property
    def source(self) -> str:
        return str(self.assistant.metadata.get("source", "api"))

    @property
    def definition(self) -> Mapping[str, Any]:
        """JSON. Any client may change the assistant by its id: it need not be a definition any more."""
        found = (self.assistant.config.get("configurable") or {}).get(self.kind)
        return found if isinstance(found, Mapping) else {}


def definition_id(kind: Kind, name: str) -> UUID:
    """The assistant's id of a crew or a flow. Each tenant has its own assistant of that id."""
    # A command line may hold what is no UTF-8; nothing is called so.
    return uuid5(NAMES, f"{kind}:{name}".encode("utf-8", "replace").decode())


class Definitions:
    """Crews and flows of every tenant.

    Methods raise NotFound where the application serves no such graph, and NoDatabase.
    """

    def __init__(
        self, assistants: Assistants, needs: Callable[[], AgentNeeds], networks: Sequence[Network] = ()
    ) -> None:
        """`needs`: what names in definitions are looked up in; asked at each use. `networks`: private ones that agents'
        endpoints may lie in."""
        self._assistants = assistants
        self._needs = needs
        self._networks = networks

    async def put_crew(self, tenant: str, spec: CrewSpec) -> Kept:
        """Keep a crew; a new version where it differs from the one kept. Raises BadRequest for what is wrong in it."""
        self._served("crew")
        await self.check_crew(spec)
        await check_addresses(self._needs(), spec.agents, self._networks)
        await check_crew_settings(self._needs(), spec)
        return await self._put(tenant, "crew", spec.crew_id, spec, "api")

    async def put_flow(self, tenant: str, spec: FlowSpec, positions: Positions | None = None) -> Kept:
        """The same for a flow; `positions`: where in its file everything stands."""
        self._served("flow")
        if faults := await self.faults_of(spec, positions):
            raise FlowErrors(faults)
        return await self._put(tenant, "flow", spec.flow_id, spec, "api")

    async def check_crew(self, spec: CrewSpec) -> None:
        """Hold every name in it against what there is now. Raises BadRequest; Conflict: an agent is gone or off."""
        needs = self._needs()
        check_crew(spec, needs)
        await check_registered(needs, f"crew '{spec.crew_id}'", spec.agents)

    async def check_flow(self, spec: FlowSpec) -> None:
        """The same for a flow, all its mistakes at once. Raises FlowErrors, a BadRequest."""
        checked(spec, await known_names(self._needs(), spec))

    async def faults_of(self, spec: FlowSpec, positions: Positions | None = None) -> list[Fault]:
        """Every mistake for which `put_flow` refuses a flow."""
        return await flow_faults(self._needs(), spec, positions)

    async def get(self, tenant: str, kind: Kind, name: str) -> Kept:
        """Raises NotFound."""
        self._served(kind)
        found = await self._assistants.get(tenant, definition_id(kind, name))
        if found is None or found.graph_id != kind:
            raise NotFound(f"there is no {kind} '{name[:200]}'; GET {LISTED_AT[kind]} lists those there are")
        return Kept(kind, found)

    def unkept(self, kind: Kind, spec: CrewSpec | FlowSpec) -> Kept:
        """A definition as it would be kept, for one that is to run and not to stay. Raises NotFound: no such graph."""
        self._served(kind)
        name = spec.crew_id if isinstance(spec, CrewSpec) else spec.flow_id
        now = datetime.now(UTC)
        assistant = Assistant(
            # A run names an assistant that there is: its graph's own.
            assistant_id=system_id(kind),
            graph_id=kind,
            config={"configurable": {kind: plain(spec.model_dump(mode="json"))}},
            context={},
            metadata={"kind": kind, f"{kind}_id": name},
            name=spec.name or name,
            created_at=now,
            updated_at=now,
            version=0,
            description=spec.description,
        )
        return Kept(kind, assistant)

    async def runnable(self, tenant: str, kind: Kind, name: str) -> Kept:
        """One whose names are all still there. Raises NotFound, Conflict: what is missing now."""
        kept = await self.get(tenant, kind, name)
        try:
            if kind == "crew":
                await self.check_crew(read_crew(kept.definition))
            else:
                await self.check_flow(flow_from(kept.definition))
        except FlowErrors as error:
            raise Conflict(f"{kind} '{name}' cannot run now: {error}") from None
        return kept

    async def crew_named(self, tenant: str, name: str) -> Kept:
        """The crew of exactly this name, of several the one made last. Raises NotFound."""
        self._served("crew")
        wanted = AssistantFilter({"kind": "crew"}, "crew", name)
        for assistant in await self._assistants.search(tenant, wanted, limit=1_000):
            if assistant.name == name:
                return Kept("crew", assistant)
        raise NotFound(f"there is no crew named '{name[:200]}'; GET /api/v1/crew lists those there are")

    async def search(self, tenant: str, kind: Kind, *, limit: int, offset: int) -> list[Kept]:
        """By name."""
        self._served(kind)
        wanted = AssistantFilter({"kind": kind}, kind)
        found = await self._assistants.search(
            tenant, wanted, sort_by="name", descending=False, limit=limit, offset=offset
        )
        return [Kept(kind, assistant) for assistant in found]

    async def count(self, tenant: str, kind: Kind) -> int:
        return await self._assistants.count(tenant, AssistantFilter({"kind": kind}, kind))

    async def delete(self, tenant: str, kind: Kind, name: str) -> None:
        """With its versions; its executions stay. Raises NotFound."""
        await self._assistants.delete(tenant, (await self.get(tenant, kind, name)).assistant.assistant_id)

    async def ensure_flows(self, tenant: str, flows: Iterable[tuple[FlowSpec, Source]]) -> None:
        """Keep these as they are now; a flow of the same id that a client brought stays as it is."""
        if "flow" not in self._assistants.graph_ids:
            return
        for spec, source in flows:
            found = await self._assistants.get(tenant, definition_id("flow", spec.flow_id))
            if found is None or found.metadata.get("source") != "api":
                await self._put(tenant, "flow", spec.flow_id, spec, source)
                # Kept all the same: an agent that it names may be registered later.
                for fault in await self.faults_of(spec) if source == "folder" else ():
                    log.warning("flow '%s' of the folder cannot run yet: %s", spec.flow_id, fault)
            elif source == "folder":
                log.warning("flow '%s' of the folder is not used: a client keeps one of this id", spec.flow_id)

    def _served(self, kind: Kind) -> None:
        if kind not in self._assistants.graph_ids:
            line = f'"{kind}": "{FACTORIES[kind]}"'
            raise NotFound(f"this application serves no graph '{kind}'; add {line} to \"graphs\" in its langgraph.json")

    async def _put(self, tenant: str, kind: Kind, name: str, spec: CrewSpec | FlowSpec, source: Source) -> Kept:
        assistant_id, label = definition_id(kind, name), spec.name or name
        config = {"configurable": {kind: plain(spec.model_dump(mode="json"))}}
        metadata = {"kind": kind, f"{kind}_id": name, "source": source}
        new = NewAssistant(assistant_id, kind, label, spec.description, config, metadata=metadata)
        change = AssistantChange(kind, label, spec.description, config, {}, metadata)
        while True:
            found = await self._assistants.get(tenant, assistant_id)
            if found is not None and _changes_nothing(found, change):
                return Kept(kind, found)
            # Somebody else may be faster, to keep it or to delete it: then it is looked at again.
            if found is None:
                with suppress(Conflict):
                    return Kept(kind, await self._assistants.create(tenant, new), created=True)
            else:
                with suppress(NotFound):
                    return Kept(kind, await self._assistants.update(tenant, assistant_id, change))


def _changes_nothing(kept: Assistant, change: AssistantChange) -> bool:
    same = (kept.graph_id, kept.name, kept.description, kept.config, kept.context) == (
        change.graph_id,
        change.name,
        change.description,
        change.config,
        change.context,
    )
    return same and (change.metadata or {}).items() <= kept.metadata.items()
