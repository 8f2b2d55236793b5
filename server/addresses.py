"""Which addresses the server may connect to for others: pure rules, for webhooks and for agents alike.

What is checked is the address that is connected to, so that no spelling of it (decimal, octal, short, mapped into IPv6)
and no later answer of DNS leads elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

METADATA_HOSTS = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})
_METADATA_ADDRESSES = frozenset({ip_address("168.63.129.16")})
"""The one of a cloud's own services that lies in public space (Azure's); the others are link-local or private."""
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE = IPv6Network("::/96")
_UNICAST = IPv6Network("2000::/3")
"""All of IPv6 that is assigned for global use. Python counts as global what is merely not listed as anything else, the
former site-local addresses (fec0::/10) among it, which old networks still route."""
_PROTOCOLS = IPv4Network("192.0.0.0/24")
"""Holds a cloud's metadata service; which of it counts as global differs between versions of Python."""
_PRIVATE = (IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/16"))


def refused(text: str, networks: Iterable[Network], *, allow_loopback: bool = False) -> str | None:
    """Why the address is not connected to: it is not public, and in none of `networks`. None: it may be."""
    address = ip_address(text)
    meant = [address, *_embedded(address)]
    if any(one in network for network in networks for one in meant if one.version == network.version):
        return None
    if allow_loopback and any(one.is_loopback for one in meant):
        return None
    if address.version == 4 and address.is_loopback:
        return "loopback IP range"
    # is_private holds also for link-local, documentation, unspecified and other ranges, which are none of these.
    if address.version == 4 and any(address in network for network in _PRIVATE):
        return "private IP range"
    return None if all(_is_public(one) for one in meant) else "blocked IP range"


def _is_public(address: Address) -> bool:
    special = address in _METADATA_ADDRESSES or (address.version == 4 and address in _PROTOCOLS)
    outside = isinstance(address, IPv6Address) and address not in _UNICAST and not _holds_ipv4(address)
    return address.is_global and not address.is_multicast and not special and not outside


def _embedded(address: Address) -> list[Address]:
    """IPv4 addresses that an IPv6 address leads to: mapped, compatible, NAT64, 6to4, Teredo."""
    if not isinstance(address, IPv6Address):
        return []
    inside: list[Address] = [IPv4Address(int(address) & 0xFFFFFFFF)] if _holds_ipv4(address) else []
    teredo = address.teredo[1] if address.teredo else None
    return inside + [one for one in (address.sixtofour, teredo) if one is not None]


def _holds_ipv4(address: IPv6Address) -> bool:
    # ::1 lies in the compatible range, but is no IPv4 address.
    compatible = address in _COMPATIBLE and int(address) > 0xFFFF
    return address.ipv4_mapped is not None or compatible or any(address in network for network in _NAT64)
