"""Connections are counted by host: nobody may have them all."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from services.gateway.edge.server.connection_count import ConnectionCount
from services.gateway.settings import LimitSettings


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::2%eth0"),
    ],
)
def test_addresses_of_one_host_are_counted_together(one: str, other: str) -> None:
    """A host has 2**64 addresses of IPv6: eight of them could have all connections."""
    count = ConnectionCount(LimitSettings(connections_per_address=1))

    assert count.take(one)
    assert not count.take(other)
    count.give_back(one)
    assert count.take(other)


@pytest.mark.parametrize(("one", "other"), [("2001:db8:0:1::1", "2001:db8:0:2::1"), ("192.0.2.1", "192.0.2.2")])
def test_hosts_are_counted_apart(one: str, other: str) -> None:
    """What one takes is nothing of the other's."""
    count = ConnectionCount(LimitSettings(connections_per_address=1))

    assert count.take(one)
    assert count.take(other)


@pytest.mark.parametrize("proxy", ["2001:db8::1", "192.0.2.1", "::ffff:192.0.2.1"])
def test_a_proxy_that_is_known_speaks_for_many(proxy: str) -> None:
    """Only the sum binds it."""
    trusted = [ip_network("2001:db8::/48"), ip_network("192.0.2.0/24")]
    count = ConnectionCount(LimitSettings(connections_per_address=1, connections=2), trusted)

    assert count.take(proxy)
    assert count.take(proxy)
    assert not count.take(proxy)
