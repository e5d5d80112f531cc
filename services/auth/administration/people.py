"""Listing accounts and assigning tiers, for administrators."""

from __future__ import annotations

from typing import Final

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, InvalidRequest, NotFound, invalid_parameter
from services.auth.administration.domain.listed import ListedUser, page_size
from services.auth.administration.store.people import PeopleStore, set_tier
from services.auth.shared.administrators import Administrators
from services.auth.shared.audit_events import event_of_call
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.identifier import MAX_ID_LENGTH, check_id
from services.auth.shared.domain.tier import Tier
from services.auth.shared.store.unit_of_work import UnitOfWork, UnitsOfWork

LONGEST_SEARCH: Final = 254


class People:
    """Lists accounts, and changes their tier."""

    def __init__(self, store: PeopleStore, administrators: Administrators, units: UnitsOfWork, *, clock: Clock) -> None:
        self._store = store
        self._administrators = administrators
        self._units = units
        self._clock = clock

    async def list_users(
        self, admin_user_id: str, search: str, after_id: str, size: int
    ) -> tuple[list[ListedUser], bool]:
        """Return a page of accounts, and whether there are more.

        Raises:
            PermissionDenied: who asks is no administrator.
            InvalidRequest: no address is that long, or no page ended with this account.
        """
        await self._administrators.check(admin_user_id)
        if len(search) > LONGEST_SEARCH or "\0" in search:
            raise invalid_parameter("search", "No address looks like this.")
        if len(after_id) > MAX_ID_LENGTH or not after_id.isprintable():
            raise _no_such_page()
        limit = page_size(size)
        found = await self._store.list_users(search.strip(), after_id, limit + 1, self._clock.now())
        # Behind an account that never was there is nobody either, and that is not the end of the list.
        if after_id and not found and not await self._store.was_there(after_id):
            raise _no_such_page()
        return found[:limit], len(found) > limit

    async def set_tier(self, admin_user_id: str, user_id: str, tier: Tier) -> None:
        """Give an account a tier.

        Raises:
            PermissionDenied: who asks is no administrator.
            NotFound: there is no such account.
        """
        await self._administrators.check(admin_user_id)
        check_id(user_id, param="user_id", noun="user")

        async def change(unit: UnitOfWork) -> None:
            before = await set_tier(unit.connection, user_id, tier, unit.at)
            if before is None:
                raise NotFound(ErrorReason.NOT_FOUND, "There is no such user.", param="user_id")
            if before is not tier:
                details = {"before": before.value, "after": tier.value}
                actor = f"user:{admin_user_id}"
                unit.record(event_of_call(unit.at, actor, AuditAction.TIER_CHANGED, f"user:{user_id}", **details))

        await self._units.run(change)


def _no_such_page() -> InvalidRequest:
    text = "`cursor` must be `next_cursor` of an earlier page."
    return invalid_parameter("cursor", text)
