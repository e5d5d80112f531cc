"""Checks that an actor is an administrator."""

from __future__ import annotations

from servicekit.errors import ErrorReason, PermissionDenied
from services.auth.shared.domain.identifier import check_id
from services.auth.shared.store.accounts import AccountStore


class Administrators:
    """Checks whether a user is an administrator."""

    def __init__(self, accounts: AccountStore) -> None:
        self._accounts = accounts

    async def check(self, user_id: str) -> None:
        """Return when the user is one.

        Raises:
            PermissionDenied: they are none.
        """
        check_id(user_id, param="admin_user_id", noun="user")
        account = await self._accounts.find_usable(user_id)
        if account is None or not account.is_admin:
            raise PermissionDenied(ErrorReason.PERMISSION_DENIED, "Only an administrator may do this.")
