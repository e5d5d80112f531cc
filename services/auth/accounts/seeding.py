"""Creates accounts and reads mails for demonstrations and tests; refused unless the installation is one."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from servicekit.errors import ErrorReason, Internal, PermissionDenied
from services.auth.accounts import metrics
from services.auth.accounts.credentials.password_hashing import PasswordHashing
from services.auth.accounts.domain.email_address import check_email
from services.auth.accounts.domain.new_account import NewAccount
from services.auth.accounts.domain.password import PasswordRules
from services.auth.accounts.domain.profile import DEFAULT_LANGUAGE, check_name
from services.auth.accounts.store.accounts import insert_account, set_operator_fields, set_password
from services.auth.accounts.store.mails import KeptMail, MailStore
from services.auth.accounts.store.unit_of_work import AccountUnits
from services.auth.shared.domain.audit import SYSTEM, AuditAction
from services.auth.shared.domain.origin import Origin
from services.auth.shared.domain.tier import Tier
from services.auth.shared.store.accounts import find_account_by_email

OUTBOX_SHOWN = 100


class Seeding:
    """Use cases for demonstrations and tests."""

    def __init__(
        self,
        units: AccountUnits,
        mails: MailStore,
        hashing: PasswordHashing,
        rules: PasswordRules,
        *,
        may_seed: bool,
        may_read_outbox: bool,
        new_id: Callable[[], UUID],
    ) -> None:
        self._units = units
        self._mails = mails
        self._hashing = hashing
        self._rules = rules
        self._may_seed = may_seed
        self._may_read_outbox = may_read_outbox
        self._new_id = new_id

    async def seed(self, email: str, password: str, name: str, tier: Tier, *, is_admin: bool) -> str:
        """Make or change a verified account; return its id.

        Raises:
            PermissionDenied: this is no demonstration.
            InvalidRequest: a field is wrong.
        """
        if not self._may_seed:
            raise _not_here()
        address, shown = check_email(email), check_name(name)
        hashed = await self._hashing.hash(self._rules.check(password, (address,)))
        async with self._units.begin(Origin()) as unit:
            new = NewAccount(str(self._new_id()), address, shown, DEFAULT_LANGUAGE, hashed, tier, is_admin)
            if await insert_account(unit.connection, new, unit.at):
                metrics.USERS_CREATED.inc()
                user_id = new.id
            else:
                account = await find_account_by_email(unit.connection, address)
                if account is None:
                    raise Internal
                user_id = account.id
                # The same password again ends nobody's session: a demonstration is seeded at each start.
                if not await self._hashing.verify(account.password_hash, password):
                    await set_password(unit.connection, user_id, hashed, unit.at)
                await set_operator_fields(
                    unit.connection, user_id, name=shown, tier=tier, is_admin=is_admin, at=unit.at
                )
            unit.note(AuditAction.USER_SEEDED, user_id, actor=SYSTEM)
        return user_id

    async def outbox(self) -> list[KeptMail]:
        """Return the newest mails of the local outbox.

        Raises:
            PermissionDenied: it is not to be read here.
        """
        if not self._may_read_outbox:
            raise _not_here()
        return await self._mails.list_outbox(OUTBOX_SHOWN)


def _not_here() -> PermissionDenied:
    return PermissionDenied(ErrorReason.PERMISSION_DENIED, "This is switched off here.")
