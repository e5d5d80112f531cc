"""Deletes expired rows that nobody can use or misuse any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from servicekit.clock import Clock
from services.auth.oauth.settings import LONGEST_GRACE
from services.auth.oauth.store.clients import ClientStore
from services.auth.oauth.store.codes import CodeStore
from services.auth.oauth.store.grants import GrantStore
from services.auth.oauth.store.refresh_tokens import RefreshStore

# How long the traces of what is over stay, to tell reuse from guessing.
KEPT: Final = timedelta(days=7)


class OAuthHousekeeping:
    """Deletes expired rows that nobody can use or misuse any more."""

    def __init__(
        self, codes: CodeStore, refresh: RefreshStore, grants: GrantStore, clients: ClientStore, *, clock: Clock
    ) -> None:
        self._codes = codes
        self._refresh = refresh
        self._grants = grants
        self._clients = clients
        self._clock = clock

    async def run(self) -> None:
        """Delete codes, refresh tokens, grants and applications that have been over for a week."""
        now = self._clock.now()
        before = now - KEPT
        await self._refresh.clear_salts(now - LONGEST_GRACE)
        await self._refresh.forget(before)
        await self._grants.forget(before)
        await self._codes.forget(before)
        await self._clients.forget(before)
