"""What an administrator does with other people's accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from servicekit.errors import Conflict, ErrorReason, NotFound, PermissionDenied, invalid_parameter
from services.auth.accounts.account_lookup import usable_account
from services.auth.accounts.sessions import LoginSessions
from services.auth.accounts.store.accounts import set_disabled
from services.auth.accounts.store.unit_of_work import AccountUnit, AccountUnits
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.identifier import check_id
from services.auth.shared.domain.origin import Origin
from services.auth.shared.domain.revocation import RevokedKind
from services.auth.shared.store.accounts import AccountStore, lock_accounts
from services.auth.shared.store.disabled import disable, disable_applications_of, enable, hold_credential

SWITCHED: Final = {
    (RevokedKind.KEY, True): AuditAction.KEY_DISABLED,
    (RevokedKind.KEY, False): AuditAction.KEY_ENABLED,
    (RevokedKind.CLIENT, True): AuditAction.CLIENT_DISABLED,
    (RevokedKind.CLIENT, False): AuditAction.CLIENT_ENABLED,
    (RevokedKind.GRANT, True): AuditAction.GRANT_DISABLED,
    (RevokedKind.GRANT, False): AuditAction.GRANT_ENABLED,
}

# What other services are ordered to do.
PROVIDER_ORDERS: Final = (AuditAction.PROVIDER_DRAIN, AuditAction.PROVIDER_UNDRAIN, AuditAction.CIRCUIT_RESET)
CATALOG_ORDERS: Final = (
    AuditAction.OVERRIDE_SET,
    AuditAction.OVERRIDE_REMOVED,
    AuditAction.PRICE_ADDED,
    AuditAction.CHANNEL_MOVED,
)
ORDERS: Final = frozenset((*PROVIDER_ORDERS, *CATALOG_ORDERS))
LONGEST: Final = 1000
MOST_DETAILS: Final = 16


class Administration:
    """Use cases of administrators."""

    def __init__(self, accounts: AccountStore, units: AccountUnits, sessions: LoginSessions) -> None:
        self._accounts = accounts
        self._units = units
        self._sessions = sessions

    async def set_disabled(self, admin_user_id: str, user_id: str, origin: Origin, *, disabled: bool) -> None:
        """Shut an account, or open it again: its keys, sessions and tokens, and its applications, on every gateway.

        Raises:
            NotFound: there is no such user.
            PermissionDenied: who asks is no administrator.
            InvalidRequest: an administrator shuts themselves out.
        """
        admin = await self._administrator(admin_user_id)
        check_id(user_id, param="user_id", noun="user")
        if user_id == admin.id:
            raise invalid_parameter("user_id", "Ask another administrator.")
        ended = await self._sessions.others(user_id) if disabled else []
        async with self._units.begin(origin) as unit:
            # Of two who shut each other out at once the second one is none any more: there is always somebody left.
            asking, _ = await lock_accounts(unit.connection, admin.id, user_id)
            if asking is None or not asking.is_usable or not asking.is_admin:
                raise _no_administrator()
            if not await set_disabled(unit.connection, user_id, unit.at, disabled=disabled):
                raise NotFound(ErrorReason.NOT_FOUND, "There is no such user.", param="user_id")
            await unit.revoke(RevokedKind.USER, user_id)
            await unit.revoke_sessions(ended)
            for each in await self._switch_applications(unit, user_id, disabled=disabled):
                await unit.revoke(RevokedKind.CHANGED, each)
            action = AuditAction.USER_DISABLED if disabled else AuditAction.USER_ENABLED
            unit.note(action, user_id, actor=f"user:{admin.id}")
        await self._sessions.forget(ended)

    async def set_credential_disabled(
        self, admin_user_id: str, kind: RevokedKind, id: str, origin: Origin, *, disabled: bool
    ) -> None:
        """Switch a key, client or grant off, or on again, and with it all that it made. Doing it again changes nothing.

        Raises:
            NotFound: there is none.
            Conflict: it is revoked: nothing is left to switch.
            PermissionDenied: who asks is no administrator.
        """
        admin = await self._administrator(admin_user_id)
        check_id(id, param="id", noun=kind.value)
        subject = f"{kind}:{id}"
        async with self._units.begin(origin) as unit:
            state = await hold_credential(unit.connection, kind, id)
            if state is None:
                raise NotFound(ErrorReason.NOT_FOUND, f"There is no such {kind}.", param="id")
            connection = unit.connection
            changed = await (disable(connection, subject, unit.at) if disabled else enable(connection, subject))
            # A grant that ended while it was disabled bars what would take its place, until it is enabled.
            is_bar = kind is RevokedKind.GRANT and not disabled and changed
            if state.is_over and not is_bar:
                raise Conflict(ErrorReason.CONFLICT, f"This {kind} is revoked.", param="id")
            for each in changed:
                await unit.revoke(RevokedKind.CHANGED, each)
            if changed:
                unit.note_of(SWITCHED[kind, disabled], subject, f"user:{admin.id}", owner=state.owner_id)

    async def note_order(
        self, admin_user_id: str, order: str, subject: str, details: Mapping[str, str], origin: Origin
    ) -> None:
        """Have the audit log say what an administrator orders of another service.

        Raises:
            PermissionDenied: who asks is no administrator.
            InvalidRequest: the log has no name for the order, or there is too much of it.
        """
        admin = await self._administrator(admin_user_id)
        if order not in ORDERS:
            raise invalid_parameter("order", "The audit log knows no such order.")
        texts = (subject, *details, *details.values())
        if len(details) > MOST_DETAILS or any(len(text) > LONGEST or "\0" in text for text in texts):
            raise invalid_parameter("details", "The order cannot be written down.")
        facts = {f"order_{name}": value for name, value in details.items()}
        async with self._units.begin(origin) as unit:
            unit.note_of(AuditAction(order), subject, f"user:{admin.id}", **facts)

    async def _switch_applications(self, unit: AccountUnit, user_id: str, *, disabled: bool) -> list[str]:
        # They act for others, who would go on being served by somebody who was shut out.
        if disabled:
            return await disable_applications_of(unit.connection, user_id, unit.at)
        return await enable(unit.connection, f"user:{user_id}")

    async def _administrator(self, user_id: str) -> Account:
        account = await usable_account(self._accounts, user_id)
        if not account.is_admin:
            raise _no_administrator()
        return account


def _no_administrator() -> PermissionDenied:
    return PermissionDenied(ErrorReason.PERMISSION_DENIED, "Only an administrator may do this.")
