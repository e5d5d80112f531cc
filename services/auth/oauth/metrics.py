"""Metrics of the authorization server."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge

from services.auth.shared.domain.revocation import Revocation

AUTHORISATIONS = Counter(
    "razvilka_auth_oauth_authorisations_total",
    "Authorization requests, by what came of them: login, consent, code, error, page (an error not redirected).",
    ["outcome"],
)
CONSENTS = Counter("razvilka_auth_oauth_consents_total", "Decisions of users: given, denied.", ["decision"])
TOKENS = Counter("razvilka_auth_oauth_tokens_issued_total", "Access tokens issued, by grant type.", ["grant_type"])
TOKEN_ERRORS = Counter("razvilka_auth_oauth_token_errors_total", "Refusals of the token endpoint, by error.", ["error"])
REFRESHES = Counter("razvilka_auth_oauth_refreshes_total", "Refresh tokens traded for their successors.")
REUSES = Counter(
    "razvilka_auth_oauth_reuse_detected_total", "Codes and refresh tokens presented a second time.", ["what"]
)
# There from the start: of a counter that begins with 1 Prometheus sees no increase.
for _what in ("code", "refresh_token"):
    REUSES.labels(_what)
REVOCATIONS = Counter("razvilka_auth_oauth_revocations_total", "Grants, tokens and clients ended early.", ["kind"])
JWKS_AGE = Gauge("razvilka_auth_oauth_jwks_age_seconds", "Seconds since the key that signs now began to sign.")
JWKS_KEYS = Gauge("razvilka_auth_oauth_jwks_keys", "Public keys that are published.")
CLIENTS_REGISTERED = Counter(
    "razvilka_auth_oauth_clients_registered_total", "Applications, by who registered them.", ["how"]
)

CLIENTS_LIMITED = Counter(
    "razvilka_auth_oauth_client_limited_total", "Requests of applications over the limit of one application."
)


def count_ended(revocations: Iterable[Revocation]) -> None:
    """Count what a committed unit of work ended."""
    for revocation in revocations:
        REVOCATIONS.labels(str(revocation.kind)).inc()
