"""Grants as users and gateways see them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound, Unauthenticated
from services.auth.oauth.audit_events import audit_event
from services.auth.oauth.domain.client import Client
from services.auth.oauth.domain.grant import Grant
from services.auth.oauth.domain.scope_parameter import still_granted
from services.auth.oauth.flows.code_flow import OAuthService
from services.auth.oauth.store.codes import CodeStore
from services.auth.oauth.store.grants import GrantStore
from services.auth.oauth.store.refresh_tokens import RefreshStore
from services.auth.shared.domain.audit import AuditAction, AuditEvent
from services.auth.shared.domain.caller import Caller
from services.auth.shared.domain.identifier import check_id
from services.auth.shared.domain.person import People
from services.auth.shared.domain.revocation import Revocation
from services.auth.shared.domain.tier import Tier, TierLimits
from services.auth.shared.revocation_feed import RevocationFeed
from services.auth.shared.store.revocations import RevocationStore

# A revocation gets its time before it is committed: an answer reaches back so far that none falls between two.
OVERLAP: Final = timedelta(seconds=30)
# How long the traces of what is over stay, to tell reuse from guessing.
KEPT: Final = timedelta(days=7)


class Grants:
    """Use cases of grants."""

    def __init__(
        self,
        store: GrantStore,
        oauth: OAuthService,
        people: People,
        limits: Mapping[Tier, TierLimits],
        feed: RevocationFeed,
        revocations: RevocationStore,
        *,
        clock: Clock,
    ) -> None:
        self._store = store
        self._oauth = oauth
        self._people = people
        self._limits = limits
        self._feed = feed
        self._revocations = revocations
        self._clock = clock

    async def caller_of(self, grant_id: str, user_id: str) -> Caller:
        """Return what a grant allows now. What its token allows is the token's own scope, which may be less.

        Args:
            grant_id: the `gid` of a verified token.
            user_id: its `sub`, or empty.

        Raises:
            Unauthenticated: unknown, revoked, over, or somebody else's.
        """
        known = grant_id.isprintable() and 1 <= len(grant_id) <= 64
        grant = await self._store.find(grant_id) if known else None
        if grant is None or not grant.is_live(self._clock.now()) or user_id not in ("", grant.subject):
            raise _over()
        person = await self._people.find(grant.user_id)
        if person is None:
            raise _over()
        return Caller(
            user_id=grant.user_id,
            key_id="",
            key_name="",
            tier=person.tier,
            scopes=still_granted(grant.allowance.scopes, person),
            models=grant.allowance.models,
            ip_allow_list=(),
            limits=self._limits[person.tier],
            budgets=(grant.budget,) if grant.budget else (),
            expires_at=grant.expires_at,
            grant_id=grant.id,
            client_id=grant.client_id,
        )

    async def list_of(self, user_id: str) -> list[tuple[Grant, Client]]:
        """Return the applications a user let in, newest first."""
        check_id(user_id, param="user_id", noun="user")
        return await self._store.list_live(user_id, self._clock.now())

    async def revoke(self, user_id: str, grant_id: str) -> None:
        """End what a user allowed, on every gateway, with what was given later without asking. Idempotent.

        Raises:
            NotFound: the user has no such grant.
        """
        for given in (user_id, grant_id):
            check_id(given, param="grant_id", noun="grant")
        event = self._event(user_id, f"grant:{grant_id}")
        ended = await self._store.end_consent(user_id, grant_id, event, self._until(event))
        if ended is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such grant.", param="grant_id")
        await self._oauth.announce(ended)

    async def revoked_since(self, since: datetime) -> tuple[list[Revocation], datetime]:
        """Return what was revoked since a moment and still matters, and the moment to ask from next time."""
        now = self._clock.now()
        earliest = max(since, now - timedelta(days=1))
        return await self._revocations.read_since(earliest - OVERLAP, now), now

    def _event(self, user_id: str, subject: str) -> AuditEvent:
        return audit_event(AuditAction.GRANT_REVOKED, self._clock.now(), actor=f"user:{user_id}", subject=subject)

    def _until(self, event: AuditEvent) -> datetime:
        return self._feed.believed_until(event.at)


class OAuthHousekeeping:
    """Forgets what nobody can use or misuse any more."""

    def __init__(self, codes: CodeStore, refresh: RefreshStore, grants: GrantStore, *, clock: Clock) -> None:
        self._codes = codes
        self._refresh = refresh
        self._grants = grants
        self._clock = clock

    async def run(self) -> None:
        """Delete codes, refresh tokens and grants that have been over for a week."""
        before = self._clock.now() - KEPT
        await self._refresh.forget(before)
        await self._grants.forget(before)
        await self._codes.forget(before)


def _over() -> Unauthenticated:
    return Unauthenticated(ErrorReason.INVALID_TOKEN, "The token is not valid.")
