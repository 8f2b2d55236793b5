"""What becomes of messages before Postgres sees them: checked, admitted, told to other processes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from server.messages.admission import Facts, admit
from server.messages.envelope import Envelope, copies_of, for_history, outgoing
from server.messages.mailbox import Mailbox
from server.messages.word import NOTICE_BYTES, heard, notices
from server.messages.writer import BATCH, Writer
from state.errors import BadRequest, NoDatabase, NotFound, QueueFull
from state.messages import AgentMessage

RUN, REQUEST = uuid4(), uuid4()


def told(to: str = "b", by: str = "a", **given: Any) -> AgentMessage:
    fields: dict[str, Any] = {"message_id": uuid4(), "timestamp": datetime(2026, 1, 2, 3, tzinfo=UTC), **given}
    return AgentMessage(from_agent=by, to_agent=to, **fields)


def sent(to: str = "b", tenant: str = "t", delivered: bool = False, **given: Any) -> Envelope:
    envelope = outgoing(tenant, told(to, **given), 0.0)
    envelope.delivered = delivered
    return envelope


def deep(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"in": value}
    return value


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"payload": {"x": float("nan")}}, "NaN"),
        ({"payload": {"x": "\0"}}, "NUL"),
        ({"payload": {"x": "\ud800"}}, "surrogate"),
        ({"payload": {"x": object()}}, "object"),
        ({"payload": {"x": 10**5000}}, "JSON"),
        ({"payload": deep(150)}, "deeper"),
        ({"payload": deep(100_000)}, "deeper"),
        ({"payload": {"x": "y" * 1_000_000}}, "1,000,008 bytes"),
        ({"metadata": {"x": "\0"}}, "metadata"),
        ({"to": ""}, "to_agent"),
        ({"to": "a b"}, "to_agent"),
        ({"to": "x" * 65}, "to_agent"),
        ({"to": "a\n"}, "to_agent"),
        ({"by": "\0"}, "from_agent"),
        ({"topic": ""}, "topic"),
        ({"topic": "x" * 201}, "topic"),
        ({"topic": "\ud800"}, "topic"),
    ],
    ids=["nan", "nul", "surrogate", "object", "long-int", "deep", "abyss", "big", "metadata", "no-name", "blank",
         "long-name", "line-end", "nul-name", "no-topic", "long-topic", "odd-topic"],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_in_one_line(given: dict[str, Any], named: str) -> None:
    with pytest.raises(BadRequest, match=named) as refused:
        outgoing("t", told(**given), 0.0)
    assert "\n" not in str(refused.value)
    # The same in a history is told as far as it can be.
    row = json.loads(for_history("t", told(**given), 0.0).row(None))
    assert row["delivered"]


@pytest.mark.parametrize(
    "payload",
    [{}, {"x": [1.5, -0.0, None, True, "\\u0000 \u2028 😀"]}, {"wide": [[]] * 200}, deep(90)],
    ids=["empty", "values", "wide", "deep"],
)
def test_a_row_holds_the_message_as_it_is(payload: dict[str, Any]) -> None:
    message = told(payload=payload, metadata={"k": 1}, topic='"', execution_id=RUN, reply_to=REQUEST, priority=9)
    envelope = outgoing('t"', message, 0.0)
    row = json.loads(envelope.row(REQUEST))
    assert (row["payload"], row["metadata"], row["topic"], row["priority"]) == (payload, {"k": 1}, '"', 9)
    assert (row["tenant_id"], row["kept_for"], row["execution_id"]) == ('t"', str(REQUEST), str(RUN))
    opened = envelope.opened()
    assert opened == message
    assert opened.payload is not message.payload


def test_copies_for_many_hold_their_contents_once() -> None:
    copies = copies_of("t", told("*", payload={"x": "y" * 1_000}), ["b", "c", "b"], 0.0)
    assert [copy.message.to_agent for copy in copies.values()] == ["b", "c"]
    assert copies["b"].payload is copies["c"].payload
    assert copies["b"].message.message_id != copies["c"].message.message_id


def test_a_time_without_a_zone_is_in_utc() -> None:
    row = json.loads(sent(timestamp=datetime(2026, 1, 2, 3)).row(None))
    assert row["created_at"] == "2026-01-02T03:00:00+00:00"


@pytest.mark.parametrize(
    ("one", "facts", "outcome"),
    [
        (sent(), Facts({("t", "b"): 2}), None),
        (sent(), Facts({("t", "b"): 3}), QueueFull),
        (sent(delivered=True), Facts({("t", "b"): 3}), None),
        (sent(reply_to=REQUEST), Facts({("t", "b"): 3}, requests={("t", REQUEST, "b")}), REQUEST),
        (sent(reply_to=REQUEST), Facts({("t", "b"): 3}, requests={("u", REQUEST, "b")}), QueueFull),
        (sent(reply_to=REQUEST), Facts({("t", "b"): 3}, requests={("t", REQUEST, "c")}), QueueFull),
        (sent(reply_to=REQUEST, delivered=True), Facts(requests={("t", REQUEST, "b")}), None),
        (sent(execution_id=RUN), Facts({("t", "b"): 0}, runs={("t", RUN)}), None),
        (sent(execution_id=RUN), Facts({("t", "b"): 0}, runs={("u", RUN)}), NotFound),
        (sent(message_id=REQUEST), Facts({("t", "b"): 3}, stored={("t", REQUEST)}), None),
    ],
    ids=["room", "full", "handed-over", "awaited", "tenants-request", "anothers-request", "reply-handed-over",
         "run", "anothers-run", "stored"],
)  # fmt: skip
def test_a_message_is_taken_or_refused_by_what_is_locked(
    one: Envelope, facts: Facts, outcome: type[Exception] | UUID | None
) -> None:
    admission = admit([one], facts, 3)
    if isinstance(outcome, type):
        assert {key: type(error) for key, error in admission.refused.items()} == {one: outcome}
        assert admission.taken == []
    else:
        assert admission.taken == [(one, outcome)]


def test_the_first_that_fit_are_taken_and_a_full_queue_is_its_own() -> None:
    batch = [sent(), sent("c"), sent(), sent(), sent("b", "u")]
    admission = admit(batch, Facts({("t", "b"): 1, ("t", "c"): 0, ("u", "b"): 2}), 3)
    assert [one for one, _ in admission.taken] == [batch[0], batch[1], batch[2], batch[4]]
    assert admission.full == {("t", "b")}
    assert "3 messages wait for agent b" in str(admission.refused[batch[3]])


def test_what_is_recorded_of_an_execution_that_is_gone_is_left_out() -> None:
    one = for_history("t", told(execution_id=RUN), 0.0)
    assert admit([one], Facts(), 3).left_out == [one]


def test_notices_name_everybody_and_none_is_too_long() -> None:
    arrivals: set[tuple[str, str | UUID]] = {("t" * 40, f"agent-{number}") for number in range(500)} | {("t", REQUEST)}
    payloads = list(notices("me", arrivals))
    assert len(payloads) > 1
    assert max(map(len, payloads)) <= NOTICE_BYTES + 100
    assert arrivals <= {one for payload in payloads for one in heard(payload, "another")}
    assert [heard(payload, "me") for payload in payloads] == [set()] * len(payloads)
    assert list(notices("me", set())) == []


@pytest.mark.parametrize(
    "payload",
    ["", "[", "[]", "1", '{"by": 1}', '{"by": 1, "to": [1]}', "[" * 100_000],
    ids=lambda payload: payload[:20],
)
def test_a_notice_that_cannot_be_read_is_passed_over(payload: str) -> None:
    assert heard(payload, "me") == set()


async def test_receivers_are_served_in_turn_and_those_who_left_are_passed_over() -> None:
    box = Mailbox(empty=True)
    first, gone, second = box.enter(), box.enter(), box.enter()
    assert box.leave(gone) is None
    messages = [told(), told()]
    assert [box.hand(one) for one in (*messages, told())] == [True, True, False]
    assert [box.leave(first), box.leave(second)] == messages
    assert not box.takes


async def test_a_receiver_that_is_cancelled_as_postgres_goes_away_is_told_neither() -> None:
    box = Mailbox()
    cancelled, other, timed_out = box.enter(), box.enter(), box.enter()
    box.leave(timed_out)
    box.fail(NoDatabase("no Postgres"))
    assert box.abandon(cancelled) is None
    assert box.abandon(timed_out) is None
    with pytest.raises(NoDatabase):
        box.leave(other)


@pytest.mark.parametrize(
    ("change", "takes"),
    [({}, True), ({"empty": False}, False), ({"unwritten": 1}, False)],
    ids=["waits", "something-is-in-postgres", "something-is-on-its-way"],
)
async def test_a_message_is_handed_over_only_where_it_overtakes_none(change: dict[str, Any], takes: bool) -> None:
    box = Mailbox(**{"empty": True, **change})
    assert not box.takes
    box.enter()
    assert box.takes is takes


class Paper:
    """In the place of Postgres: what is written, and whether it waits."""

    def __init__(
        self, refuses: Callable[[Any], bool] = lambda row: False, error: type[psycopg.Error] = psycopg.DataError
    ):
        self.waits: dict[UUID, bool] = {}
        self._refuses, self._error = refuses, error

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Paper]:
        yield self

    async def runs(self, run_ids: Sequence[UUID]) -> set[Any]:
        return set()

    async def hold(self, answered: Sequence[UUID], changed: Sequence[UUID]) -> set[Any]:
        return set()

    async def lock(self, queues: Sequence[Any]) -> dict[Any, int]:
        return {}

    async def write(self, rows: Sequence[str], released: Sequence[UUID], given_up: object, notices: object) -> None:
        read = [json.loads(row) for row in rows]
        if any(map(self._refuses, read)):
            raise self._error("not this one")
        self.waits.update({UUID(row["message_id"]): not row["delivered"] for row in read})
        self.waits.update({one: True for one in released if one in self.waits})


def writer_on(paper: Paper) -> Writer:
    return Writer(paper, 10_000, "me", lambda arrivals: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("before", [0, BATCH + 1], ids=["in-one-batch", "batches-later"])
async def test_what_a_receiver_left_unread_waits_again_wherever_it_stands(before: int) -> None:
    paper = Paper(refuses=lambda row: row["payload"] == {"odd": 1})
    writer = writer_on(paper)
    sending = [writer.put(sent()) for _ in range(before)]
    unread, odd = sent(delivered=True), sent(payload={"odd": 1})
    sending += [writer.put(unread), writer.put(odd)]
    writer.release("t", "b", unread.message.message_id)
    writer.close()
    await writer.run()
    assert paper.waits[unread.message.message_id]
    assert [type(one.exception()) for one in sending] == [type(None)] * (before + 1) + [BadRequest]


@pytest.mark.parametrize("error", [psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError])
async def test_what_postgres_does_not_take_is_refused_alone_and_each_is_settled_once(
    error: type[psycopg.Error],
) -> None:
    paper = Paper(refuses=lambda row: row["payload"] == {"odd": 1}, error=error)
    writer = writer_on(paper)
    settled: list[int] = []
    payloads: list[dict[str, Any]] = [{}, {"odd": 1}, {}, {"odd": 1}, {}]
    sending = [
        writer.put(sent(payload=payload), lambda number=number: settled.append(number))  # type: ignore[misc]
        for number, payload in enumerate(payloads)
    ]
    writer.close()
    await writer.run()
    assert [one.exception() is None for one in sending] == [not payload for payload in payloads]
    assert settled == [0, 1, 2, 3, 4]
