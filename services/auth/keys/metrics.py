"""Metrics of API keys."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

KEYS_ISSUED = Counter("razvilka_auth_keys_issued_total", "API keys issued.")
KEYS_REVOKED = Counter("razvilka_auth_keys_revoked_total", "API keys revoked.")
KEYS_REHASHED = Counter(
    "razvilka_auth_keys_rehashed_total", "API keys moved from release 1.0's hash or an earlier pepper to the current."
)
VERIFICATIONS = Counter(
    "razvilka_auth_key_verifications_total",
    "API keys verified, by outcome: valid, mistyped, unknown, revoked, expired.",
    ["outcome"],
)
ACTIVE_KEYS = Gauge(
    "razvilka_auth_active_keys",
    "API keys that are not revoked, by what they are hashed with: current, previous, legacy (release 1.0), "
    "lost (a pepper this service does not have: they cannot be verified).",
    ["pepper"],
)
