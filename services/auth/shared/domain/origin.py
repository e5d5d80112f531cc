"""Where a request came from: for guessing limits and the audit log. Nothing of it is believed to be well formed."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MAX_USER_AGENT: Final = 256
# What neighbours of one attacker share: a small provider's block, a site's prefix.
NETWORK_BITS: Final = {4: 24, 6: 48}
# What one host, or home, may choose its address from: it has another one every day, or for every request.
HOST_BITS: Final = {4: 32, 6: 64}


@dataclass(frozen=True, slots=True)
class Origin:
    """A cleaned origin; an address that is none is empty."""

    ip: str = ""
    user_agent: str = ""

    @property
    def host(self) -> str:
        """Return what the address is counted as: itself, or of IPv6 the /64 around it."""
        return host_of(self.ip)

    @property
    def network(self) -> str:
        """Return the /24 or /48 around the address."""
        return _around(self.ip, NETWORK_BITS)


def host_of(ip: str) -> str:
    """Return what a cleaned address is counted as: itself, or of IPv6 the /64 around it."""
    return _around(ip, HOST_BITS).removesuffix("/32")


def _around(ip: str, bits: Mapping[int, int]) -> str:
    if not ip:
        return ""
    address = ipaddress.ip_address(ip)
    return str(ipaddress.ip_network((address, bits[address.version]), strict=False))


def origin_of(ip: str, user_agent: str) -> Origin:
    """Return the origin; IPv4 written as IPv6 is IPv4, so that nobody counts twice."""
    try:
        address = ipaddress.ip_address(ip.strip().partition("%")[0])
    except ValueError:
        text = ""
    else:
        text = str(getattr(address, "ipv4_mapped", None) or address)
    shown = "".join(character if character.isprintable() else " " for character in user_agent)
    return Origin(text, shown[:MAX_USER_AGENT])
