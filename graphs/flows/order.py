"""What comes before what among the steps of a flow: pure, from each step's dependencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter

Needs = Mapping[str, Sequence[str]]
"""Step → those that it depends on."""
MAX_CYCLES = 10
"""Told at once."""


def cycles(needs: Needs) -> list[list[str]]:
    """Cycles, each as the steps in the order in which each waits for the next, the first again at the end; with each
    one's last dependency taken away no other of these is left. At most MAX_CYCLES.
    """
    left = {step: [one for one in wanted if one in needs] for step, wanted in needs.items()}
    found: list[list[str]] = []
    while len(found) < MAX_CYCLES:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            # graphlib tells each step before the one that waits for it.
            waiting: list[str] = list(reversed(error.args[1]))
            found.append(waiting)
            left[waiting[-2]] = [one for one in left[waiting[-2]] if one != waiting[-1]]
        else:
            break
    return found


def ancestors(needs: Needs) -> dict[str, set[str]]:
    """All that ends before each step begins, also where steps wait for each other."""
    before: dict[str, set[str]] = {}
    for step in needs:
        seen: set[str] = set()
        waiting = [one for one in needs[step] if one in needs]
        while waiting:
            one = waiting.pop()
            if one not in seen:
                seen.add(one)
                waiting += [other for other in needs[one] if other in needs and other not in seen]
        before[step] = seen
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
