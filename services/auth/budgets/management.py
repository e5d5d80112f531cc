"""Listing, setting, changing and removing budgets and quotas, by owners and administrators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound, PermissionDenied
from services.auth.budgets.domain.cap import Cap, CapOrder, Owner, Source, check_change, check_new
from services.auth.budgets.store.caps import (
    BudgetStore,
    CapOwner,
    count_caps,
    delete_cap,
    find_owner,
    hold_cap,
    insert_cap,
    update_cap,
)
from services.auth.shared.administrators import Administrators
from services.auth.shared.audit_events import event_of_call
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.audit import AuditAction, AuditEvent
from services.auth.shared.domain.bounds import check_room
from services.auth.shared.domain.budget import CapMode
from services.auth.shared.domain.delegation import Asker, Authority
from services.auth.shared.domain.identifier import check_id
from services.auth.shared.domain.tier import Tier, TierLimits
from services.auth.shared.in_person import InPerson
from services.auth.shared.store.accounts import AccountStore, lock_account
from services.auth.shared.store.makers import hold_maker
from services.auth.shared.store.unit_of_work import UnitOfWork, UnitsOfWork

# Each is read with every credential of the account, and checked with each of its requests.
MOST_CAPS: Final = 50


class Budgets:
    """Use cases of budgets and quotas."""

    def __init__(
        self,
        store: BudgetStore,
        accounts: AccountStore,
        administrators: Administrators,
        units: UnitsOfWork,
        in_person: InPerson,
        limits: Mapping[Tier, TierLimits],
        *,
        clock: Clock,
        new_id: Callable[[], UUID],
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._administrators = administrators
        self._units = units
        self._in_person = in_person
        self._limits = limits
        self._clock = clock
        self._new_id = new_id

    async def list_of(self, user_id: str) -> list[Cap]:
        """Return everything that caps a user: what was set, what came with keys and grants, the tier's ceiling.

        Raises:
            NotFound: there is no such user.
        """
        check_id(user_id, param="user_id", noun="user")
        account = await self._accounts.find_usable(user_id)
        if account is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such user.", param="user_id")
        return [*await self._store.list_of_user(user_id, self._clock.now()), *self._ceiling(account)]

    async def list_for_admin(self, admin_user_id: str, user_id: str, organization_id: str) -> list[Cap]:
        """Return what caps a user, or the budgets of an organization.

        Raises:
            NotFound: there is no such user.
            PermissionDenied: who asks is no administrator.
        """
        await self._administrators.check(admin_user_id)
        if organization_id:
            check_id(organization_id, param="organization_id", noun="organization")
            return await self._store.list_of_organization(organization_id)
        return await self.list_of(user_id)

    async def put(self, user_id: str, order: CapOrder, asker: Asker) -> Cap:
        """Set a cap of a user's own, or change one; gateways follow within seconds.

        Raises:
            InvalidRequest: a field is wrong; it is named.
            NotFound: there is no such cap, key or application of theirs.
            PermissionDenied: an administrator set it, or the credential that asks has a budget of its own.
            Conflict: they have as many as they may have.
            Unauthenticated: the credential ended meanwhile, or nobody asks who may.
        """
        check_id(user_id, param="user_id", noun="user")
        await self._in_person.check(asker, user_id)
        id = str(self._new_id())

        async def save(unit: UnitOfWork) -> Cap:
            await _hold_free_maker(unit, user_id, asker.maker)
            if order.id:
                return await _change(unit, order, user_id, by_admin=False)
            return await _create(unit, id, order, user_id, by_admin=False)

        return await self._units.run(save)

    async def put_for_admin(self, admin_user_id: str, order: CapOrder) -> Cap:
        """Set or change a cap of any user or organization; its owner cannot change it afterwards.

        Raises:
            InvalidRequest, NotFound, Conflict: as of `put`.
            PermissionDenied: who asks is no administrator.
        """
        await self._administrators.check(admin_user_id)
        id = str(self._new_id())

        async def save(unit: UnitOfWork) -> Cap:
            if order.id:
                return await _change(unit, order, admin_user_id, by_admin=True)
            return await _create(unit, id, order, admin_user_id, by_admin=True)

        return await self._units.run(save)

    async def delete(self, user_id: str, id: str, asker: Asker) -> None:
        """Remove a cap of a user's own.

        Raises:
            NotFound: there is none.
            PermissionDenied, Unauthenticated: as of `put`.
        """
        check_id(user_id, param="user_id", noun="user")
        await self._in_person.check(asker, user_id)

        async def remove(unit: UnitOfWork) -> None:
            await _hold_free_maker(unit, user_id, asker.maker)
            await _remove(unit, await _held(unit, id, user_id, by_admin=False), user_id)

        await self._units.run(remove)

    async def delete_for_admin(self, admin_user_id: str, id: str) -> None:
        """Remove any cap that was set.

        Raises:
            NotFound: there is none.
            PermissionDenied: who asks is no administrator.
        """
        await self._administrators.check(admin_user_id)

        async def remove(unit: UnitOfWork) -> None:
            await _remove(unit, await _held(unit, id, admin_user_id, by_admin=True), admin_user_id)

        await self._units.run(remove)

    def _ceiling(self, account: Account) -> list[Cap]:
        return [
            Cap(
                f"tier:{account.tier}",
                account.id,
                budget.subject,
                "cost",
                budget.period,
                budget.limit_micro_rub,
                source=Source.TIER,
                by_admin=True,
                time_zone=account.time_zone,
            )
            for budget in self._limits[account.tier].ceiling_of(account.id)
        ]


async def _hold_free_maker(unit: UnitOfWork, user_id: str, maker: Authority | None) -> None:
    """Refuse who could free themselves: a credential with a budget or quota of its own sets and lifts none."""
    # The account first, as everybody does who makes something with a credential: else each waits for the other.
    await lock_account(unit.connection, user_id)
    held = await hold_maker(unit, maker, user_id)
    if held is not None and held.has_own_budget:
        text = "A credential with a budget or quota of its own changes none; use another one."
        raise PermissionDenied(ErrorReason.PERMISSION_DENIED, text)


async def _create(unit: UnitOfWork, id: str, order: CapOrder, actor_id: str, *, by_admin: bool) -> Cap:
    checked = check_new(order)
    owner_id = checked.owner_id
    if checked.owner == Owner.USER and not by_admin:
        owner_id = owner_id or actor_id
    check_id(owner_id, param="owner_id", noun=checked.owner)
    found = await find_owner(unit.connection, Owner(checked.owner), owner_id)
    if found is None or not (by_admin or found.user_id == actor_id):
        raise NotFound(ErrorReason.NOT_FOUND, f"There is no such {checked.owner}.", param="owner_id")
    if found.user_id is not None:
        # Whoever sets another one at the same time waits: the count is of all. Of an account that went meanwhile none.
        account = await lock_account(unit.connection, found.user_id)
        if account is None or account.deleted_at is not None:
            raise NotFound(ErrorReason.NOT_FOUND, f"There is no such {checked.owner}.", param="owner_id")
    check_room(await count_caps(unit.connection, found.user_id, found.subject), MOST_CAPS, "budgets")
    cap = _new_cap(id, found, checked, unit.at, by_admin=by_admin)
    await insert_cap(unit.connection, cap)
    unit.record(_event(AuditAction.BUDGET_SET, cap, actor_id, unit))
    return cap


def _new_cap(id: str, owner: CapOwner, order: CapOrder, at: datetime, *, by_admin: bool) -> Cap:
    return Cap(
        id=id,
        user_id=owner.user_id,
        subject=owner.subject,
        measure=order.measure,
        period=order.period,
        amount=order.amount,
        mode=order.mode or CapMode.HARD,
        models=order.models,
        by_admin=by_admin,
        time_zone=owner.time_zone,
        created_at=at,
        updated_at=at,
    )


async def _change(unit: UnitOfWork, order: CapOrder, actor_id: str, *, by_admin: bool) -> Cap:
    cap = await _held(unit, order.id, actor_id, by_admin=by_admin)
    check_change(order, cap)
    changed = replace(cap, amount=order.amount or cap.amount, mode=order.mode or cap.mode, updated_at=unit.at)
    await update_cap(unit.connection, changed)
    unit.record(_event(AuditAction.BUDGET_CHANGED, changed, actor_id, unit))
    return changed


async def _held(unit: UnitOfWork, id: str, actor_id: str, *, by_admin: bool) -> Cap:
    check_id(id, param="id", noun="budget")
    cap = await hold_cap(unit.connection, id)
    if cap is None or not (by_admin or cap.user_id == actor_id):
        raise NotFound(ErrorReason.NOT_FOUND, "There is no such budget.", param="id")
    if cap.by_admin and not by_admin:
        raise PermissionDenied(ErrorReason.PERMISSION_DENIED, "An administrator set this budget: ask one.", param="id")
    return cap


async def _remove(unit: UnitOfWork, cap: Cap, actor_id: str) -> None:
    await delete_cap(unit.connection, cap.id)
    unit.record(_event(AuditAction.BUDGET_REMOVED, cap, actor_id, unit))


def _event(action: AuditAction, cap: Cap, actor_id: str, unit: UnitOfWork) -> AuditEvent:
    details = {
        "budget": cap.id,
        "measure": cap.measure,
        "period": cap.period,
        "models": cap.models,
        "amount": str(cap.amount),
        "mode": cap.mode.value,
    }
    return event_of_call(unit.at, f"user:{actor_id}", action, cap.subject, **details)
