"""Listing and checking grants, for users and gateways."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound, Unauthenticated
from services.auth.oauth import metrics
from services.auth.oauth.audit_events import audit_event
from services.auth.oauth.domain.client import Client
from services.auth.oauth.domain.grant import Grant
from services.auth.oauth.domain.scope_parameter import still_granted
from services.auth.oauth.store.grant_rows import end_grants
from services.auth.oauth.store.grants import GrantStore, ids_of_consent
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.caller import Caller
from services.auth.shared.domain.identifier import check_id
from services.auth.shared.domain.revocation import Revocation
from services.auth.shared.domain.tier import Tier, TierLimits
from services.auth.shared.store.accounts import AccountStore
from services.auth.shared.store.caps import CapStore
from services.auth.shared.store.model_names import ModelNameStore
from services.auth.shared.store.revocations import RevocationStore
from services.auth.shared.store.unit_of_work import UnitOfWork, UnitsOfWork

# A revocation gets its time before it is committed: an answer reaches back so far that none falls between two.
OVERLAP: Final = timedelta(seconds=30)
# 100 kB as a message: what ended within a day has no bound, and a message of 24 MiB is refused.
REVOKED_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class RevokedPage:
    """Some of what was revoked, the time to ask from next time, and the `after` of the next page (0: there is none)."""

    revocations: list[Revocation]
    as_of: datetime
    next: int


class Grants:
    """Use cases of grants."""

    def __init__(
        self,
        store: GrantStore,
        accounts: AccountStore,
        limits: Mapping[Tier, TierLimits],
        units: UnitsOfWork,
        revocations: RevocationStore,
        names: ModelNameStore,
        caps: CapStore,
        *,
        clock: Clock,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._limits = limits
        self._units = units
        self._revocations = revocations
        self._names = names
        self._caps = caps
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
        account = await self._accounts.find_usable(grant.user_id)
        if account is None:
            raise _over()
        caps = await self._caps.find(grant.user_id, f"grant:{grant.consent_id}")
        return Caller(
            user_id=grant.user_id,
            key_id="",
            key_name="",
            tier=account.tier,
            scopes=still_granted(grant.allowance.scopes, account),
            models=grant.allowance.models,
            ip_allow_list=grant.ip_allow_list,
            limits=self._limits[account.tier],
            budgets=(
                *((grant.budget,) if grant.budget else ()),
                *caps.budgets,
                *self._limits[account.tier].ceiling_of(grant.user_id),
            ),
            quotas=caps.quotas,
            expires_at=grant.expires_at,
            time_zone=account.time_zone,
            grant_id=grant.id,
            client_id=grant.client_id,
            model_names=(await self._names.find(grant.user_id))[0],
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
        ended = await self._units.run(partial(_end_consent, user_id, grant_id))
        if ended is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such grant.", param="grant_id")
        metrics.count_ended(ended)

    async def revoked_since(self, since: datetime, after: int) -> RevokedPage:
        """Return a page of what was revoked since a time and still matters.

        `after`: the number of the last one of the page before, `since` is its time then; 0: this is the first page.
        """
        now = self._clock.now()
        earliest = since if after else max(since, now - timedelta(days=1)) - OVERLAP
        found = await self._revocations.read_since(earliest, after, now, REVOKED_AT_ONCE)
        return RevokedPage(found, now, found[-1].number if len(found) == REVOKED_AT_ONCE else 0)


async def _end_consent(user_id: str, grant_id: str, unit: UnitOfWork) -> list[Revocation] | None:
    async with unit.rows_of(user_id):
        found = await ids_of_consent(unit.connection, user_id, grant_id)
    ended = await end_grants(unit, found)
    if ended:
        actor, subject = f"user:{user_id}", f"grant:{grant_id}"
        unit.record(audit_event(AuditAction.GRANT_REVOKED, unit.at, actor=actor, subject=subject))
    return ended if found else None


def _over() -> Unauthenticated:
    return Unauthenticated(ErrorReason.INVALID_TOKEN, "The token is not valid.")
