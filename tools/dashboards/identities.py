"""The board of identities: who asks for access, who gets it, who tries what he should not."""

from __future__ import annotations

from typing import Final

from tools.dashboards.board import Board, Row, at_least, graph, number, quantiles, rate_by

_ASKING: Final = Row(
    "Applications ask for access",
    (
        graph(
            "Authorization requests",
            "How many ask, and what becomes of it: login, consent, a code, an error?",
            rate_by("razvilka_auth_oauth_authorisations_total", "outcome"),
        ),
        graph(
            "Consents",
            "Do people agree to what applications ask for?",
            rate_by("razvilka_auth_oauth_consents_total", "decision"),
        ),
        graph(
            "Access tokens issued",
            "By which grants do applications get tokens?",
            rate_by("razvilka_auth_oauth_tokens_issued_total", "grant_type"),
        ),
        graph(
            "Refusals of the token endpoint",
            "What do applications do wrong?",
            rate_by("razvilka_auth_oauth_token_errors_total", "error"),
        ),
    ),
)
_KEEPING: Final = Row(
    "Access goes on, and ends",
    (
        graph(
            "Refreshes, and reuse",
            "Are refresh tokens traded once, or does somebody present one again?",
            ("sum(rate(razvilka_auth_oauth_refreshes_total[$__rate_interval]))", "traded"),
            ("sum by (what) (rate(razvilka_auth_oauth_reuse_detected_total[$__rate_interval]))", "again: {{what}}"),
        ),
        graph(
            "Revocations",
            "What is ended early: grants, tokens, clients, keys?",
            rate_by("razvilka_auth_oauth_revocations_total", "kind"),
        ),
        graph(
            "Reach of a revocation",
            "How long is something believed after it was revoked?",
            *quantiles("razvilka_gateway_revocation_seconds", "source", of=(0.5, 0.99)),
            unit="s",
        ),
        graph(
            "Revocations on their way",
            "Does any wait to be told to the gateways, and do all gateways listen?",
            ("max(razvilka_auth_revocations_waiting)", "waiting"),
            ("min(razvilka_gateway_revocations_listening)", "all listen"),
        ),
    ),
)
_PEOPLE: Final = Row(
    "People",
    (
        graph("Logins", "Do people get in, and who does not?", rate_by("razvilka_auth_logins_total", "outcome")),
        graph(
            "Guesses refused",
            "Does somebody guess passwords, and which limit stops him?",
            rate_by("razvilka_auth_guesses_refused_total", "dimension"),
            only_after="so many wrong passwords that a limit refuses the next without looking",
        ),
        number("Sessions", "How many are logged in?", "max(razvilka_auth_active_sessions)"),
        number(
            "Published keys",
            "How many public keys verify tokens now?",
            "max(razvilka_auth_oauth_jwks_keys)",
            limit=at_least(1),
        ),
    ),
)
_CREDENTIALS: Final = Row(
    "Credentials at the edge",
    (
        graph(
            "API keys by pepper",
            "How many keys are there, and can the former pepper be forgotten?",
            ("max by (pepper) (razvilka_auth_active_keys)", "{{pepper}}"),
        ),
        graph(
            "Keys checked",
            "Are keys known at the gateway, asked for, refused, or believed while auth is away?",
            rate_by("razvilka_gateway_key_checks_total", "outcome"),
        ),
        graph(
            "Access tokens checked",
            "The same of access tokens.",
            rate_by("razvilka_gateway_token_checks_total", "outcome"),
        ),
        number(
            "Audit log",
            "Is every row of the audit log the successor of the one before (1), or was one changed (0)?",
            "min(razvilka_auth_audit_chain_intact)",
            limit=at_least(1),
        ),
    ),
)
BOARD: Final = Board(
    "razvilka-oauth",
    "Razvilka: OAuth and identities",
    "Authorizations, consents, tokens, revocations and logins.",
    (_ASKING, _KEEPING, _PEOPLE, _CREDENTIALS),
)
