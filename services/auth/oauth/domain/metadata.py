"""Server metadata (RFC 8414, OpenID Connect Discovery): no member is null or empty."""

from __future__ import annotations

from typing import Any, Final

from servicekit.trust.dpop import ALGORITHMS as DPOP_ALGORITHMS
from services.auth.oauth.domain.assurance import LEVELS
from services.auth.oauth.domain.claims import TokenTerms
from services.auth.oauth.domain.client import AuthMethod, GrantType
from services.auth.shared.domain.scope import Scope

SIGNING_ALGORITHM: Final = "RS256"
CLAIMS: Final = [
    "sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce", "at_hash",
    "name", "locale", "zoneinfo", "updated_at", "email", "email_verified",
]  # fmt: skip


def server_metadata(terms: TokenTerms, *, registration: bool, exchange: bool) -> dict[str, Any]:
    """Return the metadata document; both well-known addresses serve it.

    Args:
        terms: issuer and audience.
        registration: whether clients may register themselves.
        exchange: whether tokens of release 1.0 are still taken.
    """
    issuer = terms.issuer
    confidential = [AuthMethod.BASIC, AuthMethod.POST]
    grant_types = [kind for kind in GrantType if exchange or kind is not GrantType.TOKEN_EXCHANGE]
    document: dict[str, Any] = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "revocation_endpoint": f"{issuer}/revoke",
        "introspection_endpoint": f"{issuer}/introspect",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "device_authorization_endpoint": f"{issuer}/device_authorization",
        "pushed_authorization_request_endpoint": f"{issuer}/par",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "scopes_supported": list(Scope),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": grant_types,
        "token_endpoint_auth_methods_supported": [*confidential, AuthMethod.NONE],
        "revocation_endpoint_auth_methods_supported": [*confidential, AuthMethod.NONE],
        "introspection_endpoint_auth_methods_supported": confidential,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [SIGNING_ALGORITHM],
        "claims_supported": CLAIMS,
        "acr_values_supported": list(LEVELS),
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "ui_locales_supported": ["ru", "en"],
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "require_pushed_authorization_requests": False,
        "claims_parameter_supported": False,
        "dpop_signing_alg_values_supported": list(DPOP_ALGORITHMS),
    }
    if registration:
        document["registration_endpoint"] = f"{issuer}/register"
    return document
