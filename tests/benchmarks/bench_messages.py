"""Messages between agents: durable messages a second from many senders, and how long each is on its way.

    python -m tests.benchmarks.bench_messages [--rounds 5] [--seconds 2] [--senders 512]

On the embedded Postgres as it is shipped, fsync on, on the event loop that the server uses. The bus beside plain
INSERTs, one after the other and by several connections at once, in turn, round after round; medians, and ratios per
round.
Delivery: one at a time, from `send` to the return of `receive`, here and from another process over Postgres.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from uuid import uuid4

import uvloop

from server.db.connection import connect
from server.db.pool import Database, open_database
from server.messages.bus import Bus
from server.messages.opening import open_messages
from server.settings import Settings, read_settings
from state.messages import AgentMessage
from tests.benchmarks.rounds import Mark, print_marks, print_table, ratio

BUS, PLAIN, SEVERAL = "bus", "plain INSERTs, one after the other", "plain INSERTs, 10 connections"
AGENTS = 16
QUEUE = 1_000_000
PAYLOAD = {"task": "Summarise the report in three sentences.", "n": 1, "tags": ["a", "b"]}
INSERT = (
    "INSERT INTO agent_messages (tenant_id, message_id, from_agent, to_agent, priority, payload, metadata, created_at)"
    " VALUES ('default', %s, %s, %s, %s, %s, '{}', %s)"
)
ECHO = "--echo"

Contestant = Callable[[float], Awaitable[float]]


def message(to: str, by: str = "researcher") -> AgentMessage:
    return AgentMessage(message_id=uuid4(), from_agent=by, to_agent=to, payload=PAYLOAD, timestamp=datetime.now(UTC))


async def per_second(send: Callable[[int], Awaitable[None]], senders: int, seconds: float) -> float:
    """`send` by so many senders, each one after the other; it is told the sender's number."""
    begun, done = time.perf_counter(), 0
    deadline = begun + seconds

    async def sender(number: int) -> None:
        nonlocal done
        while time.perf_counter() < deadline:
            await send(number)
            done += 1

    await asyncio.gather(*(sender(number) for number in range(senders)))
    return done / (time.perf_counter() - begun)


def contestants(bus: Bus, dsn: str, senders: int) -> dict[str, Contestant]:
    async def by_bus(seconds: float) -> float:
        return await per_second(lambda number: bus.send(message(f"agent-{number % AGENTS}")), senders, seconds)

    async def plainly(seconds: float, connections: int) -> float:
        async with AsyncExitStack() as stack:
            opened = [await stack.enter_async_context(await connect(dsn)) for _ in range(connections)]

            async def send(number: int) -> None:
                one = message(f"plain-{number}")
                await opened[number].execute(
                    INSERT,
                    (one.message_id, one.from_agent, one.to_agent, one.priority, json.dumps(PAYLOAD), one.timestamp),
                )

            return await per_second(send, connections, seconds)

    return {BUS: by_bus, PLAIN: lambda seconds: plainly(seconds, 1), SEVERAL: lambda seconds: plainly(seconds, 10)}


async def delivery_here(bus: Bus, count: int) -> list[float]:
    """Milliseconds from `send` to the return of `receive`, for a receiver that waits in this process."""

    async def receive() -> float:
        assert await bus.receive("here", 10) is not None
        return time.perf_counter()

    assert await bus.receive("here", 0) is None
    taken = []
    for _ in range(count):
        receiver = asyncio.create_task(receive())
        await asyncio.sleep(0)  # it waits
        begun = time.perf_counter()
        await bus.send(message("here"))
        taken.append((await receiver - begun) * 1_000)
    return taken


async def delivery_there(bus: Bus, dsn: str, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds to another process's handler, and of a request and its reply. One clock serves both processes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.bench_messages", ECHO, dsn, stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    await process.stdout.readline()
    there, back = [], []
    for _ in range(count):
        begun = time.monotonic()
        reply = await bus.request(message("there"), 10)
        back.append((time.monotonic() - begun) * 1_000)
        there.append((reply.payload["heard"] - begun) * 1_000)
    await process.communicate(b"")
    return there, back


async def echo(dsn: str) -> None:
    """The other process: answers each message with the moment in which it was heard, until stdin ends."""
    with tempfile.TemporaryDirectory() as folder:
        settings = read_settings(data_dir=Path(folder), database_url=dsn, log_level="WARNING")
        async with open_database(settings) as database, open_messages(database, settings, "default") as bus:

            async def reply(asked: AgentMessage) -> None:
                heard = {"heard": time.monotonic()}
                answer = message(asked.from_agent, "there")
                await bus.send(answer.model_copy(update={"reply_to": asked.message_id, "payload": heard}))

            async with bus.on("there", reply):
                print("ready", flush=True)
                await asyncio.to_thread(sys.stdin.read)


async def drained(bus: Bus) -> float:
    """Messages a second that one receiver of each agent takes out of queues that are full of them."""
    begun, count = time.perf_counter(), 0
    deadline = begun + 2

    async def receive(agent: str) -> None:
        nonlocal count
        while time.perf_counter() < deadline and await bus.receive(agent, 0) is not None:
            count += 1

    await asyncio.gather(*(receive(f"agent-{number}") for number in range(AGENTS)))
    return count / (time.perf_counter() - begun)


async def measure(database: Database, settings: Settings, rounds: int, seconds: float, senders: int) -> None:
    found: dict[str, list[float]] = {}
    async with open_messages(database, settings, "default") as bus:
        known = contestants(bus, database.dsn, senders)
        for run in known.values():
            await run(seconds / 4)  # warm
        for number in range(rounds):
            at = number % len(known)
            for name in [*known][at:] + [*known][:at]:
                found.setdefault(name, []).append(await known[name](seconds))
        received = await drained(bus)
        here = await delivery_here(bus, 500)
        there, back = await delivery_there(bus, database.dsn, 200)
    print(f"durable messages/s, {senders} senders at once: median of {rounds} rounds of {seconds:g} s")
    print_table(
        [(name, f"{median(rates):,.0f}", f"{min(rates):,.0f}-{max(rates):,.0f}") for name, rates in found.items()]
    )
    print(f"taken out of {AGENTS} queues by one receiver each: {received:,.0f} messages/s")
    print()
    print("milliseconds, one message at a time")
    rows = [("", "p50", "p95")]
    for name, times in (
        ("delivered in this process", here),
        ("delivered in another process", there),
        ("request and reply of another process", back),
    ):
        rows.append((name, f"{median(times):.3g}", f"{quantiles(times, n=20)[-1]:.3g}"))
    print_table(rows)
    print_marks(
        [
            Mark("durable messages/s", median(found[BUS]), "least", 10_000, ""),
            Mark("beside INSERTs one after the other", ratio(found[BUS], found[PLAIN]), "least", 4),
            Mark("delivered in this process, p50", median(here), "most", 1.0, "ms"),
        ]
    )


async def main(rounds: int, seconds: float, senders: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = read_settings(data_dir=Path(folder) / "data", message_queue=QUEUE, log_level="WARNING")
        async with open_database(settings) as database:
            await measure(database, settings, rounds, seconds, senders)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--senders", type=int, default=512)
    parser.add_argument(ECHO, metavar="DSN", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.echo:
        uvloop.run(echo(arguments.echo))
    else:
        uvloop.run(main(arguments.rounds, arguments.seconds, arguments.senders))
