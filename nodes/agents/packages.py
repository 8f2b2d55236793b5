"""Agents from installed packages: entry points of the group `agent_lab.agents`, where the operator switches them on.

    [project.entry-points."agent_lab.agents"]
    counter = "my_package.agents:WordCounter"

An entry is a class derived from BaseAgent, or an object that fills `state.agent_ports.AgentKind`, a kind of its own.
Listing reads what is installed and imports nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from nodes.agents.base import BaseAgent
from nodes.agents.python import PythonKind, kind_of_class
from nodes.agents.words import one_line
from state.agent_ports import AgentKind
from state.agents import NewAgent
from state.errors import BadRequest

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
    where = f"LAB_AGENT_PACKAGES: {entry.name} ({_told(entry).distribution})"
    try:
        found = entry.load()
        if isinstance(found, type) and not issubclass(found, BaseAgent):
            found = found()
    except (Exception, SystemExit) as error:  # somebody else's code, run for the first time
        raise BadRequest(one_line(f"{where}: it cannot be imported: {type(error).__name__}: {error}")) from error
    if isinstance(found, type) and issubclass(found, BaseAgent):
        try:
            return kind_of_class(found, taken=taken, source=_told(entry).distribution)
        except ValueError as error:
            raise BadRequest(f"{where}: {error}") from error
    return _own_kind(found, where, taken)


def _own_kind(found: Any, where: str, taken: Collection[str]) -> AgentKind:
    missing = [name for name in ("name", "description", "capabilities", "check", "make") if not hasattr(found, name)]
    if missing:
        raise BadRequest(f"{where}: it is neither derived from BaseAgent nor a kind of agent: it has no {missing[0]}")
    kind: AgentKind = found
    if kind.name.casefold() in {name.casefold() for name in taken}:
        raise BadRequest(f"{where}: there is an agent class '{kind.name}' already")
    return kind


def _told(entry: EntryPoint) -> AgentPackage:
    distribution = entry.dist
    return AgentPackage(
        name=entry.name,
        distribution=distribution.name if distribution is not None else "?",
        version=distribution.version if distribution is not None else "?",
        target=entry.value,
    )
