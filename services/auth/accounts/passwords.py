"""Changing a password, with the current one or by a mailed link; both end what was opened with the old one."""

from __future__ import annotations

from typing import Final

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound
from services.auth.accounts import metrics
from services.auth.accounts.account_lookup import usable_account
from services.auth.accounts.credentials.guess_limiter import GuessLimiter
from services.auth.accounts.credentials.password_hashing import PasswordHashing
from services.auth.accounts.credentials.reauthentication import Reauthentication, lock_proved
from services.auth.accounts.domain.email_address import account_key, check_email
from services.auth.accounts.domain.guessing import Attempt
from services.auth.accounts.domain.login_session import LoginSession
from services.auth.accounts.domain.mail import MAX_TOKEN, MailedToken, MailKind, NewMail, TokenPurpose, token_hash
from services.auth.accounts.domain.password import PasswordRules
from services.auth.accounts.domain.profile import DEFAULT_LANGUAGE
from services.auth.accounts.grants_of_user import EndReason, GrantsOfUser
from services.auth.accounts.mail.links import bad_link, use_link
from services.auth.accounts.sessions import LoginSessions
from services.auth.accounts.store.accounts import set_password, verify_email
from services.auth.accounts.store.mailed_tokens import MailedTokenStore, end_tokens_of_user
from services.auth.accounts.store.unit_of_work import AccountUnit, AccountUnits
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.origin import Origin
from services.auth.shared.store.accounts import AccountStore, lock_account

# What sets a password: a link that somebody asked for, and the one that invites who has none.
LINKS: Final = (TokenPurpose.RESET, TokenPurpose.CLAIM)


class Passwords:
    """Use cases of passwords."""

    def __init__(
        self,
        accounts: AccountStore,
        tokens: MailedTokenStore,
        units: AccountUnits,
        sessions: LoginSessions,
        grants: GrantsOfUser,
        hashing: PasswordHashing,
        rules: PasswordRules,
        *,
        login_limiter: GuessLimiter,
        mail_limiter: GuessLimiter,
        reauthentication: Reauthentication,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._units = units
        self._sessions = sessions
        self._grants = grants
        self._hashing = hashing
        self._rules = rules
        self._login_limiter = login_limiter
        self._mail_limiter = mail_limiter
        self._reauthentication = reauthentication
        self._clock = clock

    async def request_reset(self, email: str, origin: Origin) -> None:
        """Have a link mailed. The same is done, and takes as long, whether or not the address has an account.

        Raises:
            InvalidRequest: this is not an e-mail address.
            QuotaExceeded: too many mails were asked for, for this address or from there.
        """
        address = check_email(email)
        await self._mail_limiter.admit(Attempt(account_key(address), origin))
        async with self._units.begin(origin) as unit:
            await unit.mail(NewMail(MailKind.RESET, address, DEFAULT_LANGUAGE))

    async def reset(self, token: str, password: str, origin: Origin) -> None:
        """Set a password by a mailed link; all sessions and refresh tokens end.

        By an invitation only where there is none yet; it ends no grant, for nothing was opened with an old password.

        Raises:
            Unauthenticated: INVALID_TOKEN.
            InvalidRequest: the password is not acceptable; the link can be used again.
        """
        account = await self._account_of(token)
        hashed = await self._hashing.hash(self._rules.check(password, (account.email, account.name)))
        ended = await self._sessions.others(account.id)
        async with self._units.begin(origin) as unit:
            used = await use_link(unit, token, *LINKS)
            await self._check_link(unit, used, account)
            # Who could read the mail has the address.
            await verify_email(unit.connection, account.id, unit.at)
            is_first = used.purpose is TokenPurpose.CLAIM
            await self._set(unit, account, hashed, ended, None if is_first else EndReason.PASSWORD_RESET)
            unit.note(AuditAction.PASSWORD_RESET, account.id, link=used.purpose.value)
        await self._sessions.forget(ended)
        await self._login_limiter.forgive(Attempt(account_key(account.email), origin))
        metrics.PASSWORD_CHANGES.labels(used.purpose.value).inc()

    async def _check_link(self, unit: AccountUnit, used: MailedToken, account: Account) -> None:
        current = await lock_account(unit.connection, account.id)
        if current is None or used.user_id != current.id:
            raise bad_link()
        # The address may have changed while the mail was written, or by what release 1.0 changed since: the mail went
        # to somebody else.
        if account_key(used.email) != account_key(current.email):
            raise bad_link()
        if used.purpose is TokenPurpose.CLAIM and current.password_hash is not None:
            raise bad_link()

    async def change(self, user_id: str, current: str, new: str, keep_secret: str, origin: Origin) -> None:
        """Set a password by the present one; all other sessions and all refresh tokens end.

        Raises:
            NotFound: there is no such user.
            Unauthenticated: INVALID_CREDENTIALS.
            InvalidRequest: the new password is not acceptable.
        """
        account = await usable_account(self._accounts, user_id)
        await self._reauthentication.check_password(account, current, origin)
        hashed = await self._hashing.hash(self._rules.check(new, (account.email, account.name)))
        ended = await self._sessions.others(user_id, keep_secret)
        async with self._units.begin(origin) as unit:
            # A link that its owner followed meanwhile has set another one: whoever knows the old one comes too late.
            await lock_proved(unit, account)
            epoch = await self._set(unit, account, hashed, ended, EndReason.PASSWORD_CHANGED)
            unit.note(AuditAction.PASSWORD_CHANGED, account.id)
        await self._sessions.keep(user_id, keep_secret, epoch)
        await self._sessions.forget(ended)
        metrics.PASSWORD_CHANGES.labels("change").inc()

    async def _account_of(self, token: str) -> Account:
        # Looked at before the slow hash: a token that is none costs nothing.
        now = self._clock.now()
        found = await self._tokens.find(token_hash(token), LINKS, now) if 1 <= len(token) <= MAX_TOKEN else None
        account = await self._accounts.find(found.user_id) if found and found.user_id else None
        if account is None or not account.is_usable:
            raise bad_link()
        return account

    async def _set(
        self, unit: AccountUnit, account: Account, hashed: str, ended: list[LoginSession], reason: EndReason | None
    ) -> int:
        epoch = await set_password(unit.connection, account.id, hashed, unit.at)
        if epoch is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such user.", param="user_id")
        await end_tokens_of_user(unit.connection, account.id)
        await unit.revoke_sessions(ended)
        if reason is not None:
            await self._grants.end_all(unit, account.id, reason)
        await unit.mail(NewMail(MailKind.PASSWORD_CHANGED, account.email, account.language, account.id))
        return epoch
