"""What the gateway counts. Labels come from closed sets: routes, statuses, codes, catalogue ids; never from callers."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Counters of how checking one kind of credential went."""

    hit: Counter
    verified: Counter
    refused: Counter
    stale: Counter
    unavailable: Counter


def _outcomes(of: Counter) -> Outcomes:
    return Outcomes(*(of.labels(outcome) for outcome in ("hit", "verified", "refused", "stale", "unavailable")))


KEY_OUTCOMES: Final = _outcomes(KEY_CHECKS)

GRANT_CHECKS: Final = Counter("razvilka_gateway_grant_checks_total", "Grants asked for, by how it went.", ["outcome"])
GRANT_OUTCOMES: Final = _outcomes(GRANT_CHECKS)
TOKEN_CHECKS: Final = Counter(
    "razvilka_gateway_token_checks_total", "Access tokens checked, by how it went.", ["outcome"]
)
TOKEN_HIT: Final = TOKEN_CHECKS.labels("hit")
TOKEN_VERIFIED: Final = TOKEN_CHECKS.labels("verified")
TOKEN_REFUSED: Final = TOKEN_CHECKS.labels("refused")
TOKEN_REVOKED: Final = TOKEN_CHECKS.labels("revoked")
TOKEN_UNAVAILABLE: Final = TOKEN_CHECKS.labels("unavailable")
JWKS_AGE: Final = Gauge("razvilka_gateway_jwks_age_seconds", "Seconds since the public keys were fetched.")
REVOCATION_SECONDS: Final = Histogram(
    "razvilka_gateway_revocation_seconds",
    "Seconds from a revocation to its effect on this gateway.",
    ["source"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 10, 30, 60),
)
OAUTH_LIMITED: Final = Counter(
    "razvilka_gateway_oauth_limited_total",
    "Requests of OAuth endpoints and pages over the limit of an address.",
    ["limiter"],
)
FORMS_REFUSED: Final = Counter(
    "razvilka_gateway_forms_refused_total", "Form posts that did not come from our own page.", ["why"]
)
