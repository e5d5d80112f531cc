"""What auth counts as a whole. RPCs are counted and timed by the kit (`razvilka_rpc_server_seconds`)."""

from __future__ import annotations

import math

from prometheus_client import Counter, Gauge, Histogram

REVOCATION_PUBLISH_SECONDS = Histogram(
    "razvilka_auth_revocation_publish_seconds",
    "Seconds from a revocation until the gateways were told.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)
REVOCATIONS_WAITING = Gauge(
    "razvilka_auth_revocations_waiting", "Revocations that the gateways have not been told (at most 1,000 are counted)."
)
AUDIT_CHAIN_INTACT = Gauge(
    "razvilka_auth_audit_chain_intact",
    "1 while every row of the audit log follows from the one before, else 0; NaN before the first check.",
)
# Not 0: a database that is away at the start would ring the alarm of a broken chain.
AUDIT_CHAIN_INTACT.set(math.nan)
AUDIT_ROWS_CHECKED = Gauge("razvilka_auth_audit_rows_checked", "Number of the last audit row that was checked.")
UPKEEP_FAILURES = Counter("razvilka_auth_upkeep_failures_total", "Background jobs that failed, by task.", ["task"])
