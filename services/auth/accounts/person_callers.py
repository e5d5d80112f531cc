"""Logged-in people as callers of the API: the console calls it in their name."""

from __future__ import annotations

from collections.abc import Mapping

from services.auth.shared.domain.account import Account
from services.auth.shared.domain.caller import Caller
from services.auth.shared.domain.scope import in_person
from services.auth.shared.domain.tier import Tier, TierLimits
from services.auth.shared.store.caps import CapStore
from services.auth.shared.store.model_names import ModelNameStore


class PersonCallers:
    """Tells what a logged-in person may do, within the limits of the account: there is no key or grant with its own."""

    def __init__(self, names: ModelNameStore, caps: CapStore, limits: Mapping[Tier, TierLimits]) -> None:
        self._names = names
        self._caps = caps
        self._limits = limits

    async def of(self, account: Account) -> Caller:
        """Return the caller that an account's owner is."""
        caps = await self._caps.find(account.id, "")
        limits = self._limits[account.tier]
        return Caller(
            user_id=account.id,
            key_id="",
            key_name="",
            tier=account.tier,
            scopes=in_person(is_admin=account.is_admin),
            models=(),
            ip_allow_list=(),
            limits=limits,
            budgets=(*caps.budgets, *limits.ceiling_of(account.id)),
            quotas=caps.quotas,
            expires_at=None,
            time_zone=account.time_zone,
            model_names=(await self._names.find(account.id))[0],
        )
