"""Accounts as OAuth sees them."""

from __future__ import annotations

from services.auth.accounts.store.accounts import AccountStore
from services.auth.shared.domain.person import Person


class AccountPeople:
    """What OAuth asks of people (`domain.person.People`)."""

    def __init__(self, accounts: AccountStore) -> None:
        self._accounts = accounts

    async def find(self, user_id: str) -> Person | None:
        """Return who has this account; None when it may not be used."""
        account = await self._accounts.find(user_id)
        if account is None or not account.is_usable:
            return None
        return Person(
            user_id=account.id,
            email=account.email,
            tier=account.tier,
            updated_at=account.updated_at,
            email_verified=account.email_verified_at is not None,
            name=account.name or None,
            language=account.language,
            time_zone=account.time_zone,
            is_admin=account.is_admin,
        )
