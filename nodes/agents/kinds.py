"""The kinds of agents by the names that definitions call their classes.

To add one: a Python class in the operator's folder (`base.py`), one in an installed package (`packages.py`), or in this
project a file beside this one with a class that fills `state.agent_ports.AgentKind` and its line in `shipped_kinds`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from nodes.agents.a2a import A2AKind
from nodes.agents.builtin import builtin_agents
from nodes.agents.chat import ChatKind
from nodes.agents.evaluator import EvaluatorKind
from nodes.agents.faults import Fault
from nodes.agents.graph import GraphKind
from nodes.agents.http import HttpKind
from nodes.agents.loader import AgentFolder
from nodes.agents.packages import load, records
from nodes.agents.words import one_line
from state.agent_ports import AgentKind
from state.agents import NewAgent, Origin
from state.errors import BadRequest

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "agent": "ChatAgent",
        "baseagent": "ChatAgent",
        "basicagent": "ChatAgent",
        "chat": "ChatAgent",
        "chatbot": "ChatAgent",
        "react": "ChatAgent",
        "reactagent": "ChatAgent",
        "evaluator": "EvaluatorAgent",
        "http": "HttpAgent",
        "a2a": "A2AAgent",
        "graph": "GraphAgent",
    }
)
"""Other names, in small letters: those of the systems that crews come from."""


def kind_of(name: str, kinds: Mapping[str, AgentKind]) -> AgentKind:
    """The kind called `name`: its own name, an alias, or either in other capitals. Raises BadRequest with the names."""
    if name in kinds:
        return kinds[name]
    wanted = name.strip().casefold()
    own = {known.casefold(): kind for known, kind in kinds.items()}
    found = own.get(wanted) or own.get(ALIASES.get(wanted, "").casefold())
    if found is None:
        raise BadRequest(f"there is no agent class '{one_line(name, 100)}'; choose one of: {', '.join(sorted(kinds))}")
    return found


def shipped_kinds() -> Mapping[str, AgentKind]:
    """The kinds that come with this project, by name."""
    kinds: Sequence[AgentKind] = (ChatKind(), EvaluatorKind(), GraphKind(), HttpKind(), A2AKind())
    return MappingProxyType({kind.name: kind for kind in kinds})


class Kinds:
    """All kinds of a process: the shipped ones, those of installed packages, and those of a folder as it is now.

    It is what `AgentNeeds.kinds` is.
    """

    def __init__(self, agents_dir: Path | None = None, *, reload: bool = False, packages: Sequence[str] = ()) -> None:
        """`packages`: names of `agent_lab.agents` entry points or distributions that the operator switched on.

        Imports these and the folder's files. Raises BadRequest for a package that cannot be used, and where there is
        no such folder; what is wrong in the folder stands in `faults`.
        """
        shipped = shipped_kinds()
        self._packages = load(packages, taken=shipped)
        self._fixed: Mapping[str, AgentKind] = MappingProxyType(
            {**shipped, **{kind.name: kind for kind in self._packages}}
        )
        self._folder = AgentFolder(agents_dir, taken=tuple(self._fixed), reload=reload) if agents_dir else None
        self()

    def __call__(self) -> Mapping[str, AgentKind]:
        """By name."""
        return {**self._fixed, **self._folder.kinds()} if self._folder is not None else self._fixed

    def faults(self) -> Sequence[Fault]:
        """What is wrong in the folder, by file and line."""
        return self._folder.faults() if self._folder is not None else ()

    def records(self) -> list[tuple[NewAgent, Origin]]:
        """Agents to register at start: the built-in ones, one for each Python class. Of one id the folder's counts."""
        ours: list[tuple[NewAgent, Origin]] = [(agent, "builtin") for agent in builtin_agents()]
        ours += [(agent, "plugin") for agent in records(self._packages)]
        ours += [(agent, "folder") for agent in (self._folder.records() if self._folder is not None else ())]
        return list({agent.agent_id: (agent, origin) for agent, origin in ours}.values())
