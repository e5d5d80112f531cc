"""Counts keys by pepper: shows when an earlier pepper can be removed, and whether one is missing."""

from __future__ import annotations

import structlog

from services.auth.keys import metrics
from services.auth.keys.domain.key_hash import KeyHasher
from services.auth.keys.store.api_keys import KeyStore

log = structlog.get_logger()


class PepperCensus:
    """Counts the keys that are not revoked, by pepper."""

    def __init__(self, store: KeyStore, hasher: KeyHasher) -> None:
        self._store = store
        self._hasher = hasher

    async def run(self) -> dict[str, int]:
        """Return the counts and export them; keys whose pepper we lack are worth a person's attention."""
        counts = dict.fromkeys(("current", "previous", "legacy", "lost"), 0)
        for pepper_id, keys in (await self._store.count_by_pepper()).items():
            counts[self._name(pepper_id)] += keys
        for name, keys in counts.items():
            metrics.ACTIVE_KEYS.labels(name).set(keys)
        if counts["lost"]:
            log.error("auth.keys_without_pepper", keys=counts["lost"])
        return counts

    def _name(self, pepper_id: str) -> str:
        if not pepper_id:
            return "legacy"
        current, *previous = self._hasher.pepper_ids
        if pepper_id == current:
            return "current"
        return "previous" if pepper_id in previous else "lost"
