"""Which addresses may be reached for a caller: public ones only, judged by what a connection is made to."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

HTTPS_PORT: Final = 443
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
# A gateway between the two kinds of addresses makes an IPv4 address of the last four bytes (RFC 6052, RFC 8215).
_TRANSLATED: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
# Addresses of IPv4 in disguise of the kind ::a.b.c.d, which is out of use and still routed by some systems.
_COMPATIBLE: Final = IPv6Network("::/96")


class ForbiddenAddressError(OSError):
    """Every address of a name is one of our own network, or of no network at all."""


class AddressPolicy:
    """Public addresses at the port of https; in the networks that the operator trusts, every port."""

    def __init__(self, trusted: Sequence[Network] = ()) -> None:
        self._trusted = tuple(trusted)

    def allows(self, text: str, port: int) -> bool:
        """Tell whether a connection may be made to an address."""
        try:
            address = ip_address(text.partition("%")[0])
        except ValueError:
            return False
        if any(address in network for network in self._trusted):
            return True
        return port == HTTPS_PORT and is_public(address)


def is_public(address: Address) -> bool:
    """Tell whether an address is of the public internet, also the one inside an IPv6 address that carries another."""
    inner = _carried(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _carried(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in (*_TRANSLATED, _COMPATIBLE)):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


class PublicResolver(AbstractResolver):
    """Gives out the allowed addresses of a name only.

    The connection is made to what stands here, not to what the name means a moment later: a name that is answered
    differently the second time (DNS rebinding) gains nothing.
    """

    def __init__(self, inner: AbstractResolver, policy: AddressPolicy) -> None:
        self._inner = inner
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses.

        Raises:
            ForbiddenAddressError: none of them is allowed.
        """
        found = await self._inner.resolve(host, port, family)
        allowed = [each for each in found if self._policy.allows(each["host"], port)]
        if not allowed:
            raise ForbiddenAddressError(host)
        return allowed

    async def close(self) -> None:
        """Close the resolver that was asked."""
        await self._inner.close()
