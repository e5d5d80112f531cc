"""Metrics of accounts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

USERS_CREATED = Counter("razvilka_auth_users_created_total", "Accounts registered.")
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
PASSWORD_CHANGES = Counter(
    "razvilka_auth_password_changes_total",
    "Passwords set, by way: change, reset, claim (the first one of an account moved from 1.0).",
    ["way"],
)
ACTIVE_SESSIONS = Gauge("razvilka_auth_active_sessions", "Login sessions that are live.")
MAILS = Counter(
    "razvilka_auth_mails_total",
    "Mails by kind and outcome: sent, failed (tried again), refused, unneeded (nobody has the address), given_up.",
    ["kind", "outcome"],
)
USERS_DELETED = Counter("razvilka_auth_users_deleted_total", "Accounts deleted by their holders.")
