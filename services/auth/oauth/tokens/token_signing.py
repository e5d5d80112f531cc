"""Creates and signs the tokens of an answer; stores nothing."""

from __future__ import annotations

from servicekit.trust import jwt
from services.auth.oauth import metrics
from services.auth.oauth.domain.claims import (
    ACCESS_TOKEN_TYPE,
    ID_TOKEN_TYPE,
    AccessClaims,
    TokenTerms,
    access_claims,
    id_claims,
)
from services.auth.oauth.domain.client import GrantType
from services.auth.oauth.domain.scope_parameter import as_text
from services.auth.oauth.domain.token import Token
from services.auth.oauth.tokens.signing_keys import KeyRing
from services.auth.shared.domain.scope import Scope


class TokenSigner:
    """Signs access and ID tokens."""

    def __init__(self, ring: KeyRing, terms: TokenTerms) -> None:
        self._ring = ring
        self._terms = terms

    async def ready(self) -> jwt.Key:
        """Return the key to sign with; to be had before a code is used up.

        Raises:
            Unavailable: there is none now.
        """
        return await self._ring.signer()

    def make(
        self,
        key: jwt.Key,
        access: AccessClaims,
        grant_type: GrantType,
        *,
        refresh_token: str = "",
        nonce: str | None = None,
        issued_token_type: str = "",
    ) -> Token:
        """Return the answer's tokens; an ID token only when `openid` is in the scope."""
        access_token = jwt.sign(access_claims(access, self._terms), key, typ=ACCESS_TOKEN_TYPE)
        id_token = ""
        if Scope.OPENID in access.scopes:
            id_token = jwt.sign(id_claims(access, self._terms, access_token, nonce), key, typ=ID_TOKEN_TYPE)
        metrics.TOKENS.labels(grant_type.name.lower()).inc()
        return Token(
            access_token=access_token,
            expires_in_s=access.life_s(self._terms),
            scope=as_text(access.scopes),
            refresh_token=refresh_token,
            id_token=id_token,
            issued_token_type=issued_token_type,
            token_type="Bearer" if access.thumbprint is None else "DPoP",
        )
