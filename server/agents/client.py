"""The one way to agents' addresses: public ones and those of LAB_ALLOWED_NETWORKS, answers of bounded size."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import cast

import httpx

from nodes.agents.remote import endpoint_of
from server.addresses import METADATA_HOSTS, Network, refused
from server.connecting import CheckedTransport, Resolver, resolve
from state.errors import AgentFailed, BadRequest

MAX_ANSWER_BYTES = 5_000_000
CONNECT_SECONDS = 10.0
"""A connection is there by then, or the address counts as dead; the answer itself may take longer."""


def checked_client(networks: Sequence[Network], resolver: Resolver = resolve) -> Callable[[float], httpx.AsyncClient]:
    """Makes clients, each with a timeout in seconds; `networks` are reached although they are not public.

    A client follows no redirects, keeps no connection and no cookie, and reads nothing from the environment. Beside
    httpx's errors its calls raise BadRequest, the address may not be called, and AgentFailed, the answer is too big or
    compressed. All clients share one TLS context, which takes 40 ms to make; there is nothing to close but themselves.
    """
    transport = AgentTransport(networks, resolver)

    def client(timeout: float) -> httpx.AsyncClient:
        bounds = httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS))
        # A policy without a domain takes and sends no cookie: the client that looks at everybody's health lives long.
        cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        return httpx.AsyncClient(
            transport=transport, timeout=bounds, trust_env=False, follow_redirects=False, cookies=cookies
        )

    return client


async def check_endpoint(url: str, networks: Sequence[Network], resolver: Resolver = resolve) -> str:
    """An agent's endpoint as it is kept. Raises BadRequest: no such URL, or an address that is not called."""
    endpoint = endpoint_of(url)
    parsed = httpx.URL(endpoint)
    try:
        await allowed_addresses(parsed.host, _port(parsed), networks, resolver)
    except httpx.ConnectError as error:
        raise BadRequest(f"endpoint '{endpoint}': {error}") from error
    return endpoint


async def allowed_addresses(host: str, port: int, networks: Sequence[Network], resolver: Resolver) -> Sequence[str]:
    """Those of a host's addresses that may be connected to. Raises ConnectError: it has none; BadRequest: none may be.

    Where only some may be, these are enough, other than for webhooks: connected to is only what has been checked, and
    `localhost` has an address that an operator who writes 127.0.0.0/8 did not think of.
    """
    if host.lower().rstrip(".") in METADATA_HOSTS:
        raise BadRequest(f"agent address '{host}' blocked: cloud metadata endpoint")
    try:
        addresses = await resolver(host, port)
    except (OSError, UnicodeError, ValueError) as error:
        raise httpx.ConnectError(f"the name '{host[:100]}' has no address") from error
    reasons = {address: refused(address, networks) for address in addresses}
    allowed = [address for address, reason in reasons.items() if reason is None]
    if not reasons:
        raise httpx.ConnectError(f"the name '{host[:100]}' has no address")
    if not allowed:
        address, reason = next(iter(reasons.items()))
        raise BadRequest(
            f"agent address '{host[:100]}' blocked: {reason} ({address}); name its network in LAB_ALLOWED_NETWORKS"
        )
    return allowed


class AgentTransport(httpx.AsyncBaseTransport):
    """Checks addresses and bounds answers. Shared by clients, so that closing one of them leaves it open."""

    def __init__(self, networks: Sequence[Network], resolver: Resolver) -> None:
        async def checked(host: str, port: int) -> Sequence[str]:
            return await allowed_addresses(host, port, networks, resolver)

        self._inner = CheckedTransport(checked)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        # A compressed answer of 5 MB can be one of 5 GB.
        request.headers["accept-encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        stream = cast(httpx.AsyncByteStream, response.stream)
        if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
            await stream.aclose()
            raise AgentFailed("the answer is compressed, which was not asked for")
        response.stream = _Bounded(stream)
        return response


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > MAX_ANSWER_BYTES:
                raise AgentFailed(f"the answer is bigger than {MAX_ANSWER_BYTES} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)
