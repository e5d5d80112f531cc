"""How IP addresses are grouped for limits: all limits by address use the same keys."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address
# An IPv6 host or home chooses addresses freely within a /64: it may use another one every day, or for every request.
HOST_BITS: Final = 64


def address_of(text: str) -> Address | None:
    """Parse an address; IPv4 mapped into IPv6 becomes IPv4, so that no host counts twice. None: not an address."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def host_of(address: Address) -> str:
    """Return the key that an address is counted under: itself, or the /64 of an IPv6 address."""
    return str(IPv6Network((address, HOST_BITS), strict=False)) if isinstance(address, IPv6Address) else str(address)
