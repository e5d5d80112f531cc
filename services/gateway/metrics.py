"""What the gateway counts. Labels come from closed sets: routes, statuses, codes, catalogue ids; never from callers."""

from __future__ import annotations

from functools import cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

REQUESTS: Final = Counter("razvilka_gateway_requests_total", "HTTP requests answered.", ["route", "method", "status"])
SECONDS: Final = Histogram(
    "razvilka_gateway_request_seconds",
    "Seconds from the first byte of a request to the last byte of its answer.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600),
)
IN_FLIGHT: Final = Gauge("razvilka_gateway_in_flight", "HTTP requests being answered.")
ERRORS: Final = Counter("razvilka_gateway_errors_total", "Errors told to callers, by code.", ["route", "code"])
FIRST_TOKEN: Final = Histogram(
    "razvilka_gateway_first_token_seconds",
    "Seconds until the first token of a stream was sent.",
    ["provider", "model"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
TOKENS: Final = Counter("razvilka_gateway_tokens_total", "Tokens billed.", ["provider", "model", "direction"])
COST: Final = Counter("razvilka_gateway_cost_micro_rub_total", "Micro-roubles billed.", ["provider", "model"])
ENDED: Final = Counter(
    "razvilka_gateway_completions_total", "Paid requests by how they ended.", ["provider", "model", "outcome"]
)
CUT: Final = Counter("razvilka_gateway_answers_cut_total", "Answers that ended early, by cause.", ["cause"])
KEY_CHECKS: Final = Counter("razvilka_gateway_key_checks_total", "API keys checked, by how it went.", ["outcome"])
REVOCATIONS: Final = Counter("razvilka_gateway_revocations_total", "Revocations heard of, by how.", ["source"])
LISTENING: Final = Gauge("razvilka_gateway_revocations_listening", "1 while revocations are heard at once.")
CATALOG_MODELS: Final = Gauge("razvilka_gateway_catalog_models", "Models in the catalogue.")


@cache
def requests(route: str, method: str, status: int) -> Counter:
    """Return the bound counter: binding costs four times what counting does."""
    return REQUESTS.labels(route, method, status)


@cache
def seconds(route: str) -> Histogram:
    """Return the bound histogram."""
    return SECONDS.labels(route)


@cache
def first_token(provider: str, model: str) -> Histogram:
    """Return the bound histogram."""
    return FIRST_TOKEN.labels(provider, model)


class Billed:
    """The counters of one model, bound once."""

    __slots__ = ("completed", "cost", "failed", "interrupted", "tokens_in", "tokens_out")

    def __init__(self, provider: str, model: str) -> None:
        self.tokens_in = TOKENS.labels(provider, model, "input")
        self.tokens_out = TOKENS.labels(provider, model, "output")
        self.cost = COST.labels(provider, model)
        self.completed = ENDED.labels(provider, model, "completed")
        self.interrupted = ENDED.labels(provider, model, "interrupted")
        self.failed = ENDED.labels(provider, model, "failed")


@cache
def billed(provider: str, model: str) -> Billed:
    """Return the bound counters of one model."""
    return Billed(provider, model)


KEY_HIT: Final = KEY_CHECKS.labels("hit")
KEY_VERIFIED: Final = KEY_CHECKS.labels("verified")
KEY_REFUSED: Final = KEY_CHECKS.labels("refused")
KEY_STALE: Final = KEY_CHECKS.labels("stale")
KEY_UNAVAILABLE: Final = KEY_CHECKS.labels("unavailable")
