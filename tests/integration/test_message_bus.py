"""Messages between agents. What takes `buses` speaks to the port alone: any transport has to pass it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from nodes.teams.stored import StoredContext
from server.db.connection import connect
from server.db.messages import Messages
from server.db.pool import Database
from server.messages.bus import Bus
from server.messages.envelope import outgoing
from server.messages.opening import open_messages
from server.messages.sweep import MessageSweeper
from server.settings import Settings
from state.agent_ports import MessageBus
from state.errors import BadRequest, Conflict, NotFound, QueueFull, TimedOut
from state.messages import AgentMessage
from tests.integration.processes import hear, python

BOUND = 5
"""Messages that a queue of these tests holds."""


@pytest.fixture
async def pair(database: Database, settings: Settings) -> AsyncIterator[tuple[Bus, Bus]]:
    """Two processes, as far as Postgres can tell."""
    small = settings.model_copy(update={"message_queue": BOUND})
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(open_messages(database, small, "default"))
        there = await stack.enter_async_context(open_messages(database, small, "default"))
        yield here, there


@pytest.fixture
def buses(pair: tuple[Bus, Bus]) -> tuple[MessageBus, MessageBus]:
    """Two ends of one transport whose queues hold BOUND messages."""
    return pair


def told(to: str = "writer", by: str = "researcher", **given: Any) -> AgentMessage:
    fields: dict[str, Any] = {"payload": {"text": "hello"}, "timestamp": datetime.now(UTC), "message_id": uuid4()}
    return AgentMessage(from_agent=by, to_agent=to, **{**fields, **given})


async def received(bus: MessageBus, agent: str = "writer", timeout: float = 0.0) -> list[AgentMessage]:
    """All that waits."""
    found = []
    while (message := await bus.receive(agent, timeout)) is not None:
        found.append(message)
    return found


async def until(condition: Callable[[], bool | Awaitable[bool]], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        met = condition()
        if met if isinstance(met, bool) else await met:
            return
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.005)


async def waits(bus: MessageBus, agent: str = "writer", timeout: float = 10.0) -> asyncio.Task[AgentMessage | None]:
    """A receiver that has looked already and found nothing."""
    assert await bus.receive(agent, 0) is None
    task = asyncio.create_task(bus.receive(agent, timeout))
    await asyncio.sleep(0)
    return task


async def a_run(database: Database) -> UUID:
    run_id, thread_id = uuid4(), uuid4()
    async with database.pool.connection() as connection:
        await connection.execute("INSERT INTO threads (thread_id, tenant_id) VALUES (%s, 'default')", (thread_id,))
        await connection.execute(
            "INSERT INTO runs (run_id, tenant_id, thread_id, graph_id) VALUES (%s, 'default', %s, 'crew')",
            (run_id, thread_id),
        )
    return run_id


async def asked(database: Database, query: str, *values: object) -> list[Any]:
    async with database.pool.connection() as connection:
        cursor = await connection.execute(query, values)
        return [tuple(row.values()) for row in await cursor.fetchall()] if cursor.description else []


# The port.


async def test_a_message_is_received_as_it_was_sent_here_and_elsewhere(buses: tuple[MessageBus, MessageBus]) -> None:
    message = told(
        payload={"text": "a\\u0000 ☃ 😀", "deep": [[{"n": 1.5}], None, True]},
        metadata={"k": "v"}, topic="news", priority=7, reply_to=uuid4(),
    )  # fmt: skip
    for sender, receiver in ((buses[0], buses[0]), (buses[0], buses[1])):
        copy = message.model_copy(update={"message_id": uuid4()})
        await sender.send(copy)
        assert await receiver.receive("writer", 0) == copy
        assert await receiver.receive("writer", 0) is None


async def test_who_waits_here_is_handed_a_copy_at_once(buses: tuple[MessageBus, MessageBus]) -> None:
    receiver = await waits(buses[0])
    message = told(payload={"list": [1]})
    sending = asyncio.create_task(buses[0].send(message))
    got = await receiver
    assert got == message
    message.payload["list"].append(2)
    assert got is not None
    assert got.payload == {"list": [1]}
    await sending
    assert await buses[1].receive("writer", 0) is None


async def test_who_waits_elsewhere_is_woken(buses: tuple[MessageBus, MessageBus]) -> None:
    begun = time.monotonic()
    for _ in range(5):
        receiver = await waits(buses[1])
        message = told()
        await buses[0].send(message)
        assert await receiver == message
    # Looking once a second, without word of them, takes at least four.
    assert time.monotonic() - begun < 3


async def test_the_urgent_come_first_and_equals_in_their_order(buses: tuple[MessageBus, MessageBus]) -> None:
    sent = [told(priority=priority) for priority in (5, 0, 9, 5, 9)]
    for message in sent:
        await buses[0].send(message)
    assert await received(buses[1]) == [sent[2], sent[4], sent[0], sent[3], sent[1]]


async def test_each_message_goes_to_exactly_one_of_many_receivers(buses: tuple[MessageBus, MessageBus]) -> None:
    found: list[AgentMessage] = []

    async def receive(bus: MessageBus) -> None:
        while (message := await bus.receive("writer", 3)) is not None:
            found.append(message)
            if len(found) == 40:
                for receiver in receivers:
                    receiver.cancel()

    receivers = [asyncio.create_task(receive(bus)) for bus in (*buses, *buses)]
    sent = []
    for number in range(40):
        message = told(payload={"n": number})
        sent.append(message.message_id)
        for attempt in range(200):
            try:
                await buses[number % 2].send(message)
                break
            except QueueFull:
                assert attempt < 199
                await asyncio.sleep(0.01)
    await asyncio.wait(receivers)
    assert sorted(message.message_id for message in found) == sorted(sent)


async def test_a_message_for_a_receiver_who_left_is_not_lost(buses: tuple[MessageBus, MessageBus]) -> None:
    receiver = await waits(buses[0])
    message = told()
    sending = asyncio.create_task(buses[0].send(message))
    await asyncio.sleep(0)  # it is handed over, and the receiver does not run any more
    receiver.cancel()
    await sending
    await asyncio.wait([receiver])
    assert await buses[1].receive("writer", 5) == message


async def test_a_full_queue_refuses_what_does_not_fit_and_only_that(buses: tuple[MessageBus, MessageBus]) -> None:
    sent = [told(payload={"n": number}) for number in range(BOUND + 2)]
    other = told("editor")
    outcomes = await asyncio.gather(*(buses[0].send(one) for one in [*sent, other]), return_exceptions=True)
    refused = [outcome for outcome in outcomes if outcome is not None]
    assert [type(one) for one in refused] == [QueueFull, QueueFull]
    assert str(BOUND) in str(refused[0])
    assert "writer" in str(refused[0])
    assert outcomes[-1] is None
    with pytest.raises(QueueFull):
        await buses[1].send(told())
    assert await received(buses[1]) == sent[:BOUND]
    await buses[1].send(told())


async def test_a_request_gets_its_reply_and_no_other_receiver_does(buses: tuple[MessageBus, MessageBus]) -> None:
    for asker, answerer in ((buses[0], buses[0]), (buses[0], buses[1])):

        async def reply(message: AgentMessage, bus: MessageBus = answerer) -> None:
            answer = {"echo": message.payload["text"]}
            await bus.send(told("researcher", "writer", payload=answer, reply_to=message.message_id))

        async with answerer.on("writer", reply):
            bystander = asyncio.create_task(answerer.receive("researcher", 0.3))
            answer = await asker.request(told(), 10)
        assert answer.payload == {"echo": "hello"}
        assert await bystander is None


async def test_one_id_is_one_request(buses: tuple[MessageBus, MessageBus]) -> None:
    question = told()
    first = asyncio.create_task(buses[0].request(question, 0.2))
    await asyncio.sleep(0)
    with pytest.raises(Conflict, match=str(question.message_id)):
        await buses[0].request(question, 0.2)
    with pytest.raises(TimedOut):
        await first
    assert await received(buses[1]) == [question]


async def test_a_reply_that_comes_too_late_waits_in_the_queue(buses: tuple[MessageBus, MessageBus]) -> None:
    question = told()
    with pytest.raises(TimedOut, match="writer"):
        await buses[0].request(question, 0.05)
    assert await buses[1].receive("writer", 0) == question
    late = told("researcher", "writer", reply_to=question.message_id)
    await buses[1].send(late)
    assert await buses[0].receive("researcher", 5) == late


async def test_only_who_asked_is_given_the_reply(buses: tuple[MessageBus, MessageBus]) -> None:
    for answerer in buses:
        question = told()
        asking = asyncio.create_task(buses[0].request(question, 10))
        assert await answerer.receive("writer", 5) == question
        aside = told("editor", "writer", reply_to=question.message_id)
        await answerer.send(aside)
        assert await answerer.receive("editor", 0) == aside
        reply = told("researcher", "writer", reply_to=question.message_id)
        await answerer.send(reply)
        assert await asking == reply


async def test_a_reply_to_somebody_who_stopped_asking_waits_in_the_queue(buses: tuple[MessageBus, MessageBus]) -> None:
    receiver = await waits(buses[0])
    asking = asyncio.create_task(buses[0].request(told(), 10))
    question = await receiver  # before it is written
    assert question is not None
    reply = told("researcher", "writer", reply_to=question.message_id)
    replying = asyncio.create_task(buses[0].send(reply))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking, replying])
    assert await buses[1].receive("researcher", 5) == reply


async def test_a_broadcast_reaches_each_and_tells_whose_queue_was_full(buses: tuple[MessageBus, MessageBus]) -> None:
    for _ in range(BOUND):
        await buses[0].send(told("b"))
    message = told("nobody", priority=9)
    assert await buses[0].broadcast(message, ["a", "b", "c"]) == [True, False, True]
    copies = [await buses[1].receive(agent, 0) for agent in ("a", "c")]
    assert [copy.to_agent for copy in copies if copy] == ["a", "c"]
    assert all(copy is not None and copy.payload == message.payload for copy in copies)
    assert await buses[0].broadcast(message, []) == []
    # Once each, and told of as often as asked for.
    assert await buses[0].broadcast(told("nobody"), ["d", "b", "d"]) == [True, False, True]
    assert len(await received(buses[1], "d")) == 1
    for odd in (told("nobody", "\0"), told("nobody", "\0", topic="news")):
        for answer in (buses[0].broadcast(odd), buses[0].publish(odd)):
            with pytest.raises(BadRequest, match="from_agent"):
                await answer


HEARD: Mapping[str, dict[str, Any]] = {
    "topic": {"topic": "news"},
    "content": {"content": {"kind": "alert"}},
    "contained": {"content": {"kind": "alert", "tags": ["x"]}},
    "both": {"topic": "news", "content": {"kind": "alert"}},
    "anything": {"content": {}},
}
NOT_HEARD: Mapping[str, dict[str, Any]] = {
    "other-topic": {"topic": "new"},
    "other-content": {"content": {"kind": "note"}},
    "half": {"topic": "news", "content": {"kind": "note"}},
    "publisher": {"topic": "news"},
}


async def test_what_is_published_reaches_those_who_subscribed_to_it(buses: tuple[MessageBus, MessageBus]) -> None:
    for agent, subscription in {**HEARD, **NOT_HEARD}.items():
        await buses[0].subscribe(agent, **subscription)
        await buses[1].subscribe(agent, **subscription)  # once is enough
    message = told("nobody", "publisher", topic="news", payload={"kind": "alert", "tags": ["x", "y"]})
    assert await buses[1].publish(message) == len(HEARD)
    for agent in {**HEARD, **NOT_HEARD}:
        assert [one.payload for one in await received(buses[0], agent)] == [message.payload] * (agent in HEARD), agent


async def test_who_unsubscribed_hears_nothing_more(buses: tuple[MessageBus, MessageBus]) -> None:
    for topic in ("a", "b", "c"):
        await buses[0].subscribe("listener", topic=topic)
    assert await buses[1].unsubscribe("listener", topic="a") == 1
    assert await buses[1].publish(told(topic="a")) == 0
    assert await buses[1].unsubscribe("listener") == 2
    assert await buses[1].publish(told(topic="b")) == 0
    with pytest.raises(BadRequest, match="topic"):
        await buses[0].subscribe("listener")


async def test_a_handler_that_fails_goes_on_with_the_next_message(
    buses: tuple[MessageBus, MessageBus], caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[int] = []

    async def handle(message: AgentMessage) -> None:
        heard.append(message.payload["n"])
        if message.payload["n"] == 0:
            raise asyncio.CancelledError  # as what it waits for was cancelled
        if message.payload["n"] == 1:
            raise ZeroDivisionError("mine")

    async with buses[0].on("writer", handle):
        for number in range(3):
            await buses[1].send(told(payload={"n": number}))
        await until(lambda: len(heard) == 3)
    assert heard == [0, 1, 2]
    assert "ZeroDivisionError" in caplog.text
    await buses[1].send(told(payload={"n": 3}))
    assert len(await received(buses[0])) == 1


async def test_what_cannot_be_kept_is_refused_by_itself(buses: tuple[MessageBus, MessageBus]) -> None:
    odd = told(payload={"x": "\0"})
    outcomes = await asyncio.gather(buses[0].send(odd), buses[0].send(told()), return_exceptions=True)
    assert isinstance(outcomes[0], BadRequest)
    assert outcomes[1] is None
    for timeout in (-1.0, float("nan")):
        with pytest.raises(BadRequest, match="timeout"):
            await buses[0].receive("writer", timeout)


async def test_the_history_of_an_execution_holds_what_was_sent_and_what_was_recorded(
    buses: tuple[MessageBus, MessageBus], database: Database
) -> None:
    run = await a_run(database)
    sent = [told(execution_id=run, payload={"n": number}) for number in range(3)]
    await buses[0].send(sent[0])
    await buses[0].record(sent)
    await buses[1].record(sent[1:])  # once each
    assert await buses[1].history(run) == sent
    assert await buses[1].history(run, 2) == sent[1:]
    assert await received(buses[0]) == sent[:1]  # what is recorded is in no queue
    assert await buses[0].history(await a_run(database)) == []


async def test_an_execution_that_is_not_there_is_said(buses: tuple[MessageBus, MessageBus]) -> None:
    nowhere = uuid4()
    receiver = await waits(buses[0], timeout=0.2)
    for answer in (buses[0].send(told(execution_id=nowhere)), buses[0].history(nowhere)):
        with pytest.raises(NotFound, match=str(nowhere)):
            await answer
    await buses[0].record([told(execution_id=nowhere)])
    assert await receiver is None


# What is Postgres' own.


async def test_all_agents_in_service_hear_a_broadcast_but_its_sender(pair: tuple[Bus, Bus], database: Database) -> None:
    for agent, enabled in (("researcher", True), ("writer", True), ("editor", True), ("retired", False)):
        await asked(
            database,
            "INSERT INTO agents (tenant_id, agent_id, name, agent_type, agent_class, enabled)"
            " VALUES ('default', %s, '', 'x', 'HttpAgent', %s)",
            agent, enabled,
        )  # fmt: skip
    assert await pair[0].broadcast(told("everybody")) == [True, True]
    assert [len(await received(pair[1], agent)) for agent in ("editor", "researcher", "retired", "writer")] == [
        1,
        0,
        0,
        1,
    ]


async def test_the_depth_of_a_queue_follows_what_waits(pair: tuple[Bus, Bus], database: Database) -> None:
    run = await a_run(database)
    same = told(execution_id=run)
    await asyncio.gather(*(pair[0].send(one) for one in (same, same, told(), told("editor"))))
    assert await pair[1].depths() == {"writer": 2, "editor": 1}
    await received(pair[1], "editor")
    assert await pair[1].depths() == {"writer": 2}
    for _ in range(BOUND - 2):
        await pair[0].send(told(execution_id=run))
    await asked(database, "DELETE FROM runs WHERE run_id = %s", run)
    await pair[0].send(told())  # full as far as was counted, but what waited has gone with its run
    assert await pair[1].depths() == {"writer": 2}


async def test_a_reply_that_is_written_as_its_request_is_given_up_is_not_lost(
    pair: tuple[Bus, Bus], database: Database
) -> None:
    question = told()
    asking = asyncio.create_task(pair[0].request(question, 0.3))
    assert await pair[1].receive("writer", 5) == question
    late = told("researcher", "writer", reply_to=question.message_id)
    async with Messages(database.pool, database.dsn).writing() as elsewhere:
        assert await elsewhere.hold([question.message_id], []) == {("default", question.message_id, "researcher")}
        with pytest.raises(TimedOut):
            await asking
        await elsewhere.write([outgoing("default", late, 0.0).row(question.message_id)], [], [], [])
    assert await pair[1].receive("researcher", 5) == late


async def test_a_request_that_is_given_up_while_it_is_claimed_holds_up_no_queue(
    pair: tuple[Bus, Bus], database: Database
) -> None:
    asking = asyncio.create_task(pair[0].request(told(), 10))
    await until(lambda: _holds(database, "SELECT 1 FROM agent_messages"))
    async with await connect(database.dsn) as other:
        await other.execute("SET lock_timeout = '500ms'")
        async with other.transaction():
            # A claim in another process, slowed down.
            await other.execute("SELECT 1 FROM agent_messages FOR UPDATE")
            asking.cancel()
            sending = asyncio.create_task(pair[0].send(told()))
            blocked = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            await until(lambda: _holds(database, blocked))
            await other.execute("UPDATE agent_queues SET depth = depth")
        await sending


async def test_who_begins_to_receive_gets_first_what_was_sent_first(pair: tuple[Bus, Bus], database: Database) -> None:
    sent = [told(payload={"n": number}) for number in range(3)]
    await pair[1].send(sent[0])
    assert await pair[1].receive("writer", 5) == sent[0]
    async with await connect(database.dsn) as other, other.transaction():
        await other.execute("SELECT 1 FROM agent_queues FOR UPDATE")
        sending = [asyncio.create_task(pair[0].send(sent[1]))]
        await asyncio.sleep(0)
        receiver = await waits(pair[0])  # while the first is on its way
        sending.append(asyncio.create_task(pair[0].send(sent[2])))
        await asyncio.sleep(0)
    assert await receiver == sent[1]
    assert await pair[0].receive("writer", 5) == sent[2]
    await asyncio.gather(*sending)


async def _holds(database: Database, query: str) -> bool:
    return bool(await asked(database, query))


async def test_a_reply_that_was_claimed_for_somebody_who_left_waits_in_the_queue(
    pair: tuple[Bus, Bus], database: Database
) -> None:
    question, messages = uuid4(), Messages(database.pool, database.dsn)
    reply = told("researcher", "writer", reply_to=question)
    async with messages.writing() as elsewhere:
        await elsewhere.write([outgoing("default", reply, 0.0).row(question)], [], [], [])
    assert len(await messages.claim_reply("default", question)) == 1
    async with messages.writing() as elsewhere:
        # The request was given up meanwhile, which found no reply that waited.
        await elsewhere.lock([("default", "researcher")])
        await elsewhere.write([], [reply.message_id], [], [])
    assert await pair[1].depths() == {"researcher": 1}
    assert await pair[1].receive("researcher", 0) == reply


async def test_what_no_notice_tells_of_is_found_all_the_same(pair: tuple[Bus, Bus], database: Database) -> None:
    receiver = await waits(pair[0])
    await asked(database, "SELECT pg_notify('lab_messages', 'nonsense')")
    await asked(
        database,
        "INSERT INTO agent_messages"
        " (tenant_id, message_id, from_agent, to_agent, priority, payload, metadata, created_at)"
        " VALUES ('default', gen_random_uuid(), 'a', 'writer', 5, '{}', '{}', now())",
    )
    message = await receiver
    assert message is not None
    assert message.from_agent == "a"


async def test_a_crews_stored_context_is_kept_in_postgres(database: Database) -> None:
    ours, theirs = (StoredContext(database.store, ("crew", "my.crew"), agent) for agent in ("a", "b"))
    for value in ({"tone": "dry"}, None, "\\u0000"):
        await ours.set("style", value)
    await theirs.set("other", 1)
    await theirs.set("note", "mine", private=True)
    assert await theirs.values() == {"style": "\\u0000", "other": 1}
    assert [change.value for change in await theirs.history("style")] == [{"tone": "dry"}, None, "\\u0000"]
    assert await ours.get("note", private=True) is None
    with pytest.raises(BadRequest, match="NUL"):
        await ours.set("style", "\0")


async def test_another_tenants_messages_are_nobodys_business(database: Database, settings: Settings) -> None:
    await asked(database, "INSERT INTO tenants VALUES ('other')")
    run = await a_run(database)
    async with (
        open_messages(database, settings, "default") as ours,
        open_messages(database, settings, "other") as theirs,
    ):
        await ours.send(told(execution_id=run))
        await ours.subscribe("spy", topic="news")
        assert await theirs.receive("writer", 0) is None
        assert await theirs.publish(told(topic="news")) == 0
        assert await theirs.unsubscribe("spy") == 0
        assert await theirs.depths() == {}
        for answer in (theirs.history(run), theirs.send(told(execution_id=run))):
            with pytest.raises(NotFound):
                await answer


async def test_what_cannot_be_kept_of_a_history_is_told_as_left_out(pair: tuple[Bus, Bus], database: Database) -> None:
    run = await a_run(database)
    payloads: list[dict[str, Any]] = [{"x": "a\0b", "y": float("nan")}, {"x": "y" * 1_000_001}, {"x": object()}]
    await pair[0].record([told("an agent\0", "\ud800", payload=one, execution_id=run) for one in payloads])
    kept = [message.payload for message in await pair[0].history(run)]
    assert kept[0] == {"x": "a\ufffdb", "y": None}
    assert [set(payload) for payload in kept[1:]] == [{"left_out"}] * 2


async def test_connections_that_break_cost_no_message_and_double_none(
    pair: tuple[Bus, Bus], database: Database
) -> None:
    sent: list[AgentMessage] = []
    killed = 0

    async def send() -> None:
        while killed < 5:
            message = told(f"agent-{len(sent)}")
            sent.append(message)
            await pair[0].send(message)

    async def kill() -> bool:
        nonlocal killed
        cursor = await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND state <> 'idle' AND query ~ 'agent_queues|json_to_recordset|COMMIT'"
        )
        killed += len(await cursor.fetchall())
        return killed >= 5

    async with await connect(database.dsn) as other:
        senders = [asyncio.create_task(send()) for _ in range(6)]
        await until(kill)
        await asyncio.gather(*senders)
        # Not over the pool, whose connections may be dead for a moment.
        cursor = await other.execute("SELECT message_id FROM agent_messages")
        stored = [row["message_id"] for row in await cursor.fetchall()]
        cursor = await other.execute("SELECT depth FROM agent_queues")
        depths = [row["depth"] for row in await cursor.fetchall()]
    assert sorted(stored) == sorted(message.message_id for message in sent)
    assert depths == [1] * len(sent)


async def test_old_messages_are_swept_with_what_their_queues_count(pair: tuple[Bus, Bus], database: Database) -> None:
    old = datetime.now(UTC) - timedelta(days=31)
    for number in range(BOUND):
        await pair[0].send(told(payload={"n": number}))
    assert len(await received(pair[0])) == BOUND
    for number in range(BOUND):
        await pair[0].send(told(payload={"n": number}, timestamp=old))  # what a sender says of its age is no matter
    await asked(database, "UPDATE agent_messages SET written_at = %s WHERE (payload->>'n')::int < 4", old)
    sweeper = MessageSweeper(Messages(database.pool, database.dsn), 30, batch=3)
    assert sum(await asyncio.gather(sweeper.sweep(), sweeper.sweep())) == 8
    assert await pair[0].depths() == {"writer": 1}
    assert len(await asked(database, "SELECT 1 FROM agent_messages")) == 2


async def test_messages_that_were_sent_outlive_the_process_that_sent_them(
    database: Database, settings: Settings
) -> None:
    body = """
    from server.messages.opening import open_messages
    from state.messages import AgentMessage
    from datetime import datetime, UTC
    from uuid import uuid4
    settings = Settings(data_dir=Path(sys.argv[1]), database_url=sys.argv[2], offline=True)
    async with open_database(settings) as database, open_messages(database, settings, "default") as bus:
        async def send():
            while True:
                message = AgentMessage(message_id=uuid4(), from_agent="a", to_agent="b", timestamp=datetime.now(UTC))
                await bus.send(message)
                say(message.message_id)
        await asyncio.gather(*(send() for _ in range(8)))
    """
    assert settings.database_url is not None
    with python(_dedent(body), str(settings.data_dir), settings.database_url.get_secret_value()) as process:
        acknowledged = {await asyncio.to_thread(hear, process) for _ in range(20)}
        process.kill()
        assert process.stdout is not None
        acknowledged |= set(process.stdout.read().splitlines(keepends=True)[:-1])
    stored = {str(one) for (one,) in await asked(database, "SELECT message_id FROM agent_messages")}
    assert {line.strip() for line in acknowledged} <= stored


def _dedent(body: str) -> str:
    return "\n".join(line[4:] for line in body.strip("\n").splitlines())


async def test_what_is_noted_is_in_the_history_soon_and_once(
    buses: tuple[MessageBus, MessageBus], database: Database
) -> None:
    run = await a_run(database)
    noted = told(execution_id=run)
    buses[0].note([noted])
    await buses[0].record([noted])  # behind it, by the same writer
    assert [one.message_id for one in await buses[1].history(run)] == [noted.message_id]
