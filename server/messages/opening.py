"""Opening the messages of a process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.db.messages import Messages
from server.db.pool import Database
from server.messages.bus import Bus
from server.messages.post import Post
from server.messages.sweep import MessageSweeper
from server.settings import Settings


@asynccontextmanager
async def open_messages(database: Database, settings: Settings, tenant: str) -> AsyncIterator[Bus]:
    """The bus of one tenant; when this closes, everything that was sent is in Postgres. Raises NoDatabase."""
    messages = Messages(database.pool, database.dsn)
    post = Post(messages, settings.message_queue)
    async with post.running(database.dsn), MessageSweeper(messages, settings.message_days).running():
        yield Bus(post, messages, tenant)
