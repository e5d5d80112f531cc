"""Looks up the accounts of logged-in users."""

from __future__ import annotations

from servicekit.errors import ErrorReason, NotFound
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.identifier import check_id
from services.auth.shared.store.accounts import AccountStore


async def usable_account(accounts: AccountStore, user_id: str) -> Account:
    """Return the account of somebody who is logged in.

    Raises:
        NotFound: there is no such user, or it may not be used.
    """
    check_id(user_id, param="user_id", noun="user")
    account = await accounts.find_usable(user_id)
    if account is None:
        raise NotFound(ErrorReason.NOT_FOUND, "There is no such user.", param="user_id")
    return account
