"""The device flow (RFC 8628): a device shows a code, its user enters it elsewhere, the device gets its tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound, QuotaExceeded, Unavailable
from servicekit.failpoints import failpoint
from services.auth.oauth import metrics
from services.auth.oauth.audit_events import audit_event, current_address, issue_event
from services.auth.oauth.cache.device_guesses import GuessCounter
from services.auth.oauth.cache.devices import DeviceCache
from services.auth.oauth.clients import Clients
from services.auth.oauth.domain.claims import AccessClaims
from services.auth.oauth.domain.client import Client, GrantType
from services.auth.oauth.domain.device import (
    DeviceDecision,
    DeviceFlow,
    DeviceTerms,
    new_user_code,
    read_user_code,
    shown,
)
from services.auth.oauth.domain.grant import (
    GRANT_OVER,
    Allowance,
    Grant,
    GrantKind,
    Lives,
    PartyGone,
    granted,
    key_to_bind,
)
from services.auth.oauth.domain.refusal import OAuthError, OAuthRefusal, invalid_grant
from services.auth.oauth.domain.scope_parameter import as_text, scopes_for, still_granted
from services.auth.oauth.domain.token import SecretKind, Token, digest, is_a, new_secret
from services.auth.oauth.store.grant_rows import insert_grant
from services.auth.oauth.store.grants import GrantStore
from services.auth.oauth.store.parties import hold_epoch, is_barred
from services.auth.oauth.store.refresh_tokens import NewRefresh, insert_refresh
from services.auth.oauth.tokens.token_signing import TokenSigner
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.bounds import Bounds, check_room
from services.auth.shared.domain.delegation import earliest
from services.auth.shared.domain.origin import host_of
from services.auth.shared.domain.scope import Scope
from services.auth.shared.domain.session import Session, Sessions
from services.auth.shared.store.accounts import AccountStore
from services.auth.shared.store.unit_of_work import UnitOfWork, UnitsOfWork

# A user code that is taken is unlikely even once.
ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """The request behind a user code."""

    flow: DeviceFlow
    client: Client
    session: Session | None


class DeviceFlows:
    """Use cases of devices."""

    def __init__(
        self,
        cache: DeviceCache,
        grants: GrantStore,
        guesses: GuessCounter,
        units: UnitsOfWork,
        clients: Clients,
        sessions: Sessions,
        accounts: AccountStore,
        token_signer: TokenSigner,
        *,
        bounds: Bounds,
        terms: DeviceTerms,
        lives: Lives,
        clock: Clock,
        new_id: Callable[[], UUID],
    ) -> None:
        self._cache = cache
        self._grants = grants
        self._bounds = bounds
        self._guesses = guesses
        self._units = units
        self._clients = clients
        self._sessions = sessions
        self._accounts = accounts
        self._token_signer = token_signer
        self._terms = terms
        self._lives = lives
        self._clock = clock
        self._new_id = new_id

    async def start(self, client: Client, scope: str | None) -> dict[str, Any]:
        """Return the codes of a new device (RFC 8628 3.2).

        Raises:
            OAuthRefusal: unauthorized_client, invalid_scope.
        """
        if not client.may(GrantType.DEVICE_CODE):
            raise OAuthRefusal(OAuthError.UNAUTHORIZED_CLIENT, "This client may not use device codes.")
        scopes = scopes_for(scope, client.scopes)
        expires_at = self._clock.now() + timedelta(seconds=self._terms.ttl_s)
        device_code = new_secret(SecretKind.DEVICE_CODE)
        for _ in range(ATTEMPTS):
            flow = DeviceFlow(client.id, scopes, new_user_code(), str(self._new_id()), expires_at)
            if await self._cache.put(device_code, flow):
                return self._answer(device_code, flow)
        raise Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "No code is free. Try again.", retry_after_s=1.0)

    async def find(self, typed: str, session_secret: str) -> FoundDevice:
        """Return what a user code asks for.

        Raises:
            NotFound: no device shows it.
            QuotaExceeded: this address or account has guessed too often.
        """
        _, found = await self._find(typed, await self._session(session_secret))
        return found

    async def decide(self, typed: str, session_secret: str, *, approved: bool, allowance: Allowance) -> None:
        """Let the device in, or not; the first decision counts.

        Raises:
            NotFound: no device shows this code, nobody is logged in, or it was decided already.
            Conflict: the user has let in as many as there may be.
            QuotaExceeded: this address or account has guessed too often.
        """
        session = await self._session(session_secret)
        if session is None:
            raise _no_such_device()
        name, found = await self._find(typed, session)
        if approved:
            there = await self._grants.count_live(session.user_id, self._clock.now())
            check_room(there, self._bounds.grants, "authorizations")
        scopes = found.flow.scopes if session.is_admin else found.flow.scopes - {Scope.ADMIN}
        scopes = scopes & allowance.scopes if allowance.scopes else scopes
        decision = DeviceDecision(
            approved=approved and bool(scopes),
            user_id=session.user_id,
            authenticated_at=session.authenticated_at,
            allowance=Allowance(scopes, allowance.models, allowance.budget),
            methods=session.methods,
            epoch=session.epoch,
        )
        if not await self._cache.decide(name, decision):
            raise _no_such_device()
        action = AuditAction.CONSENT_GIVEN if decision.approved else AuditAction.CONSENT_DENIED
        metrics.CONSENTS.labels("given" if decision.approved else "denied").inc()
        event = audit_event(
            action,
            self._clock.now(),
            actor=f"user:{session.user_id}",
            subject=f"grant:{found.flow.grant_id}",
            client_id=found.client.id,
            scope=as_text(scopes),
        )
        await self._units.record(event)

    async def redeem(self, device_code: str, client: Client, thumbprint: str | None) -> Token:
        """Return the device's tokens once its user has let it in.

        Raises:
            OAuthRefusal: authorization_pending, slow_down, access_denied, expired_token, invalid_grant.
        """
        now = self._clock.now()
        flow = await self._cache.find(device_code) if is_a(SecretKind.DEVICE_CODE, device_code) else None
        if flow is None or flow.client_id != client.id:
            raise invalid_grant("The device code is not valid.")
        if now >= flow.expires_at:
            raise OAuthRefusal(OAuthError.EXPIRED_TOKEN, "The device code has expired.")
        await self._check_pace(device_code)
        decision = await self._cache.decision(device_code)
        if decision is None:
            raise OAuthRefusal(OAuthError.AUTHORIZATION_PENDING, "The user has not decided yet.")
        if not decision.approved:
            await self._cache.drop(device_code, flow)
            raise OAuthRefusal(OAuthError.ACCESS_DENIED, "The user said no.")
        token = await self._issue(flow, decision, client, thumbprint)
        await self._cache.drop(device_code, flow)
        return token

    async def _issue(self, flow: DeviceFlow, decision: DeviceDecision, client: Client, thumbprint: str | None) -> Token:
        key, now, jti = await self._token_signer.ready(), self._clock.now(), str(self._new_id())
        account = await self._accounts.find_usable(decision.user_id)
        grant = replace(self._grant(flow, decision, client), dpop_jkt=key_to_bind(client, thumbprint))
        refresh_token = new_secret(SecretKind.REFRESH_TOKEN) if client.may(GrantType.REFRESH_TOKEN) else ""
        refresh = NewRefresh(digest(refresh_token), self._lives.refresh_idle) if refresh_token else None
        if account is None:
            raise invalid_grant(GRANT_OVER)
        scopes = still_granted(grant.allowance.scopes, account)
        granted(client, replace(grant.allowance, scopes=scopes), in_its_own_name=False, owner_is_admin=account.is_admin)
        if not await self._store_once(grant, refresh, jti, decision.epoch):
            raise invalid_grant(GRANT_OVER)
        access = AccessClaims(grant, scopes, account.tier, jti, now, thumbprint=thumbprint)
        return self._token_signer.make(key, access, GrantType.DEVICE_CODE, refresh_token=refresh_token)

    async def _store_once(self, grant: Grant, refresh: NewRefresh | None, jti: str, epoch: int | None) -> bool:
        async def insert(unit: UnitOfWork) -> bool:
            # A new password ends what was let in with the old one, also what fetches its tokens afterwards.
            if not await hold_epoch(unit.connection, grant.user_id, epoch):
                return False
            # Its id was settled when the flow began: of any number of polls one makes it, also when Redis forgets.
            if await is_barred(unit.connection, grant.client_id, grant.user_id):
                return False
            if not await insert_grant(unit.connection, grant):
                return False
            if refresh is not None:
                await insert_refresh(unit.connection, grant, refresh)
            unit.record(issue_event(AuditAction.TOKEN_ISSUED, grant, unit.at, jti))
            return True

        try:
            is_new = await self._units.run(insert)
        except PartyGone:
            return False
        if is_new:
            failpoint("auth.device_redeemed")
        return is_new

    def _grant(self, flow: DeviceFlow, decision: DeviceDecision, client: Client) -> Grant:
        now = self._clock.now()
        return Grant(
            id=flow.grant_id,
            kind=GrantKind.DEVICE_CODE,
            client_id=flow.client_id,
            user_id=decision.user_id,
            consent_id=flow.grant_id,
            allowance=decision.allowance,
            # Not of the browser's session: the device stays in when its user logs out there.
            session_id=None,
            authenticated_at=decision.authenticated_at,
            methods=decision.methods,
            created_at=now,
            expires_at=earliest(now + self._lives.grant, client.expires_at),
            last_used_at=now,
        )

    async def _check_pace(self, device_code: str) -> None:
        polling = await self._cache.polling(device_code, self._terms.interval_s)
        polling, too_early = polling.next(self._clock.now())
        await self._cache.note_poll(device_code, polling)
        if too_early:
            raise OAuthRefusal(OAuthError.SLOW_DOWN, "Ask more slowly.")

    async def _find(self, typed: str, session: Session | None) -> tuple[str, FoundDevice]:
        guessers = _guessers(session)
        wait_s = await self._guesses.begin(*guessers, most=self._terms.guesses)
        if wait_s:
            text = "Too many wrong codes. Try again later."
            raise QuotaExceeded(ErrorReason.RATE_LIMIT_EXCEEDED, text, retry_after_s=wait_s)
        user_code = read_user_code(typed)
        found = await self._cache.find_by_user_code(user_code) if user_code else None
        client = await self._clients.find(found[1].client_id) if found else None
        if found is None or client is None or self._clock.now() >= found[1].expires_at:
            raise _no_such_device()
        await self._guesses.forgive(*guessers)
        return found[0], FoundDevice(found[1], client, session)

    def _answer(self, device_code: str, flow: DeviceFlow) -> dict[str, Any]:
        page = f"{self._terms.issuer}/device"
        return {
            "device_code": device_code,
            "user_code": shown(flow.user_code),
            "verification_uri": page,
            "verification_uri_complete": f"{page}?user_code={shown(flow.user_code)}",
            "expires_in": self._terms.ttl_s,
            "interval": self._terms.interval_s,
        }

    async def _session(self, secret: str) -> Session | None:
        return await self._sessions.find(secret) if secret else None


def _guessers(session: Session | None) -> list[str]:
    account, address = [f"user:{session.user_id}"] if session else [], host_of(current_address())
    if not account and not address:
        # Nobody to count by: strangers must not share a counter.
        raise _no_such_device()
    return [*account, *([f"ip:{address}"] if address else [])]


def _no_such_device() -> NotFound:
    return NotFound(ErrorReason.NOT_FOUND, "No device shows this code.", param="user_code")
