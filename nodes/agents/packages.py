"""Agents from installed packages: entry points of the group `agent_lab.agents`, where the operator switches them on.

    [project.entry-points."agent_lab.agents"]
    counter = "my_package.agents:WordCounter"

An entry is a class derived from BaseAgent, or an object that fills `state.agent_ports.AgentKind`, a kind of its own.
Listing reads what is installed and imports nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from nodes.agents.base import BaseAgent
from nodes.agents.python import PythonKind, kind_of_class
from nodes.agents.words import error_line, one_line
from state.agent_ports import Agent, AgentKind, AgentNeeds
from state.agents import AgentRecord, NewAgent
from state.errors import BadRequest, Unavailable
from state.flows import AgentSpec

log = logging.getLogger(__name__)

GROUP = "agent_lab.agents"


@dataclass(frozen=True)
class AgentPackage:
    """An entry point, as it is installed."""

    name: str
    distribution: str
    version: str
    target: str
    """`module:name`, not imported."""


def installed() -> list[AgentPackage]:
    """What there is to be switched on, by name."""
    found = {_told(entry) for entry in entry_points(group=GROUP)}  # a distribution may be on the path twice
    return sorted(found, key=lambda each: (each.name, each.distribution))


def load(names: Sequence[str], *, taken: Collection[str] = ()) -> list[AgentKind]:
    """The kinds of the packages switched on: `names` are of entry points or of distributions. Only these are imported.

    `taken`: names of kinds that there are already. Raises BadRequest that names the entry and what is wrong with it.
    """
    kinds: list[AgentKind] = []
    for entry in _chosen(names):
        kind = _load(entry, [*taken, *(kind.name for kind in kinds)])
        if isinstance(kind, PythonKind) and kind.agent_id in {agent.agent_id for agent in records(kinds)}:
            raise BadRequest(f"{_where(entry)}: another class is registered as '{kind.agent_id}'")
        kinds.append(kind)
    return kinds


def records(kinds: Sequence[AgentKind]) -> list[NewAgent]:
    """The agents to be registered: one for each class; a kind of its own is registered by whoever uses it."""
    return [kind.record() for kind in kinds if isinstance(kind, PythonKind)]


def _chosen(names: Sequence[str]) -> list[EntryPoint]:
    entries = {_told(entry): entry for entry in entry_points(group=GROUP)}
    chosen: dict[AgentPackage, EntryPoint] = {}
    for name in names:
        found = {told: entry for told, entry in entries.items() if name in (told.name, told.distribution)}
        if not found:
            known = ", ".join(f"{told.name} ({told.distribution})" for told in entries) or "none"
            raise BadRequest(f"LAB_AGENT_PACKAGES: there is no agent package '{name}'; installed: {known}")
        chosen.update(found)
    return list(chosen.values())


def _load(entry: EntryPoint, taken: Collection[str]) -> AgentKind:
    where = _where(entry)
    try:
        found = entry.load()
        if isinstance(found, type) and not issubclass(found, BaseAgent):
            found = found()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # somebody else's code, run for the first time
        raise BadRequest(f"{where}: it cannot be imported: {error_line(error)}") from error
    try:
        if isinstance(found, type):
            return kind_of_class(found, taken=taken, source=_told(entry).distribution)
        return _own_kind(found, taken)
    except ValueError as error:
        raise BadRequest(f"{where}: {one_line(str(error))}") from error


def _own_kind(found: Any, taken: Collection[str]) -> AgentKind:
    """Raises ValueError that says what it lacks."""
    for name, wanted in (("name", str), ("description", str), ("capabilities", tuple), ("check", None), ("make", None)):
        held = getattr(found, name, None)
        if not (callable(held) if wanted is None else isinstance(held, wanted)):
            raise ValueError(f"it is neither derived from BaseAgent nor a kind of agent: it has no {name}")
    if found.name.casefold() in {name.casefold() for name in taken}:
        raise ValueError(f"there is an agent class '{found.name}' already")
    return PackageKind(found, found.name, found.description, found.capabilities)


@dataclass(frozen=True)
class PackageKind:
    """A kind of somebody else's: whatever its code raises is refused as its mistake. Fills AgentKind."""

    kind: AgentKind
    name: str
    description: str
    capabilities: tuple[str, ...]

    def check(self, spec: AgentSpec) -> None:
        with self._refusing(spec):
            self.kind.check(spec)

    def make(self, spec: AgentSpec, needs: AgentNeeds, record: AgentRecord | None = None) -> Agent:
        with self._refusing(spec):
            return self.kind.make(spec, needs, record)

    @contextmanager
    def _refusing(self, spec: AgentSpec) -> Iterator[None]:
        try:
            yield
        except (BadRequest, Unavailable):
            raise
        except Exception as error:  # foreign code
            log.exception("agent class %s", self.name)
            raise BadRequest(f"agent '{spec.agent_id}': {self.name} fails with it: {error_line(error)}") from error


def _where(entry: EntryPoint) -> str:
    return f"LAB_AGENT_PACKAGES: {entry.name} ({_told(entry).distribution})"


def _told(entry: EntryPoint) -> AgentPackage:
    distribution = entry.dist
    return AgentPackage(
        name=entry.name,
        distribution=distribution.name if distribution is not None else "?",
        version=distribution.version if distribution is not None else "?",
        target=entry.value,
    )
