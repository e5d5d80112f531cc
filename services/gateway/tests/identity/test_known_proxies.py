"""A production that knows no proxy says so: behind one, all people would share one address and its lock."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from services.gateway.identity.metrics import KNOWN_PROXIES
from services.gateway.server import tell_known_proxies
from services.gateway.settings import GatewaySettings


def settings(**given: Any) -> GatewaySettings:
    """Return settings of a gateway."""
    return GatewaySettings(redis={"url": "redis://127.0.0.1:1"}, **given)


@pytest.mark.parametrize(
    ("given", "warnings", "known"),
    [
        ({"environment": "production"}, 1, 0),
        ({"environment": "production", "trusted_proxies": "10.0.0.0/8,192.0.2.0/24"}, 0, 2),
        ({"environment": "development"}, 0, 0),
    ],
)
def test_a_production_without_known_proxies_warns_in_one_line(given: dict[str, Any], warnings: int, known: int) -> None:
    """The line names the variable; the metric stays."""
    with capture_logs() as logs:
        tell_known_proxies(settings(**given))

    assert [entry["event"] for entry in logs] == ["gateway.no_known_proxies"] * warnings
    assert all("GATEWAY_TRUSTED_PROXIES" in entry["remedy"] for entry in logs)
    assert KNOWN_PROXIES._value.get() == known
