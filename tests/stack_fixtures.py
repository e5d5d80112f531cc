"""How the one suite of a test run is started, whichever test asks for it first.

The root `conftest.py` takes these fixtures in: the suite is shared by all folders, so its environment must not depend
on the folder of the first test that needs it.
"""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.span_receiver import SpanReceiver, running_span_receiver

# Tokens of release 1.0 are exchanged: it is the signature of all of them.
LEGACY_JWT_SECRET: Final = "release 1.0 had a secret of 32 characters and more"
# Everything on, as the strictest operator has it; and no test should wait half a minute for a provider that stalls. But
# a machine that stands still for some seconds is no such provider, and no service that is away.
ENVIRONMENT: Final = {
    **{f"{service}_TELEMETRY_LOG_LEVEL": "debug" for service in ("GATEWAY", "AUTH", "ROUTER", "USAGE")},
    "OTEL_BSP_SCHEDULE_DELAY": "200",
    "ROUTER_HTTP_FIRST_TOKEN_S": "8",
    "ROUTER_HTTP_IDLE_S": "8",
    "ROUTER_HTTP_ANSWER_S": "12",
    "GATEWAY_AUTH_TIMEOUT_S": "30",
    "GATEWAY_ACCOUNT_TIMEOUT_S": "30",
    # A tokenizer is slow on a loaded machine, and who counted must not depend on that.
    "ROUTER_TOKENIZER_S": "30",
    # Tests make providers fail on purpose: what one does must not change which model answers another.
    "ROUTER_CIRCUITS_CONSECUTIVE": "100000",
    "ROUTER_CIRCUITS_MIN_CALLS": "100000",
    "ROUTER_CIRCUITS_OPEN_S": "0.000001",
    "ROUTER_CIRCUITS_PROBES": "100000",
    "ROUTER_CIRCUITS_LONGEST_COOLING_S": "0",
    "ROUTER_CIRCUITS_RETRY_FLOOR": "100000",
    # Batches are worked on by gateways that tests start, so that a test can say which one, and kill it.
    "GATEWAY_BATCHES_PARALLEL": "0",
    "ROUTER_BATCHES_LEASE_S": "8",
    "ROUTER_BATCHES_TEND_S": "0.2",
    "AUTH_OAUTH_LEGACY_JWT_SECRET": LEGACY_JWT_SECRET,
    "AUTH_OAUTH_LEGACY_JWT_UNTIL": "2999-01-01T00:00:00Z",
    "GATEWAY_METERING_REAP_EVERY_S": "1",
    "GATEWAY_ADMISSION_RECONCILE_EVERY_S": "1",
}


@pytest.fixture(scope="session")
def spans() -> Iterator[SpanReceiver]:
    """A collector of traces that the suite exports to."""
    with running_span_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def stack_environment(spans: SpanReceiver) -> dict[str, str]:
    """More of the environment that `stack` is started in."""
    return {**ENVIRONMENT, "OTEL_EXPORTER_OTLP_ENDPOINT": spans.endpoint}
