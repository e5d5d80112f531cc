"""A small part of `make fuzz-grpc`: random messages end no service and find no fault that is ours."""

from __future__ import annotations

import asyncio

import pytest

from tools.fuzz.grpc.attack import attack, methods_of, send_noise
from tools.stack.running_stack import RunningStack

SERVICES = ("auth", "router", "usage")


@pytest.mark.parametrize("service", SERVICES)
def test_no_message_of_a_caller_is_a_fault_of_ours(stack: RunningStack, service: str) -> None:
    """Damaged or senseless: the caller's fault, and said so."""
    pid = stack.pid(service)

    outcome = asyncio.run(attack(stack.target(service), "gateway", 300, seed=8))

    assert dict(outcome.faults) == {}
    assert outcome.statuses.total() == 300
    assert outcome.statuses["INVALID_ARGUMENT"] > 0
    assert stack.pid(service) == pid


@pytest.mark.parametrize("service", SERVICES)
def test_strangers_are_refused_before_anything_is_decoded(stack: RunningStack, service: str) -> None:
    """A certificate that opens nothing, no certificate, and noise: one answer each, and the service goes on."""
    listed = asyncio.run(attack(stack.target(service), "router" if service != "router" else "usage", 50, seed=9))
    nobody = asyncio.run(attack(stack.target(service), None, 20, seed=9))
    asyncio.run(send_noise(stack.target(service), 20, seed=9))
    after = asyncio.run(attack(stack.target(service), "gateway", 5, seed=9))

    assert set(listed.statuses) == {"PERMISSION_DENIED"}
    assert set(nobody.statuses) == {"UNAVAILABLE"}
    assert "UNAVAILABLE" not in after.statuses


def test_every_rpc_is_attacked() -> None:
    """Those of a new service must not be forgotten."""
    assert {method.containing_service.name for service in SERVICES for method in methods_of(service)} == {
        "AuthService",
        "OAuthService",
        "AccountService",
        "UserContextService",
        "RouterService",
        "UsageService",
        "CatalogFactsService",
        "ForecastService",
        "InsightsService",
    }
