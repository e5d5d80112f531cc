"""Login by password. Neither the answer nor its timing tells whether an address has an account."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, QuotaExceeded, Unauthenticated
from services.auth.accounts import metrics
from services.auth.accounts.credentials.guess_limiter import GuessLimiter
from services.auth.accounts.credentials.password_hashing import PasswordHashing
from services.auth.accounts.credentials.reauthentication import SecondFactor, wrong_code
from services.auth.accounts.domain.email_address import MAX_EMAIL_LENGTH, account_key
from services.auth.accounts.domain.guessing import Attempt
from services.auth.accounts.domain.login_session import LoginSession
from services.auth.accounts.domain.password import PasswordRules, normal_form
from services.auth.accounts.login.login_completion import LoginCompletion
from services.auth.accounts.sessions import OpenedSession
from services.auth.accounts.store.accounts import rehash_password
from services.auth.accounts.store.unit_of_work import AccountUnits
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.origin import Origin
from services.auth.shared.store.accounts import AccountStore, lock_account

# The same for all: who has no password yet, because the account is one of release 1.0, reads here what to do.
WRONG: Final = (
    "The e-mail address or the password is wrong. An account without a password, such as one of release 1.0, gets one "
    "by the reset mail."
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the user typed."""

    email: str
    password: str = field(repr=False)
    totp_code: str = field(default="", repr=False)


class Login:
    """Opens sessions for users who know their password."""

    def __init__(
        self,
        accounts: AccountStore,
        units: AccountUnits,
        completion: LoginCompletion,
        limiter: GuessLimiter,
        hashing: PasswordHashing,
        rules: PasswordRules,
        second_factor: SecondFactor,
        *,
        clock: Clock,
    ) -> None:
        self._accounts = accounts
        self._units = units
        self._completion = completion
        self._limiter = limiter
        self._hashing = hashing
        self._rules = rules
        self._second_factor = second_factor
        self._clock = clock

    async def log_in(self, given: Credentials, origin: Origin, previous_secret: str) -> OpenedSession:
        """Open a session; the one that the browser had before ends.

        Raises:
            Unauthenticated: INVALID_CREDENTIALS, or SECOND_FACTOR_REQUIRED once the password was right.
            QuotaExceeded: too many wrong ones came before.
            Unavailable: a store is gone, or too many are logging in.
        """
        replaced = await self._completion.replaced_by_login(previous_secret)
        # Cut behind the blanks: in front of them each number of blanks would have a counter of its own.
        attempt = Attempt(account_key(given.email)[: MAX_EMAIL_LENGTH + 1], origin)
        await self._admit(attempt)
        account = await self._prove_password(given, origin)
        if account.has_totp and not given.totp_code.strip():
            await self._limiter.take_back(attempt)
            metrics.LOGINS.labels("second_factor_required").inc()
            raise Unauthenticated(ErrorReason.SECOND_FACTOR_REQUIRED, "The code of your second factor is needed.")
        account = await self._let_in(account, given, origin, replaced)
        await self._limiter.forgive(attempt)
        methods = ("pwd", "otp") if account.has_totp else ("pwd",)
        return await self._completion.open(account, origin, replaced, methods)

    async def _admit(self, attempt: Attempt) -> None:
        try:
            await self._limiter.admit(attempt)
        except QuotaExceeded:
            # Counted, not stored: a refusal must stay cheap.
            metrics.LOGINS.labels("limited").inc()
            raise

    async def _prove_password(self, given: Credentials, origin: Origin) -> Account:
        account = await self._find(given.email)
        stored = account.password_hash if account and account.is_usable else None
        # What is too long to be a password costs its sender one hash of nothing.
        entered = given.password if self._rules.is_acceptable_guess(given.password) else ""
        if await self._hashing.verify(stored, entered) and account is not None:
            return account
        user_id = account.id if account else None
        await self._completion.refuse(user_id, "wrong_password", origin, self._clock.now())
        raise _wrong()

    async def _find(self, email: str) -> Account | None:
        address = email.strip()
        # PostgreSQL refuses NUL; nobody has such an address.
        possible = 0 < len(address) <= MAX_EMAIL_LENGTH and address.isprintable()
        return await self._accounts.find_by_email(address if possible else "-")

    async def _let_in(
        self, account: Account, given: Credentials, origin: Origin, replaced: list[LoginSession]
    ) -> Account:
        new_hash = await self._new_hash(account, given.password)
        try:
            async with self._units.begin(origin) as unit:
                current = await lock_account(unit.connection, account.id)
                if current is None or not current.is_usable or current.session_epoch != account.session_epoch:
                    raise _wrong()
                if current.has_totp and not await self._second_factor.use(unit, current, given.totp_code):
                    raise wrong_code()
                if new_hash and account.password_hash:
                    await rehash_password(unit.connection, account.id, account.password_hash, new_hash)
                await self._completion.record(unit, current, origin, replaced, by="password")
        except Unauthenticated:
            await self._completion.refuse(account.id, "wrong_code", origin, self._clock.now())
            raise
        return current

    async def _new_hash(self, account: Account, password: str) -> str | None:
        if account.password_hash is None or not self._hashing.is_outdated(account.password_hash):
            return None
        return await self._hashing.hash(normal_form(password))


def _wrong() -> Unauthenticated:
    return Unauthenticated(ErrorReason.INVALID_CREDENTIALS, WRONG)
