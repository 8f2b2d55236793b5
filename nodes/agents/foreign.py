"""Running code of others so that it fails alone: whatever it raises, and for however long it blocks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context
from threading import Thread
from typing import Any, TypeVar

from nodes.agents.words import error_line
from state.errors import AgentFailed

Said = TypeVar("Said")

log = logging.getLogger(__name__)


async def guarded(said: Awaitable[Said]) -> Said:
    """What it returns. `sys.exit` in it, which would end this process, and a cancellation that is not one of this
    task, which would end the run, are AgentFailed; other exceptions pass, and so does Ctrl-C.
    """
    try:
        return await said
    except (Exception, KeyboardInterrupt, GeneratorExit):
        raise
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise _failure(error) from error
    except BaseException as error:
        raise _failure(error) from error


async def in_own_thread(work: Callable[[], Said], name: str) -> Said:
    """What `work` returns or raises; whoever stops waiting leaves it running, and that is logged under `name`.

    Not `asyncio.to_thread`: its few threads are everybody's, and work that never ends would hold one for good.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Said] = loop.create_future()
    context = copy_context()

    def settle(tell: Callable[[Any], None], outcome: Any) -> None:
        if not done.done():
            tell(outcome)

    def run() -> None:
        try:
            told: tuple[Callable[[Any], None], Any] = done.set_result, context.run(work)
        except BaseException as error:  # a thread's end is nobody's news
            told = done.set_exception, _fit(error)
        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(settle, *told)

    Thread(target=run, name=name, daemon=True).start()  # daemon: it keeps no process from ending
    try:
        return await done
    except asyncio.CancelledError:
        log.warning("%s goes on in its thread, though nobody waits for it any more", name)
        raise


def _fit(error: BaseException) -> Exception:
    """What a future can hold and a task can raise."""
    return error if isinstance(error, Exception) and not isinstance(error, StopIteration) else _failure(error)


def _failure(error: BaseException) -> AgentFailed:
    log.error("code of others raised %s", type(error).__name__, exc_info=error)
    return AgentFailed(error_line(error))
