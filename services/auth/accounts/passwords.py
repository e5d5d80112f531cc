"""Changing a password: by the present one, or by a mailed link. Either ends what was opened with the old one."""

from __future__ import annotations

from typing import Final

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound
from services.auth.accounts.credentials.guess_limiter import Guard
from services.auth.accounts.credentials.password_hashing import PasswordHashing
from services.auth.accounts.credentials.reauthentication import Reproof
from services.auth.accounts.domain.account import Account, account_key
from services.auth.accounts.domain.email_address import check_email
from services.auth.accounts.domain.guessing import Attempt
from services.auth.accounts.domain.login_session import LoginSession
from services.auth.accounts.domain.mail import MAX_TOKEN, MailKind, NewMail, TokenPurpose, token_hash
from services.auth.accounts.domain.password import PasswordRules
from services.auth.accounts.domain.profile import DEFAULT_LANGUAGE
from services.auth.accounts.grants_of_user import EndReason, GrantsOfUser
from services.auth.accounts.registration import bad_link, use
from services.auth.accounts.sessions import LoginSessions
from services.auth.accounts.store.accounts import AccountStore, lock_account, set_password, verify_email
from services.auth.accounts.store.mailed_tokens import MailedTokenStore, end_tokens_of_user
from services.auth.accounts.store.unit_of_work import Change, Ledger
from services.auth.shared import metrics
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.identifier import check_id
from services.auth.shared.domain.origin import Origin

RESET: Final = (TokenPurpose.RESET,)


class Passwords:
    """Use cases of passwords."""

    def __init__(
        self,
        accounts: AccountStore,
        tokens: MailedTokenStore,
        ledger: Ledger,
        sessions: LoginSessions,
        grants: GrantsOfUser,
        hashing: PasswordHashing,
        rules: PasswordRules,
        *,
        login_guard: Guard,
        mail_guard: Guard,
        reproof: Reproof,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._ledger = ledger
        self._sessions = sessions
        self._grants = grants
        self._hashing = hashing
        self._rules = rules
        self._login_guard = login_guard
        self._mail_guard = mail_guard
        self._reproof = reproof
        self._clock = clock

    async def request_reset(self, email: str, origin: Origin) -> None:
        """Have a link mailed. The same is done, and takes as long, whether or not the address has an account.

        Raises:
            InvalidRequest: this is not an e-mail address.
            QuotaExceeded: too many mails were asked for, for this address or from there.
        """
        address = check_email(email)
        await self._mail_guard.admit(Attempt(account_key(address), origin))
        async with self._ledger.change(origin) as change:
            await change.mail(NewMail(MailKind.RESET, address, DEFAULT_LANGUAGE))

    async def reset(self, token: str, password: str, origin: Origin) -> None:
        """Set a password by a mailed link; all sessions and refresh tokens end.

        Raises:
            Unauthenticated: INVALID_TOKEN.
            InvalidRequest: the password is not acceptable; the link can be used again.
        """
        account = await self._account_of(token)
        hashed = await self._hashing.hash(self._rules.check(password, (account.email, account.name)))
        ended = await self._sessions.others(account.id)
        async with self._ledger.change(origin) as change:
            used = await use(change, token, TokenPurpose.RESET)
            if used.user_id != account.id or await lock_account(change.connection, account.id) is None:
                raise bad_link()
            # Who could read the mail has the address.
            await verify_email(change.connection, account.id, change.at)
            await self._set(change, account, hashed, ended, EndReason.PASSWORD_RESET)
            change.note(AuditAction.PASSWORD_RESET, account.id)
        await self._sessions.forget(ended)
        await self._login_guard.forgive(Attempt(account_key(account.email), origin))
        metrics.PASSWORD_CHANGES.labels("reset").inc()

    async def change(self, user_id: str, current: str, new: str, keep_secret: str, origin: Origin) -> None:
        """Set a password by the present one; all other sessions and all refresh tokens end.

        Raises:
            NotFound: there is no such user.
            Unauthenticated: INVALID_CREDENTIALS.
            InvalidRequest: the new password is not acceptable.
        """
        account = await usable_account(self._accounts, user_id)
        await self._reproof.check_password(account, current, origin)
        hashed = await self._hashing.hash(self._rules.check(new, (account.email, account.name)))
        ended = await self._sessions.others(user_id, keep_secret)
        async with self._ledger.change(origin) as change:
            epoch = await self._set(change, account, hashed, ended, EndReason.PASSWORD_CHANGED)
            change.note(AuditAction.PASSWORD_CHANGED, account.id)
        await self._sessions.keep(user_id, keep_secret, epoch)
        await self._sessions.forget(ended)
        metrics.PASSWORD_CHANGES.labels("change").inc()

    async def _account_of(self, token: str) -> Account:
        # Looked at before the slow hash: a token that is none costs nothing.
        now = self._clock.now()
        found = await self._tokens.find(token_hash(token), RESET, now) if 1 <= len(token) <= MAX_TOKEN else None
        account = await self._accounts.find(found.user_id) if found and found.user_id else None
        if account is None or not account.is_usable:
            raise bad_link()
        return account

    async def _set(
        self, change: Change, account: Account, hashed: str, ended: list[LoginSession], reason: EndReason
    ) -> int:
        epoch = await set_password(change.connection, account.id, hashed, change.at)
        if epoch is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such user.", param="user_id")
        await end_tokens_of_user(change.connection, account.id)
        await change.revoke_sessions(ended)
        change.revocations += await self._grants.end_all(
            change.connection, account.id, reason, at=change.at, until=change.until
        )
        await change.mail(NewMail(MailKind.PASSWORD_CHANGED, account.email, account.language, account.id))
        return epoch


async def usable_account(accounts: AccountStore, user_id: str) -> Account:
    """Return the account of somebody who is logged in.

    Raises:
        NotFound: there is no such user, or it may not be used.
    """
    check_id(user_id, param="user_id", noun="user")
    account = await accounts.find(user_id)
    if account is None or not account.is_usable:
        raise NotFound(ErrorReason.NOT_FOUND, "There is no such user.", param="user_id")
    return account
