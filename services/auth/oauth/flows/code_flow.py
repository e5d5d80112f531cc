"""The authorization code flow: issue and redeem codes, refresh and revoke grants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound, Unauthenticated
from servicekit.failpoints import failpoint
from services.auth.oauth import metrics
from services.auth.oauth.audit_events import consent_event, issue_event
from services.auth.oauth.domain.authorization import AuthorizationRequest
from services.auth.oauth.domain.claims import AccessClaims
from services.auth.oauth.domain.client import Client, GrantType
from services.auth.oauth.domain.code import AuthorizationCode
from services.auth.oauth.domain.grant import GRANT_OVER, Allowance, Grant, Lives, PartyGone, check_key, key_to_bind
from services.auth.oauth.domain.refusal import invalid_grant
from services.auth.oauth.domain.scope_parameter import parse_scope, still_granted
from services.auth.oauth.domain.token import SecretKind, Token, digest, is_a, new_secret
from services.auth.oauth.flows.refresh_rotation import Rotated, Trade, rotate
from services.auth.oauth.flows.token_ending import UsedBefore, end_access_token, end_grant, end_replayed
from services.auth.oauth.store.codes import insert_code, use_code
from services.auth.oauth.store.grant_rows import insert_grant
from services.auth.oauth.store.parties import is_barred
from services.auth.oauth.store.refresh_tokens import (
    NewRefresh,
    RefreshStore,
    insert_refresh,
)
from services.auth.oauth.tokens.inspection import TokenReader
from services.auth.oauth.tokens.token_signing import TokenSigner
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.delegation import earliest
from services.auth.shared.domain.session import Session
from services.auth.shared.store.accounts import AccountStore
from services.auth.shared.store.unit_of_work import UnitOfWork, UnitsOfWork


@dataclass(frozen=True, slots=True)
class _Redeemed:
    """The first use of a code."""

    grant: Grant
    nonce: str | None


class OAuthService:
    """Authorization codes, refresh tokens and their end."""

    def __init__(
        self,
        refresh_tokens: RefreshStore,
        token_signer: TokenSigner,
        reader: TokenReader,
        accounts: AccountStore,
        units: UnitsOfWork,
        *,
        lives: Lives,
        clock: Clock,
        new_id: Callable[[], UUID],
    ) -> None:
        self._refresh_tokens = refresh_tokens
        self._token_signer = token_signer
        self._reader = reader
        self._accounts = accounts
        self._units = units
        self._lives = lives
        self._clock = clock
        self._new_id = new_id

    async def initiate_auth(
        self,
        client_id: str,
        code_challenge: str,
        *,
        request: AuthorizationRequest,
        session: Session,
        allowance: Allowance,
        consent: Grant | None,
    ) -> str:
        """Give the client a code for what the user allowed; return where the browser takes it.

        Args:
            client_id: who gets the code.
            code_challenge: what only the redeemer's verifier fits.
            request: what was asked.
            session: who allowed it.
            allowance: what was allowed.
            consent: the grant that says so when nobody was asked this time.

        Raises:
            NotFound: the client or the user is gone, or another password was set meanwhile.
        """
        code = new_secret(SecretKind.CODE)
        stored = self._code(client_id, code_challenge, request, session, allowance, consent)

        async def insert(unit: UnitOfWork) -> None:
            await insert_code(unit.connection, digest(code), stored, epoch=session.epoch)
            unit.record(consent_event(stored, asked=consent is None))

        try:
            await self._units.run(insert)
        except PartyGone as exc:
            raise NotFound(ErrorReason.NOT_FOUND, "The application or the account is gone.") from exc
        return request.reply_to.with_code(code)

    def _code(
        self,
        client_id: str,
        code_challenge: str,
        request: AuthorizationRequest,
        session: Session,
        allowance: Allowance,
        consent: Grant | None,
    ) -> AuthorizationCode:
        now, grant_id = self._clock.now(), str(self._new_id())
        return AuthorizationCode(
            client_id=client_id,
            user_id=session.user_id,
            grant_id=grant_id,
            consent_id=consent.consent_id if consent else grant_id,
            redirect_uri=request.reply_to.redirect_uri,
            code_challenge=code_challenge,
            allowance=allowance,
            nonce=request.nonce,
            session_id=session.id,
            authenticated_at=session.authenticated_at,
            created_at=now,
            expires_at=now + self._lives.code,
            dpop_jkt=request.dpop_jkt,
            methods=session.methods,
        )

    async def handle_callback(
        self, code: str, code_verifier: str, *, client: Client, redirect_uri: str | None, thumbprint: str | None
    ) -> Token:
        """Redeem a code, once: the use, the grant and its refresh token are stored in one transaction.

        Raises:
            OAuthRefusal: invalid_grant. A second use ends everything that came of the first.
        """
        if not is_a(SecretKind.CODE, code):
            raise invalid_grant("The code is not valid.")
        key, now, jti = await self._token_signer.ready(), self._clock.now(), str(self._new_id())
        refresh_token = new_secret(SecretKind.REFRESH_TOKEN) if client.may(GrantType.REFRESH_TOKEN) else ""

        async def redeem(unit: UnitOfWork) -> _Redeemed | UsedBefore | None:
            stored = await use_code(unit.connection, digest(code), client.id, unit.at)
            if stored is None:
                return await end_replayed(unit, digest(code), client)
            stored.check_redeemable(redirect_uri, code_verifier, unit.at)
            check_key(stored.dpop_jkt, thumbprint)
            bound_to = key_to_bind(client, thumbprint)
            return await self._redeemed(unit, stored, client, refresh_token, jti, bound_to)

        outcome = await self._units.run(redeem)
        if not isinstance(outcome, _Redeemed):
            _count_reuse("code", outcome)
            raise invalid_grant("The code is not valid.")
        failpoint("auth.code_redeemed")
        account = await self._account(outcome.grant)
        scopes = still_granted(outcome.grant.allowance.scopes, account)
        access = AccessClaims(outcome.grant, scopes, account.tier, jti, now, thumbprint=thumbprint)
        kind = GrantType.AUTHORIZATION_CODE
        return self._token_signer.make(key, access, kind, refresh_token=refresh_token, nonce=outcome.nonce)

    async def _redeemed(
        self,
        unit: UnitOfWork,
        stored: AuthorizationCode,
        client: Client,
        refresh_token: str,
        jti: str,
        bound_to: str | None,
    ) -> _Redeemed:
        grant = stored.becomes(unit.at, earliest(unit.at + self._lives.grant, client.expires_at), bound_to)
        if await is_barred(unit.connection, grant.client_id, grant.user_id):
            raise invalid_grant(GRANT_OVER)
        await insert_grant(unit.connection, grant)
        if refresh_token:
            await insert_refresh(unit.connection, grant, self._new_refresh(refresh_token))
        unit.record(issue_event(AuditAction.TOKEN_ISSUED, grant, unit.at, jti))
        failpoint("auth.code_redeemed_before_commit")
        return _Redeemed(grant, stored.nonce)

    async def refresh_token(
        self, refresh_token: str, *, client: Client, scope: str | None, thumbprint: str | None
    ) -> Token:
        """Trade a refresh token for an access token and the next refresh token, which has the original scope.

        Raises:
            OAuthRefusal: invalid_grant, invalid_scope. A second use ends the grant with all its tokens, but for the
                grace in which it gives the same successor.
        """
        if not is_a(SecretKind.REFRESH_TOKEN, refresh_token):
            raise invalid_grant("The refresh token is not valid.")
        wanted = parse_scope(scope) or None if scope is not None else None
        key, now, jti = await self._token_signer.ready(), self._clock.now(), str(self._new_id())
        trade = Trade(refresh_token, client, wanted, jti, thumbprint)
        outcome = await self._units.run(lambda unit: rotate(unit, trade, self._lives))
        if not isinstance(outcome, Rotated):
            _count_reuse("refresh_token", outcome)
            raise invalid_grant("The refresh token is not valid.")
        failpoint("auth.refresh_rotated")
        metrics.REFRESHES.inc()
        account = await self._account(outcome.grant)
        scopes = still_granted(wanted or outcome.grant.allowance.scopes, account)
        access = AccessClaims(outcome.grant, scopes, account.tier, jti, now, thumbprint=thumbprint)
        return self._token_signer.make(key, access, GrantType.REFRESH_TOKEN, refresh_token=outcome.successor)

    async def revoke_token(self, token: str, *, client: Client) -> None:
        """End a client's own token; a refresh token takes its access tokens along. Anything else changes nothing.

        What the token is shows in its form, so no hint is needed to look in the right place.
        """
        if is_a(SecretKind.REFRESH_TOKEN, token):
            stored = await self._refresh_tokens.find(digest(token))
            if stored is not None and stored.client_id == client.id:
                metrics.count_ended(await self._units.run(partial(end_grant, stored.grant, client)))
            return
        try:
            claims = await self._reader.read(token)
        except Unauthenticated:
            return
        if claims["client_id"] == client.id:
            expires_at = datetime.fromtimestamp(claims["exp"], UTC)
            metrics.count_ended(await self._units.run(partial(end_access_token, claims["jti"], expires_at, client)))

    async def _account(self, grant: Grant) -> Account:
        account = await self._accounts.find_usable(grant.user_id)
        if account is None:
            raise invalid_grant(GRANT_OVER)
        return account

    def _new_refresh(self, token: str) -> NewRefresh:
        return NewRefresh(digest(token), self._lives.refresh_idle)


def _count_reuse(what: str, outcome: UsedBefore | None) -> None:
    if outcome is not None:
        metrics.REUSES.labels(what).inc()
        metrics.count_ended(outcome.ended)
