"""Verifying an API key: the one use case on the path of every request."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, Unauthenticated
from servicekit.lifecycle import Background
from services.auth.keys import metrics
from services.auth.keys.domain import api_key
from services.auth.keys.domain.api_key import SecretForm
from services.auth.keys.domain.key_hash import KeyHash, KeyHasher, matches
from services.auth.keys.last_use import LastUse
from services.auth.keys.store.api_keys import KeyStore, rehash_key
from services.auth.keys.store.key_rows import HeldKey
from services.auth.shared.domain.audit import SYSTEM, AuditAction, AuditEvent
from services.auth.shared.domain.budget import Budget, Caps
from services.auth.shared.domain.caller import Caller
from services.auth.shared.domain.model_names import joined
from services.auth.shared.domain.scope import OPERATOR_SCOPES
from services.auth.shared.domain.tier import Tier, TierLimits
from services.auth.shared.store.caps import CapStore
from services.auth.shared.store.model_names import ModelNameStore
from services.auth.shared.store.unit_of_work import UnitOfWork, UnitsOfWork

# One sentence for keys that never were, keys that were mistyped and keys that are over.
INVALID_KEY_MESSAGE: Final = "The API key is not valid."


class KeyVerifier:
    """Finds the holder of a key."""

    def __init__(
        self,
        store: KeyStore,
        names: ModelNameStore,
        caps: CapStore,
        hasher: KeyHasher,
        units: UnitsOfWork,
        limits: Mapping[Tier, TierLimits],
        last_use: LastUse,
        *,
        clock: Clock,
        background: Background,
    ) -> None:
        self._store = store
        self._names = names
        self._caps = caps
        self._hasher = hasher
        self._units = units
        self._limits = limits
        self._last_use = last_use
        self._clock = clock
        self._background = background
        self._moving: set[str] = set()

    async def verify(self, secret: str) -> Caller:
        """Return the holder of a valid key.

        Raises:
            Unauthenticated: INVALID_KEY: unknown, mistyped, revoked, disabled or expired, no telling which.
        """
        if api_key.form_of(secret) is SecretForm.MISTYPED:
            raise _refused("mistyped")
        candidates = self._hasher.candidates(secret)
        held = await self._store.find([candidate.digest for candidate in candidates])
        # The comparison is made for unknown keys too: they take the same steps as revoked ones.
        genuine = matches(held.stored.digest if held else None, candidates)
        if held is None or not genuine:
            raise _refused("unknown")
        caller = await self._usable(held)
        if held.stored != candidates[0]:
            self._move_over(held, candidates[0], secret)
        return caller

    async def holder(self, user_id: str, key_id: str) -> Caller:
        """Return the holder of a valid key that nobody shows: of work that its caller has ordered before.

        Raises:
            Unauthenticated: INVALID_KEY, as above, or it is another user's.
        """
        held = await self._store.find_by_id(user_id, key_id)
        if held is None:
            raise _refused("unknown")
        return await self._usable(held)

    async def _usable(self, held: HeldKey) -> Caller:
        now = self._clock.now()
        if held.key.is_revoked():
            raise _refused("revoked")
        if held.key.is_disabled:
            raise _refused("disabled")
        if held.key.is_expired(now):
            raise _refused("expired")
        metrics.VERIFICATIONS.labels("valid").inc()
        self._last_use.mark(held.key.id, now)
        of_user, of_key = await self._names.find(held.key.user_id, held.key.lineage_id)
        caps = await self._caps.find(held.key.user_id, f"key:{held.key.lineage_id}")
        return self._caller(held, joined(of_user, of_key), caps)

    def _move_over(self, held: HeldKey, current: KeyHash, secret: str) -> None:
        # Not awaited: the key is valid whether or not its row can be rewritten now; the next use tries again.
        if held.key.id not in self._moving:
            self._moving.add(held.key.id)
            self._background.start(self._rehash(held, current, api_key.shown_parts(secret)), name="rehash")

    async def _rehash(self, held: HeldKey, current: KeyHash, shown: tuple[str, str]) -> None:
        try:
            if await self._units.run(partial(_rehash, held, current, shown)):
                metrics.KEYS_REHASHED.inc()
        finally:
            self._moving.discard(held.key.id)

    def _caller(self, held: HeldKey, model_names: Mapping[str, str], caps: Caps) -> Caller:
        key = held.key
        budgets: tuple[Budget, ...] = ()
        if key.budget is not None:
            budgets = (Budget(f"key:{key.lineage_id}", key.budget.period, key.budget.limit_micro_rub),)
        return Caller(
            user_id=key.user_id,
            key_id=key.id,
            key_name=key.name,
            tier=held.tier,
            scopes=key.scopes if held.owner_is_admin else key.scopes - OPERATOR_SCOPES,
            models=key.models,
            ip_allow_list=key.ip_allow_list,
            limits=self._limits[held.tier],
            budgets=(*budgets, *caps.budgets, *self._limits[held.tier].ceiling_of(key.user_id)),
            quotas=caps.quotas,
            expires_at=key.expires_at,
            time_zone=held.time_zone,
            model_names=model_names,
            cache_ttl_s=key.cache_ttl_s,
            from_1_0=held.is_imported,
            lineage_id=key.lineage_id,
        )


async def _rehash(held: HeldKey, current: KeyHash, shown: tuple[str, str], unit: UnitOfWork) -> bool:
    if not await rehash_key(unit.connection, held, current, shown):
        return False
    details = {"from": held.stored.kind.value}
    unit.record(AuditEvent(unit.at, SYSTEM, AuditAction.KEY_REHASHED, f"key:{held.key.id}", details))
    return True


def _refused(outcome: str) -> Unauthenticated:
    metrics.VERIFICATIONS.labels(outcome).inc()
    return Unauthenticated(ErrorReason.INVALID_KEY, INVALID_KEY_MESSAGE)
