"""What is remembered of finished runs, in LangGraph's store: found again by the meaning of their requests.

A run is one item, keyed by its id, in its owner's namespace; its request is what is embedded. The owner is the user the
server authenticated (`Runtime.server_info`), never one that a request names; alone on a machine there is only one.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from langgraph.runtime import ServerInfo
from langgraph.store.base import BaseStore, PutOp, SearchItem
from pydantic import BaseModel, ConfigDict, ValidationError

from state.tasks import Kind, Related

Namespace = tuple[str, str]

NOBODY = "default"
"""Owner where nobody is authenticated."""
RUNS = "runs"

MIN_SIMILARITY = 0.5
"""Cosine below which an earlier request is not about the same thing. With the hashing embedder .5 means that about half
of the words are the same."""
MAX_CHARS = 4_000
"""Of a request or an answer, kept from its start: what is recalled has to fit a prompt."""

log = logging.getLogger(__name__)


class Memory(BaseModel):
    """A finished run, as the store keeps it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    request: str
    answer: str
    kind: Kind = "other"
    language: str = "und"
    score: float | None = None
    passed: bool = True
    thread_id: str = ""
    summary: tuple[str, ...] = ()


class Found(BaseModel):
    """A remembered run, how near its request is (None where the store has no vectors), and when it ended (ISO 8601)."""

    run_id: str
    memory: Memory
    similarity: float | None
    at: str


def runs_of(server: ServerInfo | None) -> Namespace:
    """Where the runs of the authenticated user are kept: pass `runtime.server_info`.

    No two users share a namespace. LangGraph allows no dot in a label, none that is empty, and "langgraph" not as the
    first; Postgres holds neither NUL nor lone surrogates: such names are escaped.
    """
    if server is None or server.user is None:
        return (NOBODY, RUNS)
    owner = quote(server.user.identity, safe="", errors="surrogatepass").replace(".", "%2E")
    return (f"%{owner}" if owner in ("", "langgraph") else owner, RUNS)


async def remember(store: BaseStore, namespace: Namespace, run_id: str, memory: Memory) -> None:
    """Keep a run; a run that is kept again, as after a crash, replaces itself."""
    value: dict[str, Any] = memory.model_dump(mode="json")
    value.update(
        request=storable(memory.request), answer=storable(memory.answer), summary=[storable(s) for s in memory.summary]
    )
    await store.aput(namespace, run_id, value, index=["request"])


async def forget(store: BaseStore, namespace: Namespace, run_ids: Sequence[str]) -> None:
    """Keep nothing of these runs; those of which nothing is kept are passed over."""
    await store.abatch([PutOp(namespace, run_id, None) for run_id in run_ids])


async def find_runs(
    store: BaseStore,
    namespace: Namespace,
    query: str | None,
    *,
    limit: int,
    passed_only: bool = False,
    except_thread: str | None = None,
) -> list[Found]:
    """Remembered runs, nearest requests first; without a query, or without vectors, in the store's own order."""
    wanted: dict[str, Any] = {"passed": True} if passed_only else {}
    if except_thread is not None:
        wanted["thread_id"] = {"$ne": except_thread}
    items = await store.asearch(namespace, query=storable(query) if query else None, filter=wanted or None, limit=limit)
    return [found for item in items if (found := _found(item)) is not None]


async def recall(
    store: BaseStore, namespace: Namespace, request: str, *, limit: int, thread_id: str | None
) -> tuple[Related, ...]:
    """Up to `limit` runs of other threads whose requests are near this one and whose answers passed, nearest first.

    A store without vectors recalls nothing: the latest runs are not the related ones.
    """
    if limit <= 0:
        return ()
    # Twice as many: a request that was asked again and again is among them.
    found = await find_runs(store, namespace, request, limit=2 * limit + 5, passed_only=True, except_thread=thread_id)
    return nearest(found, limit=limit)


def nearest(found: Sequence[Found], *, limit: int) -> tuple[Related, ...]:
    """Those that are near enough, each request once."""
    chosen: dict[str, Related] = {}
    for each in found:
        if each.similarity is None or each.similarity < MIN_SIMILARITY:
            continue
        chosen.setdefault(
            each.memory.request.strip().casefold(),
            Related(
                run_id=each.run_id,
                request=each.memory.request,
                answer=each.memory.answer,
                similarity=max(-1.0, min(1.0, each.similarity)),
            ),
        )
    return tuple(chosen.values())[:limit]


def storable(text: str) -> str:
    """A text's start, without what Postgres' JSON cannot hold: NUL and lone surrogates."""
    return text[:MAX_CHARS].replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _found(item: SearchItem) -> Found | None:
    """None for an item that is no run: others, too, may write into the store."""
    try:
        memory = Memory.model_validate(item.value)
    except ValidationError as error:
        log.warning("item %s of the store is no remembered run: %s", item.key, " ".join(str(error).split()))
        return None
    # Not `updated_at`, which is also when another embedder embedded it anew.
    at = item.created_at.isoformat(timespec="seconds")
    return Found(run_id=item.key, memory=memory, similarity=item.score, at=at)
