"""What people see and change of their own accounts."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.auth.accounts.account_lookup import usable_account
from services.auth.accounts.credentials.guess_limiter import GuessLimiter
from services.auth.accounts.credentials.reauthentication import Proof, Reauthentication, lock_proved
from services.auth.accounts.domain.email_address import account_key, check_email
from services.auth.accounts.domain.guessing import Attempt
from services.auth.accounts.domain.mail import MailKind, NewMail
from services.auth.accounts.domain.profile import check_language, check_name
from services.auth.accounts.store.accounts import update_profile
from services.auth.accounts.store.unit_of_work import AccountUnit, AccountUnits
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.origin import Origin
from services.auth.shared.domain.time_zone import check_time_zone
from services.auth.shared.store.accounts import AccountStore


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """Changes of a profile; None: unchanged. A new address needs reauthentication."""

    name: str | None = None
    language: str | None = None
    time_zone: str | None = None
    email: str | None = None
    proof: Proof = field(default_factory=Proof)


class Profiles:
    """Use cases of profiles."""

    def __init__(
        self,
        accounts: AccountStore,
        units: AccountUnits,
        mail_limiter: GuessLimiter,
        reauthentication: Reauthentication,
    ) -> None:
        self._accounts = accounts
        self._units = units
        self._mail_limiter = mail_limiter
        self._reauthentication = reauthentication

    async def get(self, user_id: str) -> Account:
        """Return the account.

        Raises:
            NotFound: there is no such user.
        """
        return await usable_account(self._accounts, user_id)

    async def update(self, user_id: str, wanted: ProfileChange, origin: Origin) -> Account:
        """Change what is given; a new address counts only when a link mailed to it was followed.

        Raises:
            NotFound: there is no such user.
            InvalidRequest: a field is wrong.
            Unauthenticated: INVALID_CREDENTIALS: a new address needs a proof.
        """
        account = await usable_account(self._accounts, user_id)
        name = None if wanted.name is None else check_name(wanted.name)
        language = None if wanted.language is None else check_language(wanted.language)
        time_zone = None if wanted.time_zone is None else check_time_zone(wanted.time_zone)
        address = await self._check_new_address(account, wanted, origin)
        async with self._units.begin(origin) as unit:
            if address is not None:
                await lock_proved(unit, account)
            if (name, language, time_zone) != (None, None, None):
                await update_profile(
                    *(unit.connection, account.id),
                    name=name,
                    language=language,
                    time_zone=time_zone,
                    at=unit.at,
                )
                unit.note(AuditAction.PROFILE_CHANGED, account.id)
            if address is not None:
                await self._ask_for_address(unit, account, address, language or account.language)
        return await usable_account(self._accounts, user_id)

    async def _check_new_address(self, account: Account, wanted: ProfileChange, origin: Origin) -> str | None:
        if wanted.email is None or wanted.email.strip() == account.email:
            return None
        address = check_email(wanted.email)
        await self._reauthentication.prove(account, wanted.proof, origin)
        await self._mail_limiter.admit(Attempt(account_key(address), origin))
        return address

    async def _ask_for_address(self, unit: AccountUnit, account: Account, address: str, language: str) -> None:
        await unit.mail(NewMail(MailKind.EMAIL_CHANGE, address, language, account.id))
        await unit.mail(NewMail(MailKind.EMAIL_CHANGED, account.email, language, account.id))
        unit.note(AuditAction.EMAIL_CHANGE_ASKED, account.id)
