"""What identity counts. Labels come from closed sets: outcomes and sources; never from callers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter, Gauge, Histogram


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


KEY_CHECKS: Final = Counter("razvilka_gateway_key_checks_total", "API keys checked, by how it went.", ["outcome"])
REFUSALS_UNCOUNTED: Final = Counter(
    "razvilka_gateway_refusals_uncounted_total",
    "Refusals that the view of abuse lacks.",
)
REVOCATIONS: Final = Counter("razvilka_gateway_revocations_total", "Revocations heard of, by how.", ["source"])
LISTENING: Final = Gauge("razvilka_gateway_revocations_listening", "1 while revocations are heard at once.")
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
KNOWN_PROXIES: Final = Gauge(
    "razvilka_gateway_known_proxies", "Networks of proxies whose X-Forwarded-For is believed; 0 in production warns."
)
OAUTH_LIMITED: Final = Counter(
    "razvilka_gateway_oauth_limited_total",
    "Requests of OAuth endpoints and pages over the limit of an address.",
    ["limiter"],
)
