"""What a verified access token says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from servicekit.errors import ErrorReason, Unauthenticated
from servicekit.trust.dpop import is_thumbprint
from services.gateway.identity.key_sets import LEEWAY_S


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a verified token says."""

    jti: str
    grant_id: str
    session_id: str
    client_id: str
    user_id: str
    scopes: frozenset[str]
    expires_at_s: float
    thumbprint: str = ""
    authenticated_at_s: float | None = None


def token_of(claims: dict[str, Any]) -> AccessToken:
    """Return the token of verified claims.

    Raises:
        Unauthenticated: they are not those of an access token.
    """
    texts = {name: claims.get(name, "") for name in ("jti", "gid", "sid", "client_id", "sub", "scope")}
    if not all(isinstance(value, str) for value in texts.values()) or not (texts["jti"] and texts["gid"]):
        raise invalid_token()
    return AccessToken(
        jti=texts["jti"],
        grant_id=texts["gid"],
        session_id=texts["sid"],
        client_id=texts["client_id"],
        # A client that acts in its own name is its own subject (RFC 9068 2.2).
        user_id="" if texts["sub"] == texts["client_id"] else texts["sub"],
        scopes=frozenset(texts["scope"].split()),
        expires_at_s=float(claims["exp"]) + LEEWAY_S,
        thumbprint=_thumbprint(claims.get("cnf")),
        authenticated_at_s=_moment(claims.get("auth_time")),
    )


def _moment(auth_time: object) -> float | None:
    if auth_time is None:
        return None
    if isinstance(auth_time, bool) or not isinstance(auth_time, int | float):
        raise invalid_token()
    return float(auth_time)


def _thumbprint(confirmation: object) -> str:
    # RFC 9449 6.1. Bound in a way that we don't know is bound all the same: no bearer token.
    if confirmation is None:
        return ""
    thumbprint = confirmation.get("jkt") if isinstance(confirmation, dict) else None
    if not isinstance(thumbprint, str) or not is_thumbprint(thumbprint):
        raise invalid_token()
    return thumbprint


def invalid_token() -> Unauthenticated:
    """Return the one refusal of tokens: why is nobody's business."""
    return Unauthenticated(ErrorReason.INVALID_TOKEN, "The token is not valid.")
