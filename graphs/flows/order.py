"""What comes before what among the steps of a flow: pure, from each step's dependencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

Needs = Mapping[str, Sequence[str]]
"""Step → those that it depends on."""


def cycles(needs: Needs) -> tuple[list[list[str]], Needs]:
    """Each cycle, as the steps in the order in which each waits for the next, the first again at the end; and what is
    left of the dependencies when the last of each is taken away.
    """
    left = {step: [one for one in wanted if one in needs] for step, wanted in needs.items()}
    found: list[list[str]] = []
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            # graphlib tells each step before the one that waits for it.
            waiting: list[str] = list(reversed(error.args[1]))
            found.append(waiting)
            left[waiting[-2]] = [one for one in left[waiting[-2]] if one != waiting[-1]]
        else:
            return found, left


def ancestors(needs: Needs) -> dict[str, frozenset[str]]:
    """All that ends before each step begins. `needs` has no cycle."""
    before: dict[str, frozenset[str]] = {}
    for step in TopologicalSorter(needs).static_order():
        before[step] = frozenset(needs[step]).union(*(before[one] for one in needs[step]))
    return before


def supersteps(needs: Needs) -> list[list[str]]:
    """The steps that run at the same time, in their order. `needs` has no cycle."""
    sorter = TopologicalSorter(needs)
    sorter.prepare()
    rounds: list[list[str]] = []
    while sorter.is_active():
        ready = set(sorter.get_ready())
        rounds.append([step for step in needs if step in ready])
        sorter.done(*ready)
    return rounds
