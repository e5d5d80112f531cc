"""Which IP addresses may be connected to, checked on the resolved address that is really used.

URLs given by callers may lead to public addresses only; plaintext upstreams to private ones only.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Protocol

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

HTTPS_PORT: Final = 443
Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
# A gateway between the two kinds of addresses makes an IPv4 address of the last four bytes (RFC 6052).
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
# The same for one's own network (RFC 8215): where in it the IPv4 address lies, only that network knows.
_TRANSLATED_LOCALLY: Final = IPv6Network("64:ff9b:1::/48")
# For sites, out of use (RFC 3879) and still given out within machines and their hosts; `ipaddress` calls them global.
_OF_SITES: Final = IPv6Network("fec0::/10")
# Addresses of IPv4 in disguise of the kind ::a.b.c.d, which is out of use and still routed by some systems.
_COMPATIBLE: Final = IPv6Network("::/96")


class ForbiddenAddressError(OSError):
    """None of the addresses of a name may be connected to."""


class Allows(Protocol):
    """Tells which addresses may be connected to."""

    def allows(self, text: str, port: int) -> bool:
        """Tell whether a connection may be made to an address."""
        ...


class AddressPolicy:
    """Allows public addresses at port 443, and any port in the networks that the operator trusts."""

    def __init__(self, trusted: Sequence[Network] = ()) -> None:
        self._trusted = tuple(trusted)

    def allows(self, text: str, port: int) -> bool:
        """Tell whether a connection may be made to an address."""
        address = _address_of(text)
        if address is None:
            return False
        if any(address in network for network in self._trusted):
            return True
        return port == HTTPS_PORT and is_public(address)


class PlaintextPolicy:
    """Allows addresses for plaintext HTTP: those of private networks.

    Over https the certificate proves who answers, wherever the name leads. Without it, whoever spoofs the DNS answer
    for an upstream would get prompts and keys. Link-local addresses are refused: cloud metadata services are there, and
    are addressed by IP.

    Args:
        trusted: further networks of the operator that are allowed.
    """

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = tuple(trusted)

    def allows(self, text: str, port: int) -> bool:
        """Tell whether a name may lead to an address."""
        address = _address_of(text)
        return address is not None and (self._is_trusted(address) or _is_private(address))

    def allows_digits(self, text: str) -> bool:
        """Tell whether the operator may configure an IP address instead of a name."""
        address = _address_of(text)
        return address is None or self._is_trusted(address) or not (is_public(address) or _may_lead_anywhere(address))

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def _address_of(text: str) -> Address | None:
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _is_private(address: Address) -> bool:
    return not (is_public(address) or _may_lead_anywhere(address) or _is_no_hosts(address))


def _may_lead_anywhere(address: Address) -> bool:
    return isinstance(address, IPv6Address) and address in _TRANSLATED_LOCALLY


def _is_no_hosts(address: Address) -> bool:
    return address.is_link_local or address.is_multicast or address.is_unspecified


def is_public(address: Address) -> bool:
    """Tell whether an address is on the public internet; an IPv4 address embedded in an IPv6 one is checked, too."""
    inner = _carried(address)
    if inner is not None:
        return is_public(inner)
    if _may_lead_anywhere(address) or (isinstance(address, IPv6Address) and address in _OF_SITES):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _carried(address: Address) -> IPv4Address | None:
    if isinstance(address, IPv4Address):
        return None
    if address.teredo is not None:
        return address.teredo[1]
    if address in _TRANSLATED or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


class PublicResolver(AbstractResolver):
    """Resolves names to allowed addresses only.

    The connection uses exactly the addresses returned here, so a name that resolves differently the second time (DNS
    rebinding) gains nothing.
    """

    def __init__(self, inner: AbstractResolver, policy: Allows) -> None:
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


class UpstreamResolver(AbstractResolver):
    """Resolves hosts that are called in plaintext to allowed addresses only, and others to all their addresses.

    As above, the connection uses exactly the addresses returned.
    """

    def __init__(self, inner: AbstractResolver, policy: PlaintextPolicy) -> None:
        self._all = inner
        self._private = PublicResolver(inner, policy)
        self._policy = policy
        self._plaintext: set[tuple[str, int]] = set()

    def expect(self, url: URL) -> None:
        """Note how the host of an address will be called.

        Raises:
            ForbiddenAddressError: in plaintext, at a public address given in digits.
        """
        host, port = url.host or "", url.port or 0
        if url.scheme == "https" or (host, port) in self._plaintext:
            return
        # Digits are not looked up, so no resolver sees them.
        if not self._policy.allows_digits(host):
            raise ForbiddenAddressError(host)
        self._plaintext.add((host, port))

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses.

        Raises:
            ForbiddenAddressError: the host is called in plaintext, and none of them is allowed.
        """
        resolver = self._private if (host, port) in self._plaintext else self._all
        return await resolver.resolve(host, port, family)

    async def close(self) -> None:
        """Close the resolver that is asked."""
        await self._all.close()
