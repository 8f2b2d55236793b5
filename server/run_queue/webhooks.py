"""Calling a client's URL when its run has ended: checked at admission, and again at the address connected to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urljoin

import httpx
import orjson

from server.addresses import Network
from server.application.shapes import WebhooksConfig
from server.background import running
from server.connecting import CheckedTransport, Resolver, resolve
from server.db.pool import Database
from server.db.webhooks import Delivery, WebhookRows
from server.run_queue.shapes import Ending, Run
from server.run_queue.webhook_policy import (
    WebhookPolicy,
    headers_of,
    is_readable,
    policy_of,
    refusal,
    target_of,
)
from server.wire.runs import run_json
from server.wire.values import encode
from state.errors import BadRequest, NoDatabase

MAX_ATTEMPTS = 5
TIMEOUT_SECONDS = 10.0
CONCURRENCY = 8
POLL_SECONDS = 0.5
_LATER = frozenset({408, 425, 429})

log = logging.getLogger(__name__)


async def check_webhook(url: str, policy: WebhookPolicy, resolver: Resolver = resolve) -> None:
    """Refuse a URL that may not be called. Raises BadRequest, Malformed in the reference's words."""
    target = target_of(url, policy)
    if target.host is not None:
        await _addresses(target.host, target.port, policy, resolver)
        if not is_readable(url):
            raise BadRequest(f"Invalid webhook hostname '{target.host[:100]}'")


async def _addresses(host: str, port: int, policy: WebhookPolicy, resolver: Resolver) -> Sequence[str]:
    try:
        addresses = await resolver(host, port)
    except (OSError, UnicodeError, ValueError):
        addresses = []
    if not addresses:
        raise BadRequest("Webhook host blocked: DNS resolution failed")
    wrong = refusal(addresses, policy)
    if wrong is not None:
        raise BadRequest(wrong)
    return addresses


def delivery(run: Run, ending: Ending) -> tuple[str, bytes] | None:
    """Where a run's end is told and with what body, if its client asked for that.

    The body is the run as clients read it, its times, the thread's values (null where the thread was the run's own),
    and, if it failed, why.
    """
    url = run.kwargs.get("webhook")
    if url is None:
        return None
    now = datetime.now(UTC)
    body = {
        # `updated_at` of a run that runs is when its worker took it.
        **run_json(replace(run, status=ending.status, updated_at=now)),
        "run_started_at": _iso(run.updated_at),
        "run_ended_at": _iso(now),
        "webhook_sent_at": _iso(now),
        "values": None if run.temporary else orjson.Fragment(ending.values or b"{}"),
    }
    return url, encode(body if ending.error is None else {**body, "error": ending.error})


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="microseconds")


class WebhookSender:
    """Delivers what the ends of runs have left behind, at least once each, at most MAX_ATTEMPTS times."""

    def __init__(
        self,
        rows: WebhookRows,
        policy: WebhookPolicy,
        *,
        headers: Mapping[str, str] | None = None,
        own_address: str | None = None,
        resolver: Resolver = resolve,
        timeout: float = TIMEOUT_SECONDS,
        first_wait: float = 1.0,
    ) -> None:
        """`own_address`: what relative URLs are paths of, such as `http://127.0.0.1:8001`; None: they are given up.

        `timeout` bounds one call, in seconds; `first_wait` is the wait after the first failure, doubled by each more.
        """
        self._rows = rows
        self._policy = policy
        self._headers = {"content-type": "application/json", **(headers or {})}
        self._own_address = own_address
        self._resolver = resolver
        self._timeout = timeout
        self._first_wait = first_wait
        self._woken = asyncio.Event()
        self._free = CONCURRENCY

    def wake(self) -> None:
        """A run of this process has just left something to deliver."""
        self._woken.set()

    async def check(self, url: str | None) -> None:
        """At admission: refuse what would not be called. Raises BadRequest, Malformed in the reference's words."""
        if url is not None:
            await check_webhook(url, self._policy, self._resolver)

    async def run(self) -> None:
        """Deliver until cancelled; what is under way then is delivered again by whoever comes next."""
        transport = CheckedTransport(partial(_addresses, policy=self._policy, resolver=self._resolver))
        async with (
            httpx.AsyncClient(transport=transport, timeout=self._timeout, trust_env=False) as client,
            asyncio.TaskGroup() as calls,
        ):
            while True:
                self._woken.clear()
                for delivery in await self._due():
                    self._free -= 1
                    calls.create_task(self._deliver(client, delivery)).add_done_callback(self._freed)
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._woken.wait()

    def _freed(self, _: object) -> None:
        self._free += 1
        self._woken.set()

    async def _due(self) -> list[Delivery]:
        """As many as there is room for: a slow receiver holds its own place only."""
        if not self._free:
            return []
        try:
            return await self._rows.claim(self._free, self._timeout * 3)
        except NoDatabase as error:
            log.warning("webhooks wait: %s", error)
            return []

    async def _deliver(self, client: httpx.AsyncClient, delivery: Delivery) -> None:
        failure, again = await self._post(client, delivery)
        try:
            if failure is not None and again and delivery.attempt < MAX_ATTEMPTS:
                await self._rows.postpone(delivery, self._first_wait * 2 ** (delivery.attempt - 1))
                return
            await self._rows.delete(delivery)
        except NoDatabase as error:
            log.warning("webhook of run %s comes again: %s", delivery.run_id, error)
        if failure is not None:
            log.error("webhook of run %s given up after %d: %s", delivery.run_id, delivery.attempt, failure)

    async def _post(self, client: httpx.AsyncClient, delivery: Delivery) -> tuple[str | None, bool]:
        """What went wrong, and whether another try may help."""
        try:
            url = self._absolute(delivery.url)
            # The answer's body is never read: only its status counts.
            async with (
                asyncio.timeout(self._timeout),
                client.stream("POST", url, content=delivery.body, headers=self._headers) as response,
            ):
                status = response.status_code
        except BadRequest as error:
            return str(error), False
        except (httpx.HTTPError, OSError, TimeoutError) as error:
            return f"{type(error).__name__}: {error}", True
        except (httpx.InvalidURL, ValueError) as error:
            return str(error), False
        return (None, False) if 200 <= status < 300 else (f"status {status}", status >= 500 or status in _LATER)

    def _absolute(self, url: str) -> str:
        target = target_of(url, self._policy)
        if target.host is not None:
            return url
        if self._own_address is None:
            raise BadRequest("a relative webhook URL, and this process serves no HTTP")
        return urljoin(self._own_address, url)


@asynccontextmanager
async def open_webhooks(
    config: WebhooksConfig,
    database: Database,
    *,
    networks: Iterable[Network],
    own_address: str | None,
    environment: Mapping[str, str],
) -> AsyncIterator[WebhookSender]:
    """A sender that delivers until the end. Raises BadRequest: a header template that cannot be filled."""
    rows = WebhookRows(database.pool, database.dsn)
    headers = headers_of(config, environment)
    sender = WebhookSender(rows, policy_of(config, networks), headers=headers, own_address=own_address)
    async with running(sender.run(), "webhooks"):
        yield sender
