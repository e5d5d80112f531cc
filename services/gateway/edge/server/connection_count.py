"""How many connections there are, in all and from each address: nobody may have them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from servicekit.fairness.hosts import Address, address_of, host_of
from services.gateway.edge import metrics
from services.gateway.settings import LimitSettings, Network


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
        parsed = address_of(address)
        host = _named(parsed, address)
        if self._by_host[host] >= self._limits.connections_per_address and not self._is_trusted(parsed):
            metrics.CONNECTIONS_REFUSED.labels("address").inc()
            return False
        self._all += 1
        self._by_host[host] += 1
        return True

    def give_back(self, address: str) -> None:
        """Uncount a connection that was counted."""
        host = _named(address_of(address), address)
        self._all -= 1
        self._by_host[host] -= 1
        if not self._by_host[host]:
            del self._by_host[host]

    def _is_trusted(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self._trusted)


def _named(address: Address | None, text: str) -> str:
    return text if address is None else host_of(address)
