"""Whether a token is valid now: for introspection, /userinfo and revocation."""

from __future__ import annotations

from typing import Any, Final

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, PermissionDenied, Unauthenticated
from servicekit.trust import jwt
from services.auth.oauth.domain.claims import ACCESS_TOKEN_TYPE, TokenTerms, introspected, user_claims
from services.auth.oauth.domain.client import Client
from services.auth.oauth.domain.grant import Grant
from services.auth.oauth.domain.scope_parameter import as_text, still_granted
from services.auth.oauth.domain.token import SecretKind, digest, is_a
from services.auth.oauth.store.grants import GrantStore
from services.auth.oauth.store.refresh_tokens import RefreshStore
from services.auth.oauth.tokens.signing_keys import KeyRing
from services.auth.shared.domain.scope import Scope, known_scopes
from services.auth.shared.store.accounts import AccountStore

REQUIRED: Final = frozenset({"iss", "aud", "sub", "client_id", "scope", "jti", "gid", "iat", "exp"})
INACTIVE: Final[dict[str, Any]] = {"active": False}


class TokenReader:
    """Verifies our access tokens, and looks up whether they are still valid."""

    def __init__(
        self, ring: KeyRing, grants: GrantStore, accounts: AccountStore, terms: TokenTerms, *, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._ring = ring
        self._grants = grants
        self._clock = clock
        # No leeway: what has expired is over here first of all. That another replica's clock is ahead is no fault.
        self._expected = jwt.Expected(
            types=frozenset({ACCESS_TOKEN_TYPE}),
            issuer=terms.issuer,
            audience=terms.audience,
            required=REQUIRED,
            leeway_s=0,
        )

    async def read(self, token: str) -> dict[str, Any]:
        """Return the claims of an access token, whether or not it was revoked.

        Raises:
            Unauthenticated: it is no access token of ours, or it expired.
        """
        return await self._ring.verify(token, self._expected)

    async def read_live(self, token: str) -> dict[str, Any]:
        """Return the claims of an access token that counts now, with the scopes that it still has.

        Raises:
            Unauthenticated: it does not.
        """
        claims, _, scopes = await self.read_with_grant(token)
        return claims | {"scope": as_text(scopes)}

    async def read_with_grant(self, token: str) -> tuple[dict[str, Any], Grant, frozenset[Scope]]:
        """Return the claims of an access token that counts now, the grant it came of, and the scopes it still has.

        Raises:
            Unauthenticated: it does not.
        """
        claims, now = await self.read(token), self._clock.now()
        grant = await self._grants.find(claims["gid"])
        if grant is None or not grant.is_live(now) or await self._grants.is_token_revoked(claims["jti"], now):
            raise Unauthenticated(ErrorReason.INVALID_TOKEN, "The token is not valid.")
        account = await self._accounts.find_usable(grant.user_id)
        if account is None:
            raise Unauthenticated(ErrorReason.INVALID_TOKEN, "The token is not valid.")
        given = known_scopes(claims["scope"].split()) & grant.allowance.scopes
        return claims, grant, still_granted(given, account)


class Inspection:
    """Introspection and /userinfo."""

    def __init__(self, reader: TokenReader, refresh: RefreshStore, accounts: AccountStore, *, clock: Clock) -> None:
        self._reader = reader
        self._refresh = refresh
        self._accounts = accounts
        self._clock = clock

    async def introspect(self, token: str, asker: Client) -> dict[str, Any]:
        """Return what the asker may know of a token; of anything that is not alive only that it is not."""
        if is_a(SecretKind.REFRESH_TOKEN, token):
            return await self._introspect_refresh(token, asker)
        try:
            return introspected(await self._reader.read_live(token))
        except Unauthenticated:
            return INACTIVE

    async def _introspect_refresh(self, token: str, asker: Client) -> dict[str, Any]:
        stored = await self._refresh.find(digest(token))
        # A refresh token is nobody's business but its client's.
        if stored is None or stored.client_id != asker.id or not stored.is_live(self._clock.now()):
            return INACTIVE
        account = await self._accounts.find_usable(stored.grant.user_id)
        if account is None:
            return INACTIVE
        return {
            "active": True,
            "client_id": stored.client_id,
            "sub": stored.grant.subject,
            "scope": as_text(still_granted(stored.grant.allowance.scopes, account)),
            "gid": stored.grant.id,
            "iat": int(stored.created_at.timestamp()),
            "exp": int(stored.expires_at.timestamp()),
        }

    async def user_info(self, access_token: str) -> tuple[dict[str, Any], str]:
        """Return the claims of a token's user, and the thumbprint of the key that the token is bound to ("": none).

        Raises:
            Unauthenticated: the token does not count.
            PermissionDenied: it lacks the scope openid.
        """
        claims = await self._reader.read_live(access_token)
        scopes = known_scopes(claims["scope"].split())
        if Scope.OPENID not in scopes:
            raise PermissionDenied(
                ErrorReason.INSUFFICIENT_SCOPE,
                "This needs the scope openid.",
                details={"required_scope": Scope.OPENID.value},
            )
        account = await self._accounts.find_usable(claims["sub"])
        if account is None:
            raise Unauthenticated(ErrorReason.INVALID_TOKEN, "The token is not valid.")
        return user_claims(account, scopes), str(claims.get("cnf", {}).get("jkt", ""))
