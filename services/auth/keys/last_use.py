"""Records when keys were last used, in batches every few seconds instead of on each request."""

from __future__ import annotations

from datetime import datetime

from services.auth.keys.store.api_keys import KeyStore


class LastUse:
    """Holds the latest use of each key since the last flush."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._used_at: dict[str, datetime] = {}

    def mark(self, key_id: str, at: datetime) -> None:
        """Note a use."""
        self._used_at[key_id] = at

    async def flush(self) -> None:
        """Write what was noted in one statement; when that fails it stays noted."""
        if not self._used_at:
            return
        writing, self._used_at = self._used_at, {}
        try:
            await self._store.touch(writing)
        except BaseException:
            # What was noted meanwhile is newer.
            self._used_at = writing | self._used_at
            raise
