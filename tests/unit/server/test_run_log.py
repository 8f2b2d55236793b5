"""What listeners of a run hear, in which order, and what waits until it is written."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from server.db.leases import Lease
from server.streaming import log as module
from server.streaming.frames import Frame, frames_of, lines_of
from server.streaming.log import RunLog


def said(*texts: str, first: int = 1) -> RunLog:
    log = RunLog("default", Lease(uuid4(), 1), first)
    for text in texts:
        log.say("values", text.encode())
    return log


def seqs(frames: object) -> list[int]:
    return [frame.seq for frame in frames]  # type: ignore[attr-defined]


def test_frames_come_back_from_their_lines() -> None:
    frames = [Frame(7, "values|a:b", b'{"x": "a b c"}'), Frame(8, "end", b"null"), Frame(9, "custom", b'"\\n"')]
    assert frames_of(7, lines_of(frames)) == frames


def test_events_are_numbered_from_the_first_on() -> None:
    log = said("1", "2", "3", first=5)
    assert seqs(log.after(4, written_only=False)) == [5, 6, 7]
    assert seqs(log.after(6, written_only=False)) == [7]
    assert log.after(7, written_only=False) == []
    assert (log.first, log.last, log.written) == (5, 7, 4)


def test_a_careful_listener_hears_only_what_is_written() -> None:
    log = said("1", "2", "3")
    assert log.after(0, written_only=True) == []
    log.mark_written(2)
    assert seqs(log.after(0, written_only=True)) == [1, 2]
    assert seqs(log.unwritten()) == [3]
    log.already_written()
    assert seqs(log.after(0, written_only=True)) == [1, 2, 3]
    assert log.unwritten() == []


def test_only_what_is_written_leaves_memory() -> None:
    many = module.MOST_FRAMES + 10
    log = said(*(str(number) for number in range(many)))
    assert log.first == 1
    log.mark_written(many)
    assert log.first == 11
    assert seqs(log.after(many - 2, written_only=True)) == [many - 1, many]


async def test_a_listener_wakes_when_something_is_said() -> None:
    log = said()
    waiting = asyncio.create_task(log.change())
    await asyncio.sleep(0)
    assert not waiting.done()
    log.say("values", b"1")
    await asyncio.wait_for(waiting, 5)


@pytest.mark.parametrize("act", ["lose", "already_written"])
async def test_a_listener_wakes_when_what_it_may_hear_changes(act: str) -> None:
    log = said("1")
    waiting = asyncio.create_task(log.change())
    await asyncio.sleep(0)
    getattr(log, act)()
    await asyncio.wait_for(waiting, 5)


def test_a_name_is_one_line_whatever_a_node_is_called() -> None:
    log = said()
    log.say("values|a\nb\ud800", b"1")
    [frame] = log.after(0, written_only=False)
    assert frames_of(1, lines_of([frame])) == [Frame(1, "values|a b ", b"1")]


def test_a_piece_from_the_middle_is_in_order() -> None:
    log = said(*"123456789", first=11)
    log.mark_written(17)
    assert seqs(log.after(13, written_only=True)) == [14, 15, 16, 17]
    assert seqs(log.unwritten()) == [18, 19]
