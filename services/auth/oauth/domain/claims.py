"""The claims of access tokens (RFC 9068), ID tokens and /userinfo (OpenID Connect Core)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from services.auth.oauth.domain.assurance import acr_of, amr_of
from services.auth.oauth.domain.grant import Grant
from services.auth.oauth.domain.scope_parameter import as_text
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.delegation import earliest
from services.auth.shared.domain.scope import Scope
from services.auth.shared.domain.tier import Tier

ACCESS_TOKEN_TYPE: Final = "at+jwt"
ID_TOKEN_TYPE: Final = "JWT"


@dataclass(frozen=True, slots=True)
class TokenTerms:
    """Settings common to all our tokens."""

    issuer: str
    audience: str
    access_ttl_s: int


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """The claims of an access token. No personal data: every holder can read them (RFC 9068 6).

    `ends_at`: when what it was given for ends, if that is known. `thumbprint`: of the key that it is bound to.
    """

    grant: Grant
    scopes: frozenset[Scope]
    tier: Tier
    jti: str
    issued_at: datetime
    ends_at: datetime | None = None
    thumbprint: str | None = None

    def life_s(self, terms: TokenTerms) -> int:
        """Return the seconds that the token lives: never longer than its grant, or than what it was given for."""
        latest = self.issued_at + timedelta(seconds=terms.access_ttl_s)
        end = earliest(latest, self.grant.expires_at, self.ends_at) or latest
        return max(0, int((end - self.issued_at).total_seconds()))


def access_claims(access: AccessClaims, terms: TokenTerms) -> dict[str, Any]:
    """Return the claims of an access token. `gid` names the grant: one revocation ends all its tokens."""
    grant = access.grant
    claims: dict[str, Any] = {
        "iss": terms.issuer,
        "aud": terms.audience,
        "sub": grant.subject,
        "client_id": grant.client_id,
        "scope": as_text(access.scopes),
        "jti": access.jti,
        "gid": grant.id,
        "tier": access.tier.value,
        "iat": _seconds(access.issued_at),
        "exp": _seconds(access.issued_at) + access.life_s(terms),
    }
    claims |= _authentication(grant)
    if grant.session_id is not None:
        claims["sid"] = grant.session_id
    if access.thumbprint is not None:
        claims["cnf"] = {"jkt": access.thumbprint}
    return claims


def id_claims(access: AccessClaims, terms: TokenTerms, access_token: str, nonce: str | None) -> dict[str, Any]:
    """Return the claims of an ID token: for the client, not for the API, so its audience is the client."""
    claims: dict[str, Any] = {
        "iss": terms.issuer,
        "aud": access.grant.client_id,
        "sub": access.grant.subject,
        "iat": _seconds(access.issued_at),
        "exp": _seconds(access.issued_at) + access.life_s(terms),
        "at_hash": _half_hash(access_token),
    }
    claims |= _authentication(access.grant)
    if nonce is not None:
        claims["nonce"] = nonce
    return claims


def user_claims(account: Account, scopes: frozenset[Scope]) -> dict[str, Any]:
    """Return what /userinfo tells: as much as the scopes allow and is known (OpenID Connect Core 5.4)."""
    claims: dict[str, Any] = {"sub": account.id}
    if Scope.PROFILE in scopes:
        claims |= {
            "name": account.name or None,
            "locale": account.language,
            "zoneinfo": account.time_zone,
            "updated_at": _seconds(account.updated_at),
        }
    if Scope.EMAIL in scopes:
        claims |= {"email": account.email, "email_verified": account.email_verified_at is not None}
    return {name: value for name, value in claims.items() if value is not None}


def introspected(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return what introspection says of a live access token (RFC 7662 2.2)."""
    names = (
        *("iss", "aud", "sub", "client_id", "scope", "jti", "iat", "exp", "auth_time", "acr", "amr"),
        *("gid", "tier", "cnf"),
    )
    known = {name: claims[name] for name in names if name in claims}
    return {"active": True, "token_type": "DPoP" if "cnf" in claims else "Bearer"} | known


def _authentication(grant: Grant) -> dict[str, Any]:
    """When and how well its user proved who they are (RFC 9470 6); nothing where nobody did, or nobody knows."""
    if grant.authenticated_at is None:
        return {}
    proofs = {"acr": acr_of(grant.methods), "amr": amr_of(grant.methods)} if grant.methods else {}
    return {"auth_time": _seconds(grant.authenticated_at), **proofs}


def _half_hash(access_token: str) -> str:
    # OpenID Connect Core 3.1.3.6: the left half of the hash that belongs to RS256.
    return base64.urlsafe_b64encode(hashlib.sha256(access_token.encode()).digest()[:16]).rstrip(b"=").decode()


def _seconds(timestamp: datetime) -> int:
    return int(timestamp.timestamp())
