"""A flow held against itself and against what there is, whole, before anything runs: every mistake with its place and
with what would have been accepted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from graphs.flows.faults import Fault, FlowErrors, Path, Positions, in_order, listed, near, shown
from graphs.flows.order import Needs, ancestors, cycles
from graphs.flows.settings import settings_told
from graphs.flows.shapes import MAX_TOLD
from nodes.teams.kinds import AGENT, StepKind, shipped_step_kinds
from nodes.teams.references import Found, find, name_of
from state.flows import RESERVED, FlowNode, FlowSpec

ASKED = ("query", "input")
"""What every reference may name beside the steps before: what is asked, as a text and as it was sent."""
MAX_COMPARED = 5_000
"""Names that others are held against to find a near one: each takes up to a third of a millisecond."""
PREVIOUS = "previous"
"""What the steps said that a step depends on."""


@dataclass(frozen=True)
class Known:
    """What there is; None: not known here, so not checked."""

    agents: Collection[str] | None = None
    capabilities: Collection[str] | None = None
    tools: Collection[str] | None = None
    kinds: Mapping[str, StepKind] = field(default_factory=shipped_step_kinds)


def check_flow(spec: FlowSpec, known: Known | None = None, positions: Positions | None = None) -> list[Fault]:
    """Every mistake, in the order of the file; empty: it can run."""
    checking = _Checking(spec, known or Known(), positions or Positions())
    return in_order(islice(checking.all(), MAX_TOLD))


def checked(spec: FlowSpec, known: Known | None = None, positions: Positions | None = None) -> FlowSpec:
    """The flow itself. Raises FlowErrors with every mistake."""
    if faults := check_flow(spec, known, positions):
        raise FlowErrors(faults)
    return spec


class _Checking:
    def __init__(self, spec: FlowSpec, known: Known, positions: Positions) -> None:
        self._spec, self._known, self._at = spec, known, positions
        self._ids = [node.id for node in spec.nodes]
        # Of two nodes with one id the first counts, so that the second is told to be double and nothing else.
        self._needs: Needs = {node.id: node.depends_on for node in reversed(spec.nodes)}
        self._cycles = cycles(self._needs)
        self._before = ancestors(self._needs)
        self._comparisons = MAX_COMPARED

    def all(self) -> Iterator[Fault]:
        for index, node in enumerate(self._spec.nodes):
            path: Path = ("nodes", index)
            yield from self._identity(node, index)
            yield from self._answerer(node, path)
            yield from self._dependencies(node, path)
            yield from self._settings(node, path)
            yield from self._references(node, path)
        yield from self._around()
        yield from self._ends()

    def _identity(self, node: FlowNode, index: int) -> Iterator[Fault]:
        path: Path = ("nodes", index, "id")
        if node.id in self._ids[:index]:
            yield self._at.fault(path, f"there is a node '{node.id}' already; give each its own id")
        if node.id in RESERVED:
            yield self._at.fault(path, f"no node can be called '{node.id}'; taken are: {listed(sorted(RESERVED))}")

    def _answerer(self, node: FlowNode, path: Path) -> Iterator[Fault]:
        kinds = (AGENT, *self._known.kinds)
        named = [key for key in ("agent_id", "capability") if getattr(node, key) is not None]
        if node.type not in kinds:
            told = f"there is no type '{shown(node.type)}'{self._near(node.type, kinds)}; types are: {listed(kinds)}"
            yield self._at.fault((*path, "type"), told)
        elif node.type != AGENT:
            for key in named:
                yield self._at.fault((*path, key), f"a node of type {node.type} has no {key}; leave it out", key=True)
            for inner, told in self._known.kinds[node.type].check(node.config, self._known.tools):
                yield self._at.fault((*path, "config", *inner), f"node '{node.id}': {told}")
        elif not named:
            told = "needs agent_id, a registered agent, or capability, what any agent that has it is asked for"
            yield self._at.fault(path, f"node '{node.id}' {told}")
        elif len(named) > 1:
            told = f"node '{node.id}' has agent_id and capability; leave one of them out"
            yield self._at.fault((*path, "capability"), told, key=True)
        else:
            yield from self._registered(node, path)

    def _registered(self, node: FlowNode, path: Path) -> Iterator[Fault]:
        for key, wanted, there_are in (
            ("agent_id", node.agent_id, self._known.agents),
            ("capability", node.capability, self._known.capabilities),
        ):
            if wanted is not None and there_are is not None and wanted not in there_are:
                word, many = ("agent", "agents") if key == "agent_id" else ("agent with the capability", "capabilities")
                hint, names = self._near(wanted, there_are), listed(sorted(there_are))
                yield self._at.fault((*path, key), f"there is no {word} '{wanted}'{hint}; {many} are: {names}")

    def _dependencies(self, node: FlowNode, path: Path) -> Iterator[Fault]:
        for place, wanted in enumerate(node.depends_on):
            at: Path = (*path, "depends_on", place)
            if wanted == node.id:
                yield self._at.fault(at, f"node '{node.id}' depends on itself")
            elif wanted not in self._needs:
                hint = self._near(wanted, self._needs)
                told = f"node '{node.id}' depends on '{wanted}', which is not a node{hint}; nodes are: {self._nodes()}"
                yield self._at.fault(at, told)
            elif wanted in node.depends_on[:place]:
                yield self._at.fault(at, f"node '{node.id}' depends on '{wanted}' twice")

    def _settings(self, node: FlowNode, path: Path) -> Iterator[Fault]:
        for key, told in settings_told(node.config, agent=node.type == AGENT):
            yield self._at.fault((*path, "config", key), told)

    def _references(self, node: FlowNode, path: Path) -> Iterator[Fault]:
        kinds = self._known.kinds
        templates: Sequence[str] = ("prompt",) if node.type not in kinds else kinds[node.type].templates
        # A mapping for its order and because a file can hold thirty thousand references.
        accepted = dict.fromkeys((*ASKED, *([PREVIOUS] if node.depends_on else []), *self._earlier(node)))
        for key in (*templates, "input"):
            for found in find(node.config.get(key)):
                if told := self._misled(node, found, accepted):
                    yield self._at.fault((*path, "config", key, *found.spot), told)

    def _earlier(self, node: FlowNode) -> list[str]:
        """The nodes that end before this one begins."""
        return [one for one in self._needs if one in self._before[node.id] and one != node.id]

    def _misled(self, node: FlowNode, found: Found, accepted: Collection[str]) -> str:
        """What is wrong with a reference; nothing where it is right."""
        if found.inside is None:
            return f"'{shown(found.text)}' is no reference; write $${{ for the characters themselves"
        if name_of(found.inside, accepted) is not None:
            return ""
        also = name_of(found.inside, [*self._ids, PREVIOUS])
        if also is None:
            name = found.inside.split(".")[0]
            why = f"there is no '{shown(name)}'{self._near(name, accepted)}"
        elif also[0] == PREVIOUS:
            why = f"nothing comes before node '{node.id}'"
        elif also[0] == node.id:
            why = f"node '{node.id}' cannot refer to itself"
        else:
            why = f"node '{also[0]}' does not end before '{node.id}' begins; add it to depends_on"
        return f"{shown(found.text)}: {why}; here can stand: {listed(accepted)}"

    def _around(self) -> Iterator[Fault]:
        for cycle in self._cycles:
            if len(cycle) == 2:
                continue  # told as a dependency on itself
            node, wanted = cycle[-2], cycle[-1]
            index = self._ids.index(node)
            place = self._spec.nodes[index].depends_on.index(wanted)
            told = f"the nodes wait for each other: {' → '.join(cycle)}; take one of these dependencies away"
            yield self._at.fault(("nodes", index, "depends_on", place), told)

    def _ends(self) -> Iterator[Fault]:
        entry = self._spec.entry_point
        if entry not in self._needs:
            told = f"entry_point '{entry}' is not a node{self._near(entry, self._needs)}; nodes are: {self._nodes()}"
            yield self._at.fault(("entry_point",), told)
        elif self._needs[entry]:
            told = (
                f"entry_point '{entry}' depends on {listed(self._needs[entry])}; nothing can come before the first node"
            )
            yield self._at.fault(("entry_point",), told)
        for place, wanted in enumerate(self._spec.exit_points):
            at: Path = ("exit_points", place) if ("exit_points", place) in self._at.values else ("exit_points",)
            if wanted not in self._needs:
                told = (
                    f"exit point '{wanted}' is not a node{self._near(wanted, self._needs)}; nodes are: {self._nodes()}"
                )
                yield self._at.fault(at, told)
            elif wanted in self._spec.exit_points[:place]:
                yield self._at.fault(at, f"exit point '{wanted}' stands here twice")
        yield from self._loose(entry)

    def _loose(self, entry: str) -> Iterator[Fault]:
        """Nodes that nothing leads to."""
        for index, node in enumerate(self._spec.nodes):
            if not node.depends_on and node.id != entry and entry in self._needs:
                told = f"nothing leads to node '{node.id}' from the entry point '{entry}'; give it depends_on"
                yield self._at.fault(("nodes", index, "id"), told)

    def _near(self, word: str, known: Collection[str]) -> str:
        self._comparisons -= len(known)
        return near(word, known) if self._comparisons >= 0 else ""

    def _nodes(self) -> str:
        return listed(dict.fromkeys(self._ids))
