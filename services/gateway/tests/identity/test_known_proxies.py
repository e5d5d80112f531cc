"""A production that knows no proxy says so: behind one, all people would share one address and its lock."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from structlog.testing import capture_logs

from services.gateway.identity.known_proxies import tell_known_proxies
from services.gateway.identity.metrics import KNOWN_PROXIES


@pytest.mark.parametrize(
    ("networks", "is_production", "warnings"),
    [((), True, 1), (("10.0.0.0/8", "192.0.2.0/24"), True, 0), ((), False, 0)],
)
def test_a_production_without_known_proxies_warns_in_one_line(
    networks: tuple[str, ...], is_production: bool, warnings: int
) -> None:
    """The line names the variable; the metric stays."""
    with capture_logs() as logs:
        tell_known_proxies([ip_network(network) for network in networks], is_production=is_production)

    assert [entry["event"] for entry in logs] == ["gateway.no_known_proxies"] * warnings
    assert all("GATEWAY_TRUSTED_PROXIES" in entry["remedy"] for entry in logs)
    assert KNOWN_PROXIES._value.get() == len(networks)
