"""Enabling and disabling the second factor (TOTP)."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Final

import pyotp
import segno

from servicekit.errors import Conflict, ErrorReason
from services.auth.accounts.account_lookup import usable_account
from services.auth.accounts.credentials.guess_limiter import GuessLimiter
from services.auth.accounts.credentials.reauthentication import (
    Proof,
    Reauthentication,
    SecondFactor,
    lock_proved,
    new_recovery_codes,
    recovery_hash,
    wrong_code,
)
from services.auth.accounts.domain.mail import MailKind, NewMail
from services.auth.accounts.store.second_factor import begin_totp, disable_totp, enable_totp
from services.auth.accounts.store.unit_of_work import AccountUnits
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.origin import Origin
from services.auth.shared.store.accounts import AccountStore, lock_account

ISSUER: Final = "Razvilka"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The TOTP secret for the user's authenticator application, in three forms."""

    secret: str = field(repr=False)
    otpauth_uri: str = field(repr=False)
    qr_svg: str = field(repr=False)


class Totp:
    """Use cases of the second factor."""

    def __init__(
        self,
        accounts: AccountStore,
        units: AccountUnits,
        second_factor: SecondFactor,
        limiter: GuessLimiter,
        reauthentication: Reauthentication,
    ) -> None:
        self._accounts = accounts
        self._units = units
        self._second_factor = second_factor
        self._limiter = limiter
        self._reauthentication = reauthentication

    async def enroll(self, user_id: str, proof: Proof, origin: Origin) -> Enrolment:
        """Return a fresh secret, which replaces one that was never confirmed.

        Raises:
            NotFound: there is no such user.
            Conflict: the second factor is on.
            Unauthenticated: INVALID_CREDENTIALS: the proof is not good.
        """
        account = await usable_account(self._accounts, user_id)
        if account.has_totp:
            raise _already_on()
        await self._reauthentication.prove(account, proof, origin)
        secret, sealed = self._second_factor.new_secret(account.id)
        async with self._units.begin(origin) as unit:
            await lock_proved(unit, account)
            if not await begin_totp(unit.connection, account.id, sealed):
                raise _already_on()
            unit.note(AuditAction.TOTP_BEGUN, account.id)
        uri = pyotp.TOTP(secret).provisioning_uri(name=account.email, issuer_name=ISSUER)
        picture = _picture(uri)
        return Enrolment(secret, uri, picture)

    async def confirm(self, user_id: str, code: str, origin: Origin) -> list[str]:
        """Switch the second factor on by a first code; return the recovery codes, which are shown this once.

        Raises:
            NotFound: there is no such user.
            Conflict: it is on.
            Unauthenticated: INVALID_CREDENTIALS: the code is wrong.
        """
        account = await usable_account(self._accounts, user_id)
        attempt = self._reauthentication.attempt(account, origin)
        await self._limiter.admit(attempt)
        codes = new_recovery_codes()
        async with self._units.begin(origin) as unit:
            locked = await lock_account(unit.connection, account.id)
            if locked is None or locked.has_totp:
                raise _already_on()
            if not await self._second_factor.use(unit, locked, code):
                raise wrong_code()
            await enable_totp(unit.connection, account.id, [recovery_hash(each) for each in codes], unit.at)
            await unit.mail(_notice(MailKind.TOTP_ENABLED, account))
            unit.note(AuditAction.TOTP_ENABLED, account.id)
        await self._limiter.forgive(attempt)
        return codes

    async def disable(self, user_id: str, password: str, code: str, origin: Origin) -> None:
        """Switch the second factor off by the password, where there is one, and a code or a recovery code.

        Raises:
            NotFound: there is no such user.
            Conflict: it is off.
            Unauthenticated: INVALID_CREDENTIALS.
        """
        account = await usable_account(self._accounts, user_id)
        if account.password_hash is not None:
            await self._reauthentication.check_password(account, password, origin)
        attempt = self._reauthentication.attempt(account, origin)
        await self._limiter.admit(attempt)
        async with self._units.begin(origin) as unit:
            locked = await lock_proved(unit, account)
            if not locked.has_totp:
                raise Conflict(ErrorReason.CONFLICT, "The second factor is off.")
            if not await self._second_factor.use(unit, locked, code):
                raise wrong_code()
            await disable_totp(unit.connection, account.id, unit.at)
            await unit.mail(_notice(MailKind.TOTP_DISABLED, account))
            unit.note(AuditAction.TOTP_DISABLED, account.id)
        await self._limiter.forgive(attempt)


def _already_on() -> Conflict:
    return Conflict(ErrorReason.CONFLICT, "The second factor is on already.")


def _notice(kind: MailKind, account: Account) -> NewMail:
    return NewMail(kind, account.email, account.language, account.id)


def _picture(uri: str) -> str:
    drawn = io.BytesIO()
    segno.make(uri, error="m").save(drawn, kind="svg", scale=4, border=4, light="#fff", title="QR", xmldecl=False)
    return drawn.getvalue().decode()
