"""What the edge counts. Labels come from closed sets: routes, methods, statuses, codes; never from callers."""

from __future__ import annotations

from functools import cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from servicekit.errors import ErrorReason

REQUESTS: Final = Counter("razvilka_gateway_requests_total", "HTTP requests answered.", ["route", "method", "status"])
SECONDS: Final = Histogram(
    "razvilka_gateway_request_seconds",
    "Seconds from the first byte of a request to the last byte of its answer.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)
IN_FLIGHT: Final = Gauge("razvilka_gateway_in_flight", "HTTP requests being answered.")
ERRORS: Final = Counter("razvilka_gateway_errors_total", "Errors told to callers, by code.", ["route", "code"])

# What the objective of availability counts (deploy/observability/rules/slo.yaml), from the start on: in a counter
# that begins with the thousand errors of a bad minute Prometheus sees no rise.
_PAID: Final = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/messages", "/v1/responses")
_OURS: Final = (
    ErrorReason.CACHE_ERROR,
    ErrorReason.DATABASE_ERROR,
    ErrorReason.DEADLINE_EXCEEDED,
    ErrorReason.INTERNAL_ERROR,
    ErrorReason.MODEL_WITHOUT_PRICE,
    ErrorReason.NO_HEALTHY_PROVIDER,
    ErrorReason.PROVIDER_CREDENTIALS,
    ErrorReason.PROVIDER_ERROR,
    ErrorReason.PROVIDER_QUOTA_EXHAUSTED,
    ErrorReason.PROVIDER_RATE_LIMITED,
    ErrorReason.PROVIDER_TIMEOUT,
    ErrorReason.PROVIDER_UNAVAILABLE,
    ErrorReason.SERVICE_UNAVAILABLE,
)
for _route in _PAID:
    for _reason in _OURS:
        ERRORS.labels(_route, _reason.value.lower())

CONNECTIONS_REFUSED: Final = Counter(
    "razvilka_gateway_connections_refused_total",
    "Connections refused because there were too many, by limit.",
    ["limit"],
)


@cache
def requests(route: str, method: str, status: int) -> Counter:
    """Return the bound counter: binding costs four times what counting does."""
    return REQUESTS.labels(route, method, status)


@cache
def seconds(route: str) -> Histogram:
    """Return the bound histogram."""
    return SECONDS.labels(route)
