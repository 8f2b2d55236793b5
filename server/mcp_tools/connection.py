"""One MCP server: a session that one task owns, made again when it is lost, and calls of its tools over it.

The only module that imports the packages of the extra `mcp`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import anyio
from langchain_core.tools import ToolException
from langchain_mcp_adapters.sessions import Connection, create_session
from mcp import ClientSession, McpError
from mcp.types import CONNECTION_CLOSED, CallToolResult, ServerNotification, Tool, ToolListChangedNotification

from server.background import stop
from server.mcp_tools.config import McpServer
from server.mcp_tools.texts import text_of, told

START_SEC = 30.0
"""To start a server and to hear its tools: `npx` may fetch it first."""
AGAIN_SEC = (0.5, 30.0)
"""Between two attempts to reach a lost server: the first, doubled up to the last."""
WAIT_SEC = 5.0
"""A call waits this long for a session that is being made again."""
MAX_TOOLS = 500
_TERMINATED = 32600
"""How the SDK tells a 404: the server was started anew and has forgotten the session."""

log = logging.getLogger(__name__)


class Unsent(Exception):
    """The session was gone before the call had reached the server: it may be sent again."""


@dataclass(eq=False)
class _Live:
    """A session and the word that it is over."""

    session: ClientSession
    over: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    error: Exception | None = None
    asked: int = 0
    """Questions that wait for an answer, a ping included."""

    def end(self, error: Exception | None) -> None:
        self.error = self.error or error
        if not self.over.done():
            self.over.set_result(None)


class McpConnection:
    """`keep` runs for as long as the server is wanted; everything else may be called from any task of its loop."""

    def __init__(self, name: str, server: McpServer, ping_sec: float) -> None:
        """`ping_sec`: between two looks at whether it still is there."""
        self.name = name
        self.server = server
        self.tools: tuple[Tool, ...] = ()
        """As the server last told them; kept while it is away."""
        self.error: str | None = "it has not answered yet"
        """Why it cannot be called now."""
        self.tried = asyncio.Event()
        """Set after the first attempt, whatever came of it."""
        self._ping_sec = ping_sec
        self._live: _Live | None = None
        self._ready = asyncio.Event()
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._changed = False
        self._waiting = 0
        """Calls that wait for a session."""

    async def keep(self) -> None:
        """Hold a session open until `close`. A server that is away is tried again, less and less often."""
        first, last = AGAIN_SEC
        wait = first
        while not self._closing.is_set():
            began = time.monotonic()
            try:
                async with create_session(self._described()) as session:
                    await self._begin(session)
                    await self._until_over()
            except Exception as error:  # transports raise groups of whatever their tasks raised
                self._end(error)
            else:
                self._end(None)
            # One that falls over as soon as it is started is not started twice a second.
            wait = first if time.monotonic() - began > last else min(wait * 2, last)
            await self._pause(wait)

    async def close(self, task: asyncio.Task[None], seconds: float = 10.0) -> None:
        """End the session as its transport wants it, with a bound, and `task`, which is in `keep`."""
        self._closing.set()
        self._wake.set()
        if self._live is not None:
            await asyncio.wait({task}, timeout=seconds)
        await stop(task)

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> str:
        """A tool's answer as a text. Raises ToolException with what the model is told."""
        try:
            async with asyncio.timeout(self.server.timeout):
                try:
                    result = await self._ask(await self._session(), tool, arguments)
                except Unsent:
                    result = await self._ask(await self._session(), tool, arguments)
        except TimeoutError as error:
            raise ToolException(f"{self._called(tool)}: {told(error, seconds=self.server.timeout)}") from error
        except Unsent as error:
            raise ToolException(f"MCP server '{self.name}' is not reached: {told(error)}") from error
        text = text_of(result.content, result.structuredContent)
        if result.isError:
            raise ToolException(text or f"{self._called(tool)} failed and does not say why")
        return text

    # --- the task that owns the session ------------------------------------------------------------------------------

    async def _begin(self, session: ClientSession) -> None:
        async with asyncio.timeout(START_SEC):
            await session.initialize()
            self.tools = await _tools(session)
        if self.tried.is_set():
            log.warning("MCP server '%s' is reached again", self.name)
        self._live, self.error = _Live(session), None
        self._ready.set()
        self.tried.set()

    async def _until_over(self) -> None:
        """Until a call finds the session dead, a ping is not answered, or all ends."""
        live = self._live
        assert live is not None, "_begin made it"
        while self._ready.is_set() and not self._closing.is_set():
            if not await _for(self._wake, self._ping_sec):
                live.asked += 1
                async with asyncio.timeout(START_SEC):
                    await _ping(live.session)
                live.asked -= 1
            self._wake.clear()
            if self._changed:
                self._changed = False
                async with asyncio.timeout(START_SEC):
                    self.tools = await _tools(live.session)

    async def _pause(self, seconds: float) -> None:
        """Shorter while a call waits."""
        until = time.monotonic() + seconds
        while not await _for(self._closing, AGAIN_SEC[0]):
            if self._waiting or time.monotonic() >= until:
                return

    def _end(self, error: Exception | None) -> None:
        self._ready.clear()
        self._wake.clear()
        if self._live is not None:
            self._live.end(error)
            error = self._live.error
        self._live = None
        if not self._closing.is_set():
            why = "it has closed its session" if error is None else told(error, seconds=START_SEC)
            if self.error is None or not self.tried.is_set():
                log.error("MCP server '%s' is not reached: %s; it is tried again", self.name, why)
            self.error = why
        self.tried.set()

    async def _heard(self, message: Any) -> None:
        if isinstance(message, ServerNotification) and isinstance(message.root, ToolListChangedNotification):
            # The owner asks for them: this runs in the session's own reader, which would wait for itself.
            self._changed = True
            self._wake.set()

    def _described(self) -> Connection:
        own = {"session_kwargs": {"message_handler": self._heard}}
        return cast("Connection", {**self.server.connection(), **own})

    # --- calls -------------------------------------------------------------------------------------------------------

    async def _session(self) -> _Live:
        self._waiting += 1
        try:
            ready = await _for(self._ready, WAIT_SEC)
        finally:
            self._waiting -= 1
        if not ready:
            raise ToolException(f"MCP server '{self.name}' is not reached: {self.error or 'its session has ended'}")
        assert self._live is not None, "there is one while _ready is set"
        return self._live

    async def _ask(self, live: _Live, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        """Raises Unsent, ToolException. A session that dies leaves its waiters waiting: they watch for its end here."""
        live.asked += 1
        call = asyncio.create_task(live.session.call_tool(tool, dict(arguments)), name=f"MCP call of {self.name}")
        try:
            both: set[asyncio.Future[Any]] = {call, live.over}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if call.done():
                return call.result()
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            self._drop(live, error)
            raise Unsent("its session was closed") from error
        except McpError as error:
            if error.error.code not in (_TERMINATED, CONNECTION_CLOSED):
                raise ToolException(f"{self._called(tool)}: {told(error)}") from error
            self._drop(live, error)
            if error.error.code == _TERMINATED:
                raise Unsent("it has forgotten the session") from error
        except Exception as error:  # the SDK's own checks of an answer: a schema that it breaks, a field it lacks
            log.warning("MCP server '%s' answered '%s' with what cannot be read", self.name, tool, exc_info=error)
            raise ToolException(f"{self._called(tool)}: {told(error)}") from error
        finally:
            await stop(call)
            alone = live.asked == 1
            live.asked -= 1
        # Over HTTP one question that nobody takes ends the session, and with it others that were taken before.
        if alone and live.error is not None and _refused(live.error):
            raise Unsent(told(live.error)) from live.error
        raise ToolException(f"{self._called(tool)}: the server ended during the call, which it may have carried out")

    def _drop(self, live: _Live, error: Exception) -> None:
        """Have a new session made, since this one is dead."""
        live.end(error)
        if self._live is live:
            self._ready.clear()
            self._wake.set()

    def _called(self, tool: str) -> str:
        return f"tool '{tool}' of MCP server '{self.name}'"


async def _tools(session: ClientSession) -> tuple[Tool, ...]:
    found: list[Tool] = []
    cursor: str | None = None
    while True:
        page = await session.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.nextCursor
        if not cursor or len(found) >= MAX_TOOLS:
            return tuple(found[:MAX_TOOLS])


async def _ping(session: ClientSession) -> None:
    """Raises when nobody is there; a server that does not know the question is."""
    try:
        await session.send_ping()
    except McpError as error:
        if error.error.code in (CONNECTION_CLOSED, _TERMINATED):
            raise


def _refused(error: BaseException) -> bool:
    """Whether the server has seen nothing of what was asked: nobody listened."""
    if isinstance(error, BaseExceptionGroup):
        return any(_refused(one) for one in error.exceptions)
    return type(error).__name__ == "ConnectError"


async def _for(event: asyncio.Event, seconds: float) -> bool:
    """Wait for it; False when it does not come. Without a task: the owner's waits are cut off by its transport."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
