"""Each way in which a process or Postgres fails, done to a batch of runs in flight: how many runs suffered from it."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import uuid4

import httpx

from tests.acceptance.crashes import evidence
from tests.acceptance.crashes.evidence import Figures
from tests.acceptance.crashes.field import Accepted, Field, Member, until
from tests.acceptance.crashes.own_postgres import Restart
from tests.acceptance.protocol.talking import Said

STEPS = ("first", "left", "right", "last")
TURNS = tuple(f"turn{number}" for number in range(20))
ASKED = ("before", "ask", "after")
SPOKEN = ("opening", "speak", "closing")
SHORT_LEASE = 2.0
"""Seconds, where a process is stopped and not killed."""

Case = Callable[[Field, int, Random], Awaitable[Figures]]


@dataclass
class Trial:
    """One batch of runs and what befell it."""

    field: Field
    name: str
    batch: str = field(default_factory=lambda: uuid4().hex[:8])
    runs: list[Accepted] = field(default_factory=list)
    heard: dict[str, list[list[Said]]] = field(default_factory=dict)
    """By run: what each of its listeners heard."""
    finished: set[str] = field(default_factory=set)
    at: float = 0.0
    """When the signal was sent, in seconds since the epoch."""
    sleeper: int | None = None
    """Pid of a process whose nodes after the signal do not count: woken in the middle of a run, it may begin the next
    node before it hears that the run is another's. None of it is recorded."""

    async def post(self, member: Member, count: int, graph: str, **body: Any) -> None:
        """Start runs at once, each on a thread of its own; those that are not accepted are not of this trial."""

        async def one() -> None:
            with suppress(httpx.HTTPError):  # it was killed before it answered
                self.runs.append(await member.post(graph, self.batch, **body))

        await asyncio.gather(*(one() for _ in range(count)))

    async def kill(self, victim: Member) -> None:
        self.at = victim.kill()
        self.finished |= await self.field.finished(self.runs)

    async def figures(self, survivor: Member, expected: Sequence[str], status: str = "success") -> Figures:
        """Wait for the ends of all runs and look at what is left of them."""
        found = Figures(self.name, runs=len(self.runs))
        await self.field.settled(self.runs)
        statuses = await self.field.statuses(self.runs)
        lines = self.field.ledger(self.runs)
        found.takeovers = evidence.takeovers(lines, self.at)
        found.continued = await self.field.continued(self.runs)
        for run in self.runs:
            await self._look(found, survivor, run, expected, status)
        after = await self.field.statuses(self.runs)
        for run in self.runs:
            if after.get(run.run_id) != statuses.get(run.run_id):
                found.count("ends", run.run_id, [f"{statuses.get(run.run_id)}, then {after.get(run.run_id)}"])
        return found

    async def _look(
        self, found: Figures, survivor: Member, run: Accepted, expected: Sequence[str], status: str
    ) -> None:
        shown = await survivor.get(f"/threads/{run.thread_id}/runs/{run.run_id}")
        if shown["status"] != status:
            found.count("lost", run.run_id, [f"{shown['status']} and not {status}"])
        state = await survivor.get(f"/threads/{run.thread_id}/state")
        trail = (state["values"] or {}).get("trail", [])
        history = await survivor.get(f"/threads/{run.thread_id}/history", limit=100)
        lines = [line for line in self.field.ledger([run]) if line.pid != self.sleeper or line.at < self.at]
        if lost := evidence.missing(trail, expected):
            found.count("lost", run.run_id, [f"without {lost}"])
        # Of a thread with several runs only this one's executions are looked at.
        own = [mark for mark in trail if mark in {line.mark for line in lines}]
        found.count("twice", run.run_id, evidence.recorded_twice(trail) + evidence.forks(history))
        found.count("repeated", run.run_id, evidence.repeated(lines, own, self.finished))
        frames = await self.field.frames(run)
        found.count("ends", run.run_id, evidence.wrong_ends(frames))
        replayed = await survivor.hear(run)
        numbers = [int(event.id) for event in replayed]
        found.count("gaps", run.run_id, evidence.holes([*numbers, len(frames)], 1))
        found.count("duplicates", run.run_id, evidence.repeats(numbers))
        gaps, duplicates = evidence.token_faults(replayed)
        untold, again = evidence.update_faults(replayed, own)
        found.count("gaps", run.run_id, gaps)
        found.count("duplicates", run.run_id, duplicates + again)
        found.count("untold", run.run_id, untold)
        for heard in self.heard.get(run.run_id, []):
            gaps, odd = evidence.differences(heard, replayed)
            found.count("gaps", run.run_id, gaps)
            found.count("duplicates", run.run_id, odd)


async def accepted(field: Field, count: int, dice: Random) -> Figures:
    """Killed after the 2xx, before the first checkpoint or soon after: with the last answer, or amid them."""
    victim, survivor = await field.servers(2)
    trial = Trial(field, "after the 2xx")
    posting = asyncio.create_task(trial.post(victim, count, "steps"))
    wanted = dice.choice((1, count // 2 or 1, count))

    async def answered() -> bool:
        return len(trial.runs) >= wanted

    await until(answered)
    await trial.kill(victim)
    await posting
    return await trial.figures(survivor, STEPS)


async def in_a_node(field: Field, count: int, dice: Random) -> Figures:
    """Killed in the middle of two parallel nodes, one finished node behind them."""
    victim, survivor = await field.servers(2)
    trial = Trial(field, "in a node")
    for node in ("left", "right"):
        field.hold(trial.batch, node)
    await trial.post(victim, count, "steps")
    for node in ("left", "right"):
        await field.begun(trial.runs, node)
    await trial.kill(victim)
    for node in ("left", "right"):
        field.release(trial.batch, node)
    return await trial.figures(survivor, STEPS)


async def between_writes_and_checkpoint(field: Field, count: int, dice: Random) -> Figures:
    """Killed while the writes of one of two parallel nodes are committed, and their step has no checkpoint yet."""
    victim, survivor = await field.servers(2)
    trial = Trial(field, "between writes and checkpoint")
    field.hold(trial.batch, "right")
    await trial.post(victim, count, "steps")
    await field.begun(trial.runs, "right")

    async def written() -> bool:
        return sum(evidence.node_of(mark) == "left" for mark in await field.finished(trial.runs)) == len(trial.runs)

    await until(written)
    await trial.kill(victim)
    field.release(trial.batch, "right")
    return await trial.figures(survivor, STEPS)


async def at_any_moment(field: Field, count: int, dice: Random) -> Figures:
    """Killed at a random moment of a run of twenty steps."""
    victim, survivor = await field.servers(2)
    trial = Trial(field, "at any moment")
    await trial.post(victim, count, "loop")
    await field.begun(trial.runs, "turn0")
    await asyncio.sleep(dice.uniform(0, 0.6))
    await trial.kill(victim)
    return await trial.figures(survivor, TURNS)


async def after_the_last_node(field: Field, count: int, dice: Random) -> Figures:
    """Killed when the last node has ended and the end of the run is not recorded yet, or just is."""
    victim, survivor = await field.servers(2)
    trial = Trial(field, "after the last node")
    field.hold(trial.batch, "last")
    await trial.post(victim, count, "steps")
    await field.begun(trial.runs, "last")
    field.release(trial.batch, "last")

    async def ended() -> bool:
        return any(line.what == "end" and line.node == "last" for line in field.ledger(trial.runs))

    await until(ended)
    await asyncio.sleep(dice.uniform(0, 0.08))
    await trial.kill(victim)
    return await trial.figures(survivor, STEPS)


async def interrupted(field: Field, count: int, dice: Random) -> Figures:
    """Killed while runs wait for an answer, half of which was just given to the process that dies."""
    victim, survivor = await field.servers(2)
    trial = Trial(field, "while interrupted")
    await trial.post(victim, count, "asks")
    await field.settled(trial.runs)
    asking, trial.runs = trial.runs, []
    answered, waiting = asking[: count // 2], asking[count // 2 :]

    async def answer(member: Member, run: Accepted) -> None:
        trial.runs.append(await member.post("asks", trial.batch, run.thread_id, command={"resume": "yes"}))

    await asyncio.gather(*(answer(victim, run) for run in answered))
    trial.finished |= await field.finished(asking)
    await trial.kill(victim)
    for run in waiting:
        thread = await survivor.get(f"/threads/{run.thread_id}")
        assert thread["status"] == "interrupted", thread
        assert [each["value"] for many in thread["interrupts"].values() for each in many] == ["go on?"], thread
    await asyncio.gather(*(answer(survivor, run) for run in waiting))
    found = await trial.figures(survivor, ASKED)
    for run in asking:
        if sum(line.what == "begin" and line.node == "before" for line in field.ledger([run])) != 1:
            found.count("repeated", run.run_id, ["before"])
    return found


async def streaming(field: Field, count: int, dice: Random) -> Figures:
    """Killed while it streams: listeners there come again elsewhere with the last id, others listen elsewhere."""
    victim, survivor = await field.servers(2)
    trial = Trial(field, "while streaming")
    field.hold(trial.batch, "middle")
    await trial.post(victim, count, "tokens", modes=["custom", "updates"])

    async def follow(run: Accepted, first: Member) -> None:
        heard: list[Said] = []
        try:
            await first.hear(run, into=heard)
        except httpx.HTTPError:
            await survivor.hear(run, heard[-1].id if heard else "-1", into=heard)
        trial.heard.setdefault(run.run_id, []).append(heard)

    listening = [asyncio.create_task(follow(run, at)) for run in trial.runs for at in (victim, survivor)]
    await field.begun(trial.runs, "speak")
    if dice.random() < 0.5:
        # Every run stands in the middle of its tokens; else at some moment of them.
        async def in_the_middle() -> bool:
            return all([len(await field.frames(run)) > 100 for run in trial.runs])

        await until(in_the_middle)
    else:
        await asyncio.sleep(dice.uniform(0, 0.5))
    await trial.kill(victim)
    field.release(trial.batch, "middle")
    await asyncio.gather(*listening)
    return await trial.figures(survivor, SPOKEN)


async def stopped(field: Field, count: int, dice: Random) -> Figures:
    """SIGSTOP past the lease and SIGCONT: woken while another process is at work on its runs, or when that is done."""
    sleeper, survivor = await field.servers(2, lease=SHORT_LEASE)
    trial = Trial(field, "stopped and woken")
    graph, node, expected = dice.choice((("steps", "left", STEPS), ("tokens", "middle", SPOKEN)))
    field.hold(trial.batch, node)
    await trial.post(sleeper, count, graph, modes=["custom", "updates"])
    await field.begun(trial.runs, "left" if graph == "steps" else "speak")
    trial.at = sleeper.send(signal.SIGSTOP)
    trial.finished |= await field.finished(trial.runs)
    await field.begun(trial.runs, "left" if graph == "steps" else "speak", attempt=2)
    if dice.random() < 0.5:
        sleeper.send(signal.SIGCONT)
        field.release(trial.batch, node)
    else:
        field.release(trial.batch, node)
        await field.settled(trial.runs)
        sleeper.send(signal.SIGCONT)
    found = await trial.figures(survivor, expected)
    again = Trial(field, trial.name)
    await again.post(sleeper, 1, "steps")
    own = await again.figures(sleeper, STEPS)
    own.runs, own.lost = 0, own.lost + 1 - len(again.runs)
    found.add(own)
    return found


async def stopped_anywhere(field: Field, count: int, dice: Random) -> Figures:
    """SIGSTOP at a random moment of busy runs, in the middle of a transaction perhaps, and SIGCONT when all is done."""
    sleeper, survivor = await field.servers(2, lease=SHORT_LEASE)
    trial = Trial(field, "stopped anywhere", sleeper=sleeper.pid)
    await trial.post(sleeper, count, "loop")
    await field.begun(trial.runs, "turn0")
    await asyncio.sleep(dice.uniform(0, 0.4))
    trial.at = sleeper.send(signal.SIGSTOP)
    trial.finished |= await field.finished(trial.runs)
    await field.settled(trial.runs)
    sleeper.send(signal.SIGCONT)
    return await trial.figures(survivor, TURNS)


async def killed_again(field: Field, count: int, dice: Random) -> Figures:
    """Killed, and the process that took over as well: a third brings the runs to their end."""
    victim, second, survivor = await field.servers(3)
    trial = Trial(field, "killed twice")
    field.hold(trial.batch, "left")
    await trial.post(victim, count, "steps")
    await field.begun(trial.runs, "left")
    await trial.kill(victim)
    await field.begun(trial.runs, "left", attempt=2)
    at = trial.at
    await trial.kill(second)
    trial.at = at
    field.release(trial.batch, "left")
    return await trial.figures(survivor, STEPS)


async def alone(field: Field, count: int, dice: Random) -> Figures:
    """The only process is killed; another is started later."""
    for member in field.members:
        if member.lives:
            member.kill()
    (victim,) = await field.servers(1)
    trial = Trial(field, "the only one killed")
    await trial.post(victim, count, "loop")
    await field.begun(trial.runs, "turn0")
    await asyncio.sleep(dice.uniform(0, 0.4))
    await trial.kill(victim)
    (survivor,) = await field.servers(1)
    trial.at = time.time()
    return await trial.figures(survivor, TURNS)


async def told_to_stop(field: Field, count: int, dice: Random) -> Figures:
    """SIGTERM: what is at work comes to a checkpoint and goes on elsewhere; not one node is begun twice."""
    leaving, survivor = await field.servers(2)
    trial = Trial(field, "told to stop")
    await trial.post(leaving, count, "loop")
    await field.begun(trial.runs, "turn0")
    await asyncio.sleep(dice.uniform(0, 0.3))
    trial.at = leaving.send(signal.SIGTERM)
    trial.finished |= await field.finished(trial.runs)
    code = await asyncio.to_thread(leaving.popen.wait, 60)
    found = await trial.figures(survivor, TURNS)
    if code not in (0, -signal.SIGTERM):  # uvicorn ends as the signal would have ended it
        found.count("lost", "-", [f"the process left with {code}: {leaving.log.read_text()[-2000:]}"])
    for run in trial.runs:
        begun = [line.node for line in field.ledger([run]) if line.what == "begin"]
        found.count("repeated", run.run_id, [node for node in set(begun) if begun.count(node) > 1])
    return found


def postgres_restarted(restart: Restart) -> Case:
    """A case over a field whose Postgres can be restarted."""

    async def case(field: Field, count: int, dice: Random) -> Figures:
        """Postgres restarted while nodes are at work, in good order or not."""
        left, right = await field.servers(2)
        trial = Trial(field, "Postgres restarted")
        await trial.post(left, count, "loop")
        held = Trial(field, trial.name)
        field.hold(held.batch, "left")
        await held.post(right, count, "steps")
        await field.begun(trial.runs, "turn0")
        await field.begun(held.runs, "left")
        trial.finished |= await field.finished(trial.runs)
        held.finished |= await field.finished(held.runs)
        trial.at = held.at = time.time()
        # Longer away than a process may be silent: those that come back first must not take the others for dead.
        await restart(dice.choice(("fast", "immediate")), dice.uniform(0, 4))
        field.release(held.batch, "left")
        found = await trial.figures(left, TURNS)
        found.add(await held.figures(right, STEPS))
        return found

    return case


CASES: Mapping[str, Case] = {
    "accepted": accepted,
    "in_a_node": in_a_node,
    "between": between_writes_and_checkpoint,
    "any_moment": at_any_moment,
    "last_node": after_the_last_node,
    "interrupted": interrupted,
    "streaming": streaming,
    "stopped": stopped,
    "stopped_anywhere": stopped_anywhere,
    "killed_again": killed_again,
    "alone": alone,
    "told_to_stop": told_to_stop,
}
