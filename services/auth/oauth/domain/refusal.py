"""OAuth error responses (RFC 6749 4.1.2.1 and 5.2)."""

from __future__ import annotations

from enum import StrEnum


class OAuthError(StrEnum):
    """The OAuth error codes that we use."""

    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    INVALID_SCOPE = "invalid_scope"
    ACCESS_DENIED = "access_denied"
    LOGIN_REQUIRED = "login_required"
    UNMET_AUTHENTICATION = "unmet_authentication_requirements"
    CONSENT_REQUIRED = "consent_required"
    REQUEST_NOT_SUPPORTED = "request_not_supported"
    REQUEST_URI_NOT_SUPPORTED = "request_uri_not_supported"
    REGISTRATION_NOT_SUPPORTED = "registration_not_supported"
    AUTHORIZATION_PENDING = "authorization_pending"
    SLOW_DOWN = "slow_down"
    EXPIRED_TOKEN = "expired_token"
    INVALID_TOKEN = "invalid_token"
    INVALID_REDIRECT_URI = "invalid_redirect_uri"
    INVALID_CLIENT_METADATA = "invalid_client_metadata"
    INVALID_DPOP_PROOF = "invalid_dpop_proof"
    USE_DPOP_NONCE = "use_dpop_nonce"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"


class OAuthRefusal(Exception):
    """An OAuth error; caught where the answer is built.

    Args:
        error: the code.
        description: a sentence of ours for the client's developer. Never a piece of the request: it goes into headers,
            URLs and logs, where RFC 6749 allows printable ASCII without quotes and backslashes only.
        http_status: of a direct answer; redirects don't use it.
        challenge_basic: the client tried the Authorization header, so the answer names the scheme.
        retry_after_s: when to come again; 0: no need to say.
    """

    def __init__(
        self,
        error: OAuthError,
        description: str,
        *,
        http_status: int = 400,
        challenge_basic: bool = False,
        retry_after_s: int = 0,
    ) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.http_status = http_status
        self.challenge_basic = challenge_basic
        self.retry_after_s = retry_after_s


def invalid_request(description: str) -> OAuthRefusal:
    """Return the refusal of a malformed request."""
    return OAuthRefusal(OAuthError.INVALID_REQUEST, description)


def invalid_grant(description: str) -> OAuthRefusal:
    """Return the refusal of a code, refresh token or device code."""
    return OAuthRefusal(OAuthError.INVALID_GRANT, description)


def invalid_scope(description: str) -> OAuthRefusal:
    """Return the refusal of a scope."""
    return OAuthRefusal(OAuthError.INVALID_SCOPE, description)
