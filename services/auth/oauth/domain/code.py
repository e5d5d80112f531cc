"""Authorization codes: what they are bound to, and what must match on redemption."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.auth.oauth.domain import pkce
from services.auth.oauth.domain.grant import Allowance, Grant, GrantKind
from services.auth.oauth.domain.refusal import invalid_grant


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """The data behind a code; only the client has the code itself."""

    client_id: str
    user_id: str
    grant_id: str
    consent_id: str
    redirect_uri: str
    code_challenge: str
    allowance: Allowance
    nonce: str | None
    session_id: str | None
    authenticated_at: datetime
    created_at: datetime
    expires_at: datetime
    dpop_jkt: str | None = None
    methods: tuple[str, ...] = ()

    def check_redeemable(self, redirect_uri: str | None, code_verifier: str, now: datetime) -> None:
        """Refuse who cannot be the one that asked for this code.

        A redirect_uri may be left out, as OAuth 2.1 has it: PKCE binds more tightly. A different one is refused.

        Raises:
            OAuthRefusal: invalid_grant.
        """
        if now >= self.expires_at:
            raise invalid_grant("The code has expired.")
        if redirect_uri is not None and redirect_uri != self.redirect_uri:
            raise invalid_grant("The redirect_uri is not that of the authorization request.")
        pkce.check_verifier(code_verifier, self.code_challenge)

    def becomes(self, now: datetime, ends_at: datetime | None, dpop_jkt: str | None) -> Grant:
        """Return the grant that redeeming it makes, its refresh tokens bound to a key or not."""
        return Grant(
            id=self.grant_id,
            kind=GrantKind.AUTHORIZATION_CODE,
            client_id=self.client_id,
            user_id=self.user_id,
            consent_id=self.consent_id,
            allowance=self.allowance,
            session_id=self.session_id,
            authenticated_at=self.authenticated_at,
            created_at=now,
            expires_at=ends_at,
            last_used_at=now,
            dpop_jkt=dpop_jkt,
            methods=self.methods,
        )
