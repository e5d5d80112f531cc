"""Ours, as it is measured beside others: all four services, with traces on and none sampled."""

from __future__ import annotations

import platform
from typing import Final

from bench import processes
from bench.peers.running import Gateway, targets
from tools.stack.throwaway import Suite

STORES: Final = ("postgres", "redis")
# As often as an installation does it; `make up` looks oftener, so that whoever tries it out need not wait.
AS_DEPLOYED: Final = {"USAGE_NOTIFICATIONS_EVERY_S": "2", "GATEWAY_TELL_PEOPLE_EVERY_S": "60"}
# With traces on and none sampled, as an installation has it that samples few. Nobody listens there, nothing is sent.
ENVIRONMENT: Final = AS_DEPLOYED | {
    f"{service.upper()}_TELEMETRY_{name}": value
    for service in processes.SERVICES
    for name, value in (("OTLP_ENDPOINT", "127.0.0.1:9"), ("SAMPLE_RATIO", "0"))
}


def ours(suite: Suite) -> Gateway:
    """Return a running suite as one of those that are measured."""
    pids = suite.pids()
    services = {name: pids[name] for name in processes.SERVICES}
    stores = {name: pids[name] for name in STORES}
    plain, stream = targets(f"{suite.stack.url}/v1", suite.demo.api_key)
    does = "keys, scopes, exact limits over replicas, exact metering, metrics, log line, unsampled traces"
    name = f"Razvilka (2 processes a request, 4 in all; Python {platform.python_version()})"
    return Gateway(name, does, services, plain, stream, stores)
