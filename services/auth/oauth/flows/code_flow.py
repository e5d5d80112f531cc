"""The core: a code is given, redeemed for a grant, refreshed, and ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound, Unauthenticated
from services.auth.oauth import metrics
from services.auth.oauth.audit_events import audit_event
from services.auth.oauth.domain.authorization import AuthorizationRequest
from services.auth.oauth.domain.claims import AccessClaims
from services.auth.oauth.domain.client import Client, GrantType
from services.auth.oauth.domain.code import AuthorizationCode
from services.auth.oauth.domain.grant import GRANT_OVER, Allowance, Grant, check_refreshable
from services.auth.oauth.domain.refusal import invalid_grant
from services.auth.oauth.domain.scope_parameter import as_text, parse_scope, still_granted
from services.auth.oauth.domain.token import SecretKind, Token, digest, is_a, new_secret
from services.auth.oauth.store.codes import CodeStore, Redeemed, Redemption, Replayed
from services.auth.oauth.store.grants import GrantStore
from services.auth.oauth.store.refresh_tokens import NewRefresh, RefreshStore, Reused, Rotated, Rotation
from services.auth.oauth.tokens.inspection import TokenReader
from services.auth.oauth.tokens.token_signing import TokenMint
from services.auth.shared.domain.audit import AuditAction, AuditEvent
from services.auth.shared.domain.person import People, Person
from services.auth.shared.domain.revocation import Revocation
from services.auth.shared.domain.session import Session
from services.auth.shared.revocation_feed import RevocationFeed


@dataclass(frozen=True, slots=True)
class Lives:
    """How long things last: a code, an unused refresh token, a grant."""

    code: timedelta
    refresh_idle: timedelta
    grant: timedelta


@dataclass(frozen=True, slots=True)
class OAuthStores:
    """Where the core keeps what it decides."""

    codes: CodeStore
    grants: GrantStore
    refresh: RefreshStore


class OAuthService:
    """Authorization codes, refresh tokens and their end."""

    def __init__(
        self,
        stores: OAuthStores,
        mint: TokenMint,
        reader: TokenReader,
        people: People,
        feed: RevocationFeed,
        *,
        lives: Lives,
        clock: Clock,
        new_id: Callable[[], UUID],
    ) -> None:
        self._stores = stores
        self._mint = mint
        self._reader = reader
        self._people = people
        self._feed = feed
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
        consent: Grant | None = None,
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
            NotFound: the client or the user is gone.
        """
        now = self._clock.now()
        code, grant_id = new_secret(SecretKind.CODE), str(self._new_id())
        stored = AuthorizationCode(
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
        )
        event = consent_event(stored, asked=consent is None)
        if not await self._stores.codes.insert(digest(code), stored, event):
            raise NotFound(ErrorReason.NOT_FOUND, "The application or the account is gone.")
        return request.reply_to.with_code(code)

    async def handle_callback(
        self, code: str, code_verifier: str, *, client: Client, redirect_uri: str | None
    ) -> Token:
        """Redeem a code, once: the use, the grant and its refresh token are stored in one transaction.

        Raises:
            OAuthRefusal: invalid_grant. A second use ends everything that came of the first.
        """
        if not is_a(SecretKind.CODE, code):
            raise invalid_grant("The code is not valid.")
        key, now, jti = await self._mint.ready(), self._clock.now(), str(self._new_id())
        refresh_token = new_secret(SecretKind.REFRESH_TOKEN) if client.may(GrantType.REFRESH_TOKEN) else ""
        redemption = Redemption(
            code_hash=digest(code),
            client_id=client.id,
            at=now,
            check=lambda stored: stored.check_redeemable(redirect_uri, code_verifier, now),
            make_grant=lambda stored: stored.becomes(now, self._lives.grant),
            refresh=self._new_refresh(refresh_token),
            event_of=lambda grant: issue_event(AuditAction.TOKEN_ISSUED, grant, now, jti),
        )
        outcome = await self._stores.codes.redeem(redemption, self._replay_event(client, now), self._until(now))
        if not isinstance(outcome, Redeemed):
            await self._announce_reuse("code", outcome.revocations if isinstance(outcome, Replayed) else None)
            raise invalid_grant("The code is not valid.")
        person = await self._person(outcome.grant)
        access = AccessClaims(
            outcome.grant, still_granted(outcome.grant.allowance.scopes, person), person.tier, jti, now
        )
        return self._mint.make(
            key, access, GrantType.AUTHORIZATION_CODE, refresh_token=refresh_token, nonce=outcome.nonce
        )

    async def refresh_token(self, refresh_token: str, *, client: Client, scope: str | None) -> Token:
        """Trade a refresh token for an access token and the next refresh token, which has the original scope.

        Raises:
            OAuthRefusal: invalid_grant, invalid_scope. A second use ends the grant with all its tokens.
        """
        if not is_a(SecretKind.REFRESH_TOKEN, refresh_token):
            raise invalid_grant("The refresh token is not valid.")
        wanted = parse_scope(scope) or None if scope is not None else None
        key, now, jti = await self._mint.ready(), self._clock.now(), str(self._new_id())
        successor = new_secret(SecretKind.REFRESH_TOKEN)
        rotation = Rotation(
            token_hash=digest(refresh_token),
            client_id=client.id,
            at=now,
            check=lambda grant: check_refreshable(grant, wanted, now),
            successor=NewRefresh(digest(successor), self._lives.refresh_idle),
            event_of=lambda grant: issue_event(AuditAction.TOKEN_REFRESHED, grant, now, jti),
        )
        outcome = await self._stores.refresh.rotate(rotation, self._reuse_event(client, now), self._until(now))
        if not isinstance(outcome, Rotated):
            await self._announce_reuse("refresh_token", outcome.revocations if isinstance(outcome, Reused) else None)
            raise invalid_grant("The refresh token is not valid.")
        metrics.REFRESHES.inc()
        person = await self._person(outcome.grant)
        scopes = still_granted(wanted or outcome.grant.allowance.scopes, person)
        access = AccessClaims(outcome.grant, scopes, person.tier, jti, now)
        return self._mint.make(key, access, GrantType.REFRESH_TOKEN, refresh_token=successor)

    async def revoke_token(self, token: str, *, client: Client) -> None:
        """End a client's own token; a refresh token takes its access tokens along. Anything else changes nothing.

        What the token is shows in its form, so no hint is needed to look in the right place.
        """
        now = self._clock.now()
        if is_a(SecretKind.REFRESH_TOKEN, token):
            stored = await self._stores.refresh.find(digest(token))
            if stored is not None and stored.client_id == client.id:
                await self.end_grant(stored.grant, client, now)
            return
        try:
            claims = await self._reader.read(token)
        except Unauthenticated:
            return
        if claims["client_id"] == client.id:
            await self._end_access_token(claims["jti"], datetime.fromtimestamp(claims["exp"], UTC), client, now)

    async def end_grant(self, grant: Grant, client: Client, now: datetime) -> None:
        """End a grant on every gateway. Doing it again changes nothing."""
        event = audit_event(AuditAction.GRANT_REVOKED, now, actor=f"client:{client.id}", subject=f"grant:{grant.id}")
        await self.announce(await self._stores.grants.end_one(grant.id, event, self._until(now)))

    async def announce(self, revocations: list[Revocation]) -> None:
        """Tell the gateways what ended."""
        for revocation in revocations:
            metrics.REVOCATIONS.labels(revocation.kind.value).inc()
            await self._feed.announce(revocation)

    async def _end_access_token(self, jti: str, expires_at: datetime, client: Client, now: datetime) -> None:
        event = audit_event(AuditAction.TOKEN_REVOKED, now, actor=f"client:{client.id}", subject=f"token:{jti}")
        until = max(expires_at, now) + timedelta(minutes=1)
        revocation = await self._stores.grants.end_token(jti, event, until)
        await self.announce([revocation] if revocation else [])

    async def _announce_reuse(self, what: str, revocations: list[Revocation] | None) -> None:
        if revocations is not None:
            metrics.REUSES.labels(what).inc()
            await self.announce(revocations)

    async def _person(self, grant: Grant) -> Person:
        person = await self._people.find(grant.user_id)
        if person is None:
            raise invalid_grant(GRANT_OVER)
        return person

    def _new_refresh(self, token: str) -> NewRefresh | None:
        return NewRefresh(digest(token), self._lives.refresh_idle) if token else None

    def _until(self, now: datetime) -> datetime:
        return self._feed.believed_until(now)

    def _replay_event(self, client: Client, now: datetime) -> Callable[[str], AuditEvent]:
        return lambda grant_id: audit_event(
            AuditAction.CODE_REPLAYED, now, actor=f"client:{client.id}", subject=f"grant:{grant_id}"
        )

    def _reuse_event(self, client: Client, now: datetime) -> Callable[[Grant], AuditEvent]:
        return lambda grant: audit_event(
            AuditAction.REFRESH_REUSED, now, actor=f"client:{client.id}", subject=f"grant:{grant.id}"
        )


def issue_event(action: AuditAction, grant: Grant, now: datetime, jti: str) -> AuditEvent:
    """Return the entry of an access token that was issued."""
    return audit_event(
        action,
        now,
        actor=f"client:{grant.client_id}",
        subject=f"grant:{grant.id}",
        jti=jti,
        user=grant.user_id,
        kind=grant.kind.value,
        scope=as_text(grant.allowance.scopes),
    )


def consent_event(code: AuthorizationCode, *, asked: bool) -> AuditEvent:
    """Return the entry of a code that was given; `asked` tells whether the user saw the question."""
    return audit_event(
        AuditAction.CONSENT_GIVEN,
        code.created_at,
        actor=f"user:{code.user_id}",
        subject=f"grant:{code.grant_id}",
        client_id=code.client_id,
        scope=as_text(code.allowance.scopes),
        asked="yes" if asked else "no",
    )
