"""Events from a thread to a thread or an event loop."""

import asyncio
import threading
from typing import Any

from llm.engine.base import Done, Event, Token
from llm.engine.bridge import EventStream

EVENTS: list[Event] = [Token("a", 1), Token("b", 2), Done("stop", 1, 2)]


def put_all(stream: EventStream) -> None:
    for event in EVENTS:
        stream.put(event)


def test_a_thread_reads_what_a_thread_puts() -> None:
    stream = EventStream()
    threading.Timer(0.01, put_all, [stream]).start()
    assert list(stream) == EVENTS


async def test_an_event_loop_reads_what_a_thread_puts() -> None:
    stream = EventStream()
    threading.Timer(0.01, put_all, [stream]).start()
    assert [event async for event in stream] == EVENTS


async def test_a_burst_costs_one_wake_up() -> None:
    loop, calls = asyncio.get_running_loop(), []
    wake = loop.call_soon_threadsafe

    def counted(callback: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(callback)
        return wake(callback, *args, **kwargs)

    loop.call_soon_threadsafe = counted  # type: ignore[method-assign, assignment]
    stream = EventStream()
    reading = asyncio.create_task(_read(stream))
    await asyncio.sleep(0)  # the reader waits now
    put_all(stream)
    assert await reading == EVENTS
    assert len(calls) == 1


async def _read(stream: EventStream) -> list[Event]:
    return [event async for event in stream]


def test_a_reader_whose_loop_closed_has_left() -> None:
    stream = EventStream()
    loop = asyncio.new_event_loop()
    reader = stream.__aiter__()
    first: asyncio.Task[Event] = loop.create_task(reader.__anext__())  # type: ignore[arg-type]
    loop.run_until_complete(asyncio.sleep(0))
    loop.call_soon(first.cancel)  # or asyncio would complain about a task that never ended
    loop.run_until_complete(asyncio.wait([first]))
    loop.close()
    stream.put(EVENTS[0])
    assert stream.cancelled
