"""Two servers that only accept runs and two workers that only run them, over one database, and many runs at once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from uuid import uuid4

import httpx

from tests.acceptance.crashes import evidence
from tests.acceptance.crashes.cases import Trial
from tests.acceptance.crashes.evidence import Figures
from tests.acceptance.crashes.field import Accepted, Field, Line, Member

THREADS = 20
CANCELLED = 20
LISTENERS = 40
AT_ONCE = 20
"""Requests under way."""


async def two_and_two(field: Field, count: int, dice: Random) -> Figures:
    """Runs over a few threads, posted to both servers; some cancelled and some heard at either of them."""
    one, other, *_ = await asyncio.gather(
        *(field.start("serve", "--workers", "0") for _ in range(2)), *(field.start("worker") for _ in range(2))
    )
    servers = (one, other)
    trial = Trial(field, "two servers, two workers")
    threads = [str(uuid4()) for _ in range(THREADS)]
    gate = asyncio.Semaphore(AT_ONCE)

    async def post(number: int) -> None:
        async with gate:
            run = await servers[number % 2].post("one", trial.batch, threads[number % THREADS])
            trial.runs.append(run)
        if number % (count // min(LISTENERS, count)) == 0:
            # Heard at both: the one that accepted it and the one that did not.
            trial.heard[run.run_id] = list(await asyncio.gather(*(server.hear(run) for server in servers)))

    cancelling = asyncio.create_task(_cancelled(field, servers, min(CANCELLED, count)))
    await asyncio.gather(*(post(number) for number in dice.sample(range(count), count)))
    found = Figures(trial.name, runs=len(trial.runs))
    await field.settled(trial.runs)
    _count(found, await field.statuses(trial.runs), trial.runs, "success")
    lines = field.ledger(trial.runs)
    for run in trial.runs:
        begun = [line for line in lines if line.run_id == run.run_id and line.what == "begin"]
        found.count("repeated", run.run_id, [line.mark for line in begun[1:]])
        found.count("ends", run.run_id, evidence.wrong_ends(await field.frames(run)))
    for thread, overlaps in overlapping(lines, {run.run_id: run.thread_id for run in trial.runs}).items():
        found.count("twice", thread, overlaps)
    for run in trial.runs:
        if run.run_id in trial.heard:
            replayed = await other.hear(run)
            for heard in trial.heard[run.run_id]:
                gaps, odd = evidence.differences(heard, replayed)
                found.count("gaps", run.run_id, gaps)
                found.count("duplicates", run.run_id, odd)
    if len({line.pid for line in lines}) != 2:
        found.count("lost", "-", ["one of the two workers ran nothing"])
    found.add(await cancelling)
    return found


async def _cancelled(field: Field, servers: Sequence[Member], count: int) -> Figures:
    """Runs that stand in a node, each cancelled at the server that did not accept it."""
    trial = Trial(field, "two servers, two workers")
    field.hold(trial.batch, "only")
    for server in servers:
        await trial.post(server, count // 2, "one")
    await field.begun(trial.runs, "only")

    async def cancel(server: Member, run: Accepted) -> httpx.Response:
        return await server.http.post(f"/threads/{run.thread_id}/runs/{run.run_id}/cancel", params={"wait": "true"})

    half = count // 2
    answers = await asyncio.gather(
        *(cancel(servers[1], run) for run in trial.runs[:half]), *(cancel(servers[0], run) for run in trial.runs[half:])
    )
    found = Figures(trial.name, runs=len(trial.runs))
    found.count("lost", "-", [answer.text for answer in answers if not answer.is_success])
    await field.settled(trial.runs)
    _count(found, await field.statuses(trial.runs), trial.runs, "interrupted")
    found.count("repeated", "-", [line.mark for line in field.ledger(trial.runs) if line.what == "end"])
    field.release(trial.batch, "only")
    return found


def _count(found: Figures, statuses: Mapping[str, str], runs: Iterable[Accepted], wanted: str) -> None:
    for run in runs:
        if statuses.get(run.run_id) != wanted:
            found.count("lost", run.run_id, [f"{statuses.get(run.run_id)} and not {wanted}"])


def overlapping(lines: Iterable[Line], threads: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    """By thread: executions that began while another run of that thread was in a node."""
    within: dict[str, set[str]] = defaultdict(set)
    found: dict[str, list[str]] = defaultdict(list)
    for line in sorted(lines):
        inside = within[threads[line.run_id]]
        if line.what == "end":
            inside.discard(line.mark)
            continue
        found[threads[line.run_id]] += [f"{line.mark} within {mark}" for mark in inside]
        inside.add(line.mark)
    return found
