"""Registration: request, mail, link. The account exists only once the link was opened."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from services.auth.accounts import metrics
from services.auth.accounts.credentials.guess_limiter import GuessLimiter
from services.auth.accounts.credentials.password_hashing import PasswordHashing
from services.auth.accounts.domain.email_address import account_key, check_email
from services.auth.accounts.domain.guessing import Attempt
from services.auth.accounts.domain.mail import MailedToken, MailKind, NewMail, TokenPurpose
from services.auth.accounts.domain.new_account import NewAccount
from services.auth.accounts.domain.password import PasswordRules
from services.auth.accounts.domain.profile import DEFAULT_LANGUAGE, check_language, check_name
from services.auth.accounts.mail.links import bad_link, use_link
from services.auth.accounts.store.accounts import change_email, insert_account
from services.auth.accounts.store.mailed_tokens import end_registrations, end_tokens_of_user
from services.auth.accounts.store.unit_of_work import AccountUnit, AccountUnits
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.origin import Origin
from services.auth.shared.store.accounts import lock_account


class Registration:
    """Registration and the verification of addresses."""

    def __init__(
        self,
        units: AccountUnits,
        mail_limiter: GuessLimiter,
        hashing: PasswordHashing,
        rules: PasswordRules,
        *,
        new_id: Callable[[], UUID],
    ) -> None:
        self._units = units
        self._mail_limiter = mail_limiter
        self._hashing = hashing
        self._rules = rules
        self._new_id = new_id

    async def register(self, email: str, password: str, name: str, language: str, origin: Origin) -> None:
        """Have a link mailed. The same is done, and takes as long, whether or not the address has an account.

        Raises:
            InvalidRequest: a field is wrong.
            QuotaExceeded: too many mails were asked for, for this address or from there.
        """
        address = check_email(email)
        good = self._rules.check(password, (address, name))
        shown, spoken = check_name(name), check_language(language or DEFAULT_LANGUAGE)
        await self._mail_limiter.admit(Attempt(account_key(address), origin))
        hashed = await self._hashing.hash(good)
        async with self._units.begin(origin) as unit:
            await unit.mail(NewMail(MailKind.REGISTER, address, spoken, name=shown, password_hash=hashed))

    async def verify_email(self, token: str, origin: Origin) -> str:
        """Use a mailed link; return the id of the account that is new or has a new address.

        Raises:
            Unauthenticated: INVALID_TOKEN.
        """
        async with self._units.begin(origin) as unit:
            used = await use_link(unit, token, TokenPurpose.REGISTER, TokenPurpose.EMAIL_CHANGE)
            if used.purpose is TokenPurpose.REGISTER:
                return await self._finish_registration(unit, used)
            return await self._finish_change(unit, used)

    async def _finish_registration(self, unit: AccountUnit, used: MailedToken) -> str:
        new = NewAccount(str(self._new_id()), used.email, used.name, used.language, used.password_hash)
        if not await insert_account(unit.connection, new, unit.at):
            # Somebody else got there first, by another mail to this same box.
            raise bad_link()
        await end_registrations(unit.connection, used.email)
        unit.note(AuditAction.USER_CREATED, new.id, tier=new.tier.value)
        metrics.USERS_CREATED.inc()
        return new.id

    async def _finish_change(self, unit: AccountUnit, used: MailedToken) -> str:
        account = await lock_account(unit.connection, used.user_id or "")
        if account is None or not account.is_usable:
            raise bad_link()
        if not await change_email(unit.connection, account.id, used.email, unit.at):
            raise bad_link()
        await end_tokens_of_user(unit.connection, account.id)
        await end_registrations(unit.connection, used.email)
        unit.note(AuditAction.EMAIL_CHANGED, account.id)
        return account.id
