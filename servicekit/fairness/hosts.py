"""What an address is counted as, by everybody who counts by address."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address
# Of IPv6 a host, or home, chooses its addresses from so many bits: it has another one every day, or for every request.
HOST_BITS: Final = 64


def address_of(text: str) -> Address | None:
    """Return an address; IPv4 written as IPv6 is IPv4, so that nobody counts twice. None: it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def host_of(address: Address) -> str:
    """Return what an address is counted as: itself, or of IPv6 the /64 around it."""
    return str(IPv6Network((address, HOST_BITS), strict=False)) if isinstance(address, IPv6Address) else str(address)
