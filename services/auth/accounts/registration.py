"""Becoming a user: ask, get a mail, follow its link. Until then there is no account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from servicekit.errors import ErrorReason, Unauthenticated
from services.auth.accounts.credentials.guess_limiter import Guard
from services.auth.accounts.credentials.password_hashing import PasswordHashing
from services.auth.accounts.domain.account import NewAccount, account_key
from services.auth.accounts.domain.email_address import check_email
from services.auth.accounts.domain.guessing import Attempt
from services.auth.accounts.domain.mail import MAX_TOKEN, MailedToken, MailKind, NewMail, TokenPurpose, token_hash
from services.auth.accounts.domain.password import PasswordRules
from services.auth.accounts.domain.profile import DEFAULT_LANGUAGE, check_language, check_name
from services.auth.accounts.store.accounts import change_email, insert_account, lock_account
from services.auth.accounts.store.mailed_tokens import end_registrations, end_tokens_of_user, use_token
from services.auth.accounts.store.unit_of_work import Change, Ledger
from services.auth.shared import metrics
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.origin import Origin

# One sentence for links that never were, that were used, and whose time is over.
BAD_LINK: Final = "The link is not valid any more. Ask for a new one."


class Registration:
    """Registration and the verification of addresses."""

    def __init__(
        self,
        ledger: Ledger,
        mail_guard: Guard,
        hashing: PasswordHashing,
        rules: PasswordRules,
        *,
        new_id: Callable[[], UUID],
    ) -> None:
        self._ledger = ledger
        self._mail_guard = mail_guard
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
        await self._mail_guard.admit(Attempt(account_key(address), origin))
        hashed = await self._hashing.hash(good)
        async with self._ledger.change(origin) as change:
            await change.mail(NewMail(MailKind.REGISTER, address, spoken, name=shown, password_hash=hashed))

    async def verify_email(self, token: str, origin: Origin) -> str:
        """Use a mailed link; return the id of the account that is new or has a new address.

        Raises:
            Unauthenticated: INVALID_TOKEN.
        """
        async with self._ledger.change(origin) as change:
            used = await use(change, token, TokenPurpose.REGISTER, TokenPurpose.EMAIL_CHANGE)
            if used.purpose is TokenPurpose.REGISTER:
                return await self._finish_registration(change, used)
            return await self._finish_change(change, used)

    async def _finish_registration(self, change: Change, used: MailedToken) -> str:
        new = NewAccount(str(self._new_id()), used.email, used.name, used.language, used.password_hash)
        if not await insert_account(change.connection, new, change.at):
            # Somebody else got there first, by another mail to this same box.
            raise bad_link()
        await end_registrations(change.connection, used.email)
        change.note(AuditAction.USER_CREATED, new.id, tier=new.tier.value)
        metrics.USERS_CREATED.inc()
        return new.id

    async def _finish_change(self, change: Change, used: MailedToken) -> str:
        account = await lock_account(change.connection, used.user_id or "")
        if account is None or not account.is_usable:
            raise bad_link()
        if not await change_email(change.connection, account.id, used.email, change.at):
            raise bad_link()
        await end_tokens_of_user(change.connection, account.id)
        await end_registrations(change.connection, used.email)
        change.note(AuditAction.EMAIL_CHANGED, account.id)
        return account.id


async def use(change: Change, token: str, *purposes: TokenPurpose) -> MailedToken:
    """Use a mailed token up within a change.

    Raises:
        Unauthenticated: INVALID_TOKEN.
    """
    if not 1 <= len(token) <= MAX_TOKEN:
        raise bad_link()
    used = await use_token(change.connection, token_hash(token), purposes, change.at)
    if used is None:
        raise bad_link()
    return used


def bad_link() -> Unauthenticated:
    """Return the one refusal of links."""
    return Unauthenticated(ErrorReason.INVALID_TOKEN, BAD_LINK)
