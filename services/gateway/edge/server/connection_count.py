"""How many connections there are, in all and from each address: nobody may have them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from services.gateway.edge import metrics
from services.gateway.settings import LimitSettings, Network

# A host is given so many bits of IPv6 to choose its addresses from.
HOST_BITS: Final = 64


class ConnectionCount:
    """Counts. Proxies that are trusted speak for many, so only the sum binds them."""

    def __init__(self, limits: LimitSettings, trusted: Sequence[Network] = ()) -> None:
        self._limits = limits
        self._trusted = tuple(trusted)
        self._all = 0
        self._by_host: Counter[str] = Counter()

    def take(self, address: str) -> bool:
        """Count a connection; False: there are too many already, and it was not counted."""
        if self._all >= self._limits.connections:
            metrics.CONNECTIONS_REFUSED.labels("all").inc()
            return False
        parsed = _parsed(address)
        host = _host_of(parsed, address)
        if self._by_host[host] >= self._limits.connections_per_address and not self._is_trusted(parsed):
            metrics.CONNECTIONS_REFUSED.labels("address").inc()
            return False
        self._all += 1
        self._by_host[host] += 1
        return True

    def give_back(self, address: str) -> None:
        """Uncount a connection that was counted."""
        host = _host_of(_parsed(address), address)
        self._all -= 1
        self._by_host[host] -= 1
        if not self._by_host[host]:
            del self._by_host[host]

    def _is_trusted(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return parsed.ipv4_mapped or parsed if isinstance(parsed, IPv6Address) else parsed


def _host_of(address: IPv4Address | IPv6Address | None, text: str) -> str:
    """Return what an address is counted as: itself; of IPv6 the network from which one host may take any."""
    if isinstance(address, IPv6Address):
        return str(IPv6Network((address, HOST_BITS), strict=False))
    return text if address is None else str(address)
