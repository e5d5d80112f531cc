"""What auth counts. RPCs are counted and timed by the kit (`razvilka_rpc_server_seconds`)."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

USERS_CREATED = Counter("razvilka_auth_users_created_total", "Accounts registered.")
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
REVOCATION_PUBLISH_SECONDS = Histogram(
    "razvilka_auth_revocation_publish_seconds",
    "Seconds from a revocation until the gateways were told.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)
REVOCATIONS_WAITING = Gauge(
    "razvilka_auth_revocations_waiting", "Revocations that the gateways have not been told (at most 1,000 are counted)."
)
AUDIT_CHAIN_INTACT = Gauge(
    "razvilka_auth_audit_chain_intact", "1 while every row of the audit log follows from the one before, else 0."
)
AUDIT_ROWS_CHECKED = Gauge("razvilka_auth_audit_rows_checked", "Number of the last audit row that was checked.")
UPKEEP_FAILURES = Counter("razvilka_auth_upkeep_failures_total", "Background jobs that failed, by job.", ["job"])
LOGINS = Counter(
    "razvilka_auth_logins_total",
    "Attempts to log in, by outcome: success, wrong_password, second_factor_required, wrong_code, limited, "
    "external_denied.",
    ["outcome"],
)
GUESSES_REFUSED = Counter(
    "razvilka_auth_guesses_refused_total",
    "Attempts at a secret that were not looked at, by the counter that refused: pair, account, ip, network.",
    ["dimension"],
)
PASSWORD_HASHES_REFUSED = Counter(
    "razvilka_auth_password_hashes_refused_total", "Passwords not looked at because too many were waiting."
)
PASSWORD_CHANGES = Counter("razvilka_auth_password_changes_total", "Passwords set, by way: change, reset.", ["way"])
ACTIVE_SESSIONS = Gauge("razvilka_auth_active_sessions", "Login sessions that are live.")
MAILS = Counter(
    "razvilka_auth_mails_total",
    "Mails by kind and outcome: sent, failed (tried again), refused, unneeded (nobody has the address), given_up.",
    ["kind", "outcome"],
)
USERS_DELETED = Counter("razvilka_auth_users_deleted_total", "Accounts deleted by their holders.")
