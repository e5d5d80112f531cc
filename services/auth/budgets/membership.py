"""Organizations and their members, managed by administrators."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from servicekit.errors import Conflict, ErrorReason, NotFound, invalid_parameter
from services.auth.budgets.domain.cap import Owner
from services.auth.budgets.domain.organization import (
    DEFAULT_PAGE,
    DEFAULT_ZONE,
    MAX_NAME,
    MOST_LISTED,
    Membership,
    Organization,
    check_name,
)
from services.auth.budgets.store.caps import delete_caps_of, find_owner
from services.auth.budgets.store.organizations import (
    OrganizationStore,
    add_member,
    end_membership,
    end_organization,
    insert_organization,
    organization_of,
)
from services.auth.shared.administrators import Administrators
from services.auth.shared.audit_events import event_of_call
from services.auth.shared.domain.audit import AuditAction, AuditEvent
from services.auth.shared.domain.identifier import check_id
from services.auth.shared.domain.time_zone import check_time_zone
from services.auth.shared.store.accounts import lock_account
from services.auth.shared.store.unit_of_work import UnitOfWork, UnitsOfWork


class Organizations:
    """Use cases of organizations."""

    def __init__(
        self,
        store: OrganizationStore,
        administrators: Administrators,
        units: UnitsOfWork,
        *,
        new_id: Callable[[], UUID],
    ) -> None:
        self._store = store
        self._administrators = administrators
        self._units = units
        self._new_id = new_id

    async def page(self, admin_user_id: str, search: str, after_id: str, size: int) -> tuple[list[Organization], bool]:
        """Return a page of those that exist with their members, and whether there are more.

        Raises:
            PermissionDenied: who asks is no administrator.
            InvalidRequest: no name is that long, or no page ended with this one.
        """
        await self._administrators.check(admin_user_id)
        if len(search) > MAX_NAME or "\0" in search:
            raise invalid_parameter("search", "No organization is called so.")
        if after_id and not (after_id.isprintable() and await self._store.was_there(after_id)):
            text = "`cursor` must be `next_cursor` of an earlier page."
            raise invalid_parameter("cursor", text)
        limit = min(max(size, 0) or DEFAULT_PAGE, MOST_LISTED)
        found = await self._store.page(search.strip(), after_id, limit + 1)
        return found[:limit], len(found) > limit

    async def memberships(self, organization_id: str) -> list[Membership]:
        """Return who belonged to an organization and when."""
        check_id(organization_id, param="organization_id", noun="organization")
        return await self._store.memberships(organization_id)

    async def create(self, admin_user_id: str, name: str, time_zone: str) -> Organization:
        """Make one without members.

        Raises:
            InvalidRequest: the name or the time zone is none.
            PermissionDenied: who asks is no administrator.
        """
        await self._administrators.check(admin_user_id)
        id, name, zone = str(self._new_id()), check_name(name), check_time_zone(time_zone or DEFAULT_ZONE)

        async def save(unit: UnitOfWork) -> Organization:
            organization = Organization(id, name, zone, unit.at)
            await insert_organization(unit.connection, organization)
            unit.record(_event(AuditAction.ORGANIZATION_CREATED, admin_user_id, id, unit, name=name, time_zone=zone))
            return organization

        return await self._units.run(save)

    async def delete(self, admin_user_id: str, organization_id: str) -> None:
        """End it: its budgets go, and its members belong to none.

        Raises:
            NotFound: there is none.
            PermissionDenied: who asks is no administrator.
        """
        await self._administrators.check(admin_user_id)
        check_id(organization_id, param="organization_id", noun="organization")

        async def end(unit: UnitOfWork) -> None:
            if not await end_organization(unit.connection, organization_id, unit.at):
                raise _no_organization()
            await delete_caps_of(unit.connection, f"{Owner.ORGANIZATION}:{organization_id}")
            unit.record(_event(AuditAction.ORGANIZATION_REMOVED, admin_user_id, organization_id, unit))

        await self._units.run(end)

    async def set_member(self, admin_user_id: str, organization_id: str, user_id: str, *, is_member: bool) -> None:
        """Let a user belong to an organization, or no more. Doing it again changes nothing.

        Raises:
            NotFound: there is no such organization or user.
            Conflict: the user belongs to another one.
            PermissionDenied: who asks is no administrator.
        """
        await self._administrators.check(admin_user_id)
        check_id(organization_id, param="organization_id", noun="organization")
        check_id(user_id, param="user_id", noun="user")

        async def save(unit: UnitOfWork) -> None:
            change = _join if is_member else _leave
            if await change(unit, organization_id, user_id):
                action = AuditAction.MEMBER_ADDED if is_member else AuditAction.MEMBER_REMOVED
                unit.record(_event(action, admin_user_id, organization_id, unit, user_id=user_id))

        await self._units.run(save)


async def _join(unit: UnitOfWork, organization_id: str, user_id: str) -> bool:
    if await find_owner(unit.connection, Owner.ORGANIZATION, organization_id) is None:
        raise _no_organization()
    account = await lock_account(unit.connection, user_id)
    if account is None or not account.is_usable:
        raise NotFound(ErrorReason.NOT_FOUND, "There is no such user.", param="user_id")
    present = await organization_of(unit.connection, user_id)
    if present == organization_id:
        return False
    if present is not None:
        raise Conflict(ErrorReason.CONFLICT, "The user belongs to another organization.", param="user_id")
    await add_member(unit.connection, organization_id, user_id, unit.at)
    return True


async def _leave(unit: UnitOfWork, organization_id: str, user_id: str) -> bool:
    return await end_membership(unit.connection, organization_id, user_id, unit.at)


def _no_organization() -> NotFound:
    return NotFound(ErrorReason.NOT_FOUND, "There is no such organization.", param="organization_id")


def _event(action: AuditAction, admin_user_id: str, organization_id: str, unit: UnitOfWork, **facts: str) -> AuditEvent:
    subject = f"{Owner.ORGANIZATION}:{organization_id}"
    return event_of_call(unit.at, f"user:{admin_user_id}", action, subject, **facts)
