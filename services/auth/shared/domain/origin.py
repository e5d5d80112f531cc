"""The origin of a request, for guessing limits and the audit log; none of it is trusted to be well-formed."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final

from servicekit.fairness import hosts

MAX_USER_AGENT: Final = 256
# What neighbours of one attacker share: a small provider's block, a site's prefix.
NETWORK_BITS: Final = {4: 24, 6: 48}


@dataclass(frozen=True, slots=True)
class Origin:
    """A validated origin; an invalid address becomes empty."""

    ip: str = ""
    user_agent: str = ""

    @property
    def host(self) -> str:
        """Return what the address is counted as: itself, or of IPv6 the /64 around it."""
        return host_of(self.ip)

    @property
    def network(self) -> str:
        """Return the /24 or /48 around the address."""
        if not self.ip:
            return ""
        address = ipaddress.ip_address(self.ip)
        return str(ipaddress.ip_network(f"{self.ip}/{NETWORK_BITS[address.version]}", strict=False))


def host_of(ip: str) -> str:
    """Return what a cleaned address is counted as: itself, or of IPv6 the /64 around it."""
    return hosts.host_of(ipaddress.ip_address(ip)) if ip else ""


def origin_of(ip: str, user_agent: str) -> Origin:
    """Return the origin; IPv4 written as IPv6 is IPv4, so that nobody counts twice."""
    address = hosts.address_of(ip.strip().partition("%")[0])
    text = "" if address is None else str(address)
    shown = "".join(character if character.isprintable() else " " for character in user_agent)
    return Origin(text, shown[:MAX_USER_AGENT])
