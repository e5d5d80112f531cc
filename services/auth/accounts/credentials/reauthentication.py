"""Reauthentication by password, second-factor code or recovery code."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import pyotp
import structlog

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, Unauthenticated
from servicekit.trust.sealing import CannotOpen, Sealer
from services.auth.accounts.credentials.guess_limiter import GuessLimiter
from services.auth.accounts.credentials.password_hashing import PasswordHashing
from services.auth.accounts.domain.guessing import Attempt
from services.auth.accounts.domain.password import PasswordRules
from services.auth.accounts.sessions import LoginSessions
from services.auth.accounts.store.second_factor import use_recovery_code, use_step
from services.auth.accounts.store.unit_of_work import AccountUnit, AccountUnits
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.origin import Origin
from services.auth.shared.domain.session import must_prove
from services.auth.shared.store.accounts import lock_account

log = structlog.get_logger()

STEP_S: Final = 30
# The telephone's clock may be one step off (RFC 6238 5.2).
STEPS_OFF: Final = (0, -1, 1)
RECOVERY_CODES: Final = 10
# 16 of 32 letters: 80 bits, too many to try even without a slow hash.
RECOVERY_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
RECOVERY_LENGTH: Final = 16


class SecondFactor:
    """Second factors: TOTP codes (RFC 6238) and recovery codes."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def new_secret(self, user_id: str) -> tuple[str, bytes]:
        """Return a secret and its sealed form."""
        secret = pyotp.random_base32()
        return secret, self._sealer.seal(secret.encode(), user_id)

    async def use(self, unit: AccountUnit, account: Account, code: str) -> bool:
        """Use a code up within a unit of work; tell whether it counted."""
        entered = "".join(code.split()).replace("-", "").upper()
        if len(entered) == RECOVERY_LENGTH:
            return await use_recovery_code(unit.connection, account.id, recovery_hash(entered), unit.at)
        step = self._step_of(account, entered, unit.at)
        return step is not None and await use_step(unit.connection, account.id, step)

    def _step_of(self, account: Account, entered: str, now: datetime) -> int | None:
        if account.totp_sealed is None or len(entered) != 6 or not (entered.isascii() and entered.isdecimal()):
            return None
        try:
            totp = pyotp.TOTP(self._sealer.open(account.totp_sealed, account.id).decode())
        except CannotOpen:
            # The secret it was sealed with is configured no more: the person needs a recovery code.
            log.error("auth.totp_cannot_be_opened", user_id=account.id)
            return None
        current = int(now.timestamp()) // STEP_S
        matching = [
            current + off for off in STEPS_OFF if secrets.compare_digest(totp.generate_otp(current + off), entered)
        ]
        return matching[0] if matching else None


@dataclass(frozen=True, slots=True)
class Proof:
    """What a user shows to reauthenticate. The session's secret counts, too, while the login is fresh."""

    password: str = field(default="", repr=False)
    totp_code: str = field(default="", repr=False)
    session_secret: str = field(default="", repr=False)


class Reauthentication:
    """Somebody who is logged in proves it once more, before what an unattended screen must not do."""

    def __init__(
        self,
        limiter: GuessLimiter,
        hashing: PasswordHashing,
        rules: PasswordRules,
        second_factor: SecondFactor,
        sessions: LoginSessions,
        units: AccountUnits,
        *,
        clock: Clock,
    ) -> None:
        self._limiter = limiter
        self._hashing = hashing
        self._rules = rules
        self._second_factor = second_factor
        self._sessions = sessions
        self._units = units
        self._clock = clock

    async def prove(self, account: Account, proof: Proof, origin: Origin) -> None:
        """Return when the proof is good: the password, or a code of the second factor in its place.

        Who has neither logs in by another provider: that login must be fresh. No proof at all is never enough.

        Raises:
            Unauthenticated: INVALID_CREDENTIALS.
            QuotaExceeded: too many were wrong.
        """
        if account.has_totp and proof.totp_code.strip() and not proof.password:
            await self._check_code(account, proof.totp_code, origin)
        elif account.password_hash is not None:
            await self.check_password(account, proof.password, origin)
        elif account.has_totp:
            raise wrong_code()
        else:
            await self._check_login(account, proof.session_secret)

    async def renew(self, session_secret: str, proof: Proof, origin: Origin) -> None:
        """Have a session count as fresh again.

        Raises:
            Unauthenticated: INVALID_TOKEN: there is no such session; INVALID_CREDENTIALS: the proof is not good.
            QuotaExceeded: too many were wrong.
        """
        found = await self._sessions.look(session_secret)
        if found is None:
            raise Unauthenticated(ErrorReason.INVALID_TOKEN, "You are not logged in.")
        session, account = found
        await self.prove(account, proof, origin)
        await self._sessions.note_proof(session)

    async def _check_login(self, account: Account, session_secret: str) -> None:
        session = await self._sessions.find(session_secret) if session_secret else None
        if session is None:
            raise must_prove()
        session.check_fresh(account.id, self._clock.now())

    async def _check_code(self, account: Account, code: str, origin: Origin) -> None:
        attempt = self.attempt(account, origin)
        await self._limiter.admit(attempt)
        async with self._units.begin(origin) as unit:
            locked = await lock_account(unit.connection, account.id)
            if locked is None or not await self._second_factor.use(unit, locked, code):
                raise wrong_code()
        await self._limiter.forgive(attempt)

    async def check_password(self, account: Account, password: str, origin: Origin) -> None:
        """Return when this is the account's password.

        Raises:
            Unauthenticated: INVALID_CREDENTIALS: it is not, or there is none.
            QuotaExceeded: too many were wrong.
        """
        attempt = self.attempt(account, origin)
        await self._limiter.admit(attempt)
        acceptable = self._rules.is_acceptable_guess(password)
        if not acceptable or not await self._hashing.verify(account.password_hash, password):
            raise wrong_password()
        await self._limiter.forgive(attempt)

    def attempt(self, account: Account, origin: Origin) -> Attempt:
        """Return what guesses inside a session are counted by: not what logins are, which strangers can use up."""
        return Attempt(f"within:{account.id}", origin)


def new_recovery_codes() -> list[str]:
    """Return codes in groups of four letters."""
    return ["-".join(_letters(4) for _ in range(RECOVERY_LENGTH // 4)) for _ in range(RECOVERY_CODES)]


def recovery_hash(code: str) -> bytes:
    """Return what a recovery code is stored as, however its groups are written."""
    return hashlib.sha256(code.replace("-", "").upper().encode("utf-8", "surrogatepass")).digest()


async def lock_proved(unit: AccountUnit, proved: Account) -> Account:
    """Return the account, which nobody else changes until the commit: what was proved of it is true still.

    Raises:
        Unauthenticated: INVALID_CREDENTIALS: another password was set since, or the account is shut.
    """
    current = await lock_account(unit.connection, proved.id)
    if current is None or not current.is_usable or current.session_epoch != proved.session_epoch:
        raise wrong_password()
    return current


def wrong_password() -> Unauthenticated:
    """Return the refusal of a password within a session."""
    return Unauthenticated(ErrorReason.INVALID_CREDENTIALS, "The password is wrong.", param="password")


def wrong_code() -> Unauthenticated:
    """Return the refusal of a second factor's code."""
    return Unauthenticated(ErrorReason.INVALID_CREDENTIALS, "The code is wrong or was used before.", param="totp_code")


def _letters(count: int) -> str:
    return "".join(secrets.choice(RECOVERY_LETTERS) for _ in range(count))
