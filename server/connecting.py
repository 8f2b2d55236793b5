"""Connecting to addresses that were checked: a host is resolved once, and what was looked at is what is called."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import httpx

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, for a port. Raises OSError."""

_RESOLVE_SECONDS = 5.0


async def resolve(host: str, port: int) -> list[str]:
    """What the system's resolver says, without duplicates. Raises OSError, UnicodeError."""
    async with asyncio.timeout(_RESOLVE_SECONDS):
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class CheckedTransport(httpx.AsyncBaseTransport):
    """Resolves a host once, refuses what may not be called, and connects to the very address that it checked.

    Host header and the name in TLS stay the URL's.
    """

    def __init__(self, checked: Resolver) -> None:
        """`checked`: the addresses of a host that may be connected to; what it raises for others is raised here."""
        self._checked = checked
        # No connection is kept: one to the same address may have been made under another host's certificate.
        self._inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_keepalive_connections=0), trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host, scheme = request.url.host, request.url.scheme
        port = request.url.port or (443 if scheme == "https" else 80)
        addresses = await self._checked(host, port)
        request.extensions = {**request.extensions, "sni_hostname": request.url.raw_host.decode("ascii")}
        for address in addresses[:-1]:
            request.url = request.url.copy_with(host=address)
            with suppress(httpx.ConnectError):
                return await self._inner.handle_async_request(request)
        request.url = request.url.copy_with(host=addresses[-1])
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()
