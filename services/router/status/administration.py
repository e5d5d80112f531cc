"""What administrators see and order of providers; auth has verified who they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound, Unavailable
from servicekit.postgres import UNUSABLE
from services.router.circuits.circuits import Circuits
from services.router.circuits.domain.news import CircuitView, Drain
from services.router.circuits.domain.target import Target
from services.router.circuits.sharing import CircuitSharing
from services.router.circuits.store import CircuitStore
from services.router.domain.catalog import Catalog
from services.router.status.domain.health import ModelHealth
from services.router.status.store import StatusStore

log = structlog.get_logger()


class ProviderAdministration:
    """Drains and resets on every replica: stored first, then announced."""

    def __init__(
        self,
        circuits: Circuits,
        sharing: CircuitSharing,
        stores: tuple[CircuitStore, StatusStore],
        catalog: Callable[[], Catalog],
        clock: Clock,
    ) -> None:
        self._circuits = circuits
        self._sharing = sharing
        self._store, self._statuses = stores
        self._catalog = catalog
        self._clock = clock

    async def circuits(self) -> tuple[list[CircuitView], list[Drain]]:
        """Return the circuits that this replica knows, and the drains.

        Raises:
            Unavailable: PostgreSQL cannot be used.
        """
        try:
            drains = await self._store.find_drains()
        except UNUSABLE as exc:
            raise _no_database() from exc
        return self._circuits.views(), drains

    def reset(self, scope: Target) -> list[Target]:
        """Close circuits, here and at the peers, and return which were not closed.

        Raises:
            NotFound: no such provider, credential or model.
        """
        return self._circuits.reset(self._known(scope))

    async def drain(self, scope: Target, reason: str, by: str) -> None:
        """Send nothing more to what is within the scope, on any replica.

        Raises:
            NotFound: no such provider, credential or model.
            Unavailable: PostgreSQL cannot be used.
        """
        try:
            await self._store.save_drain(Drain(self._known(scope), reason, by, self._clock.now()))
        except UNUSABLE as exc:
            raise _no_database() from exc
        await self._sharing.announce()
        log.warning("router.drained", provider=scope.provider, model=scope.model, by=by)

    async def undrain(self, scope: Target) -> None:
        """Take a drain back.

        Raises:
            NotFound: there is none of exactly this scope.
            Unavailable: PostgreSQL cannot be used.
        """
        try:
            was_drained = await self._store.delete_drain(self._by_id(scope))
        except UNUSABLE as exc:
            raise _no_database() from exc
        if not was_drained:
            text = "There is no drain of exactly this scope. See `drains` of GET /v1/admin/providers/circuits."
            raise NotFound(ErrorReason.NOT_FOUND, text, param="provider")
        await self._sharing.announce()
        log.warning("router.undrained", provider=scope.provider, credential=scope.credential, model=scope.model)

    async def history(self, provider: str, model: str, limit: int) -> list[ModelHealth]:
        """Return statuses as they began, newest first; an empty name stands for all.

        Raises:
            Unavailable: PostgreSQL cannot be used.
        """
        try:
            return await self._statuses.find_history(provider, model, limit)
        except UNUSABLE as exc:
            raise _no_database() from exc

    def _known(self, scope: Target) -> Target:
        """Return the scope with its model's id, whichever of its names was given."""
        catalog = self._catalog()
        providers = {model.provider for model in catalog.models}
        if scope.provider not in providers:
            raise _unknown("provider", scope.provider, providers)
        named = self._by_id(scope)
        known = {model.id for model in catalog.models if model.provider == scope.provider}
        if named.model and named.model not in known:
            raise _unknown("model", scope.model, known)
        credentials = self._circuits.pools.of(scope.provider)
        if named.credential and named.credential not in credentials:
            raise _unknown("credential", scope.credential, credentials)
        return named

    def _by_id(self, scope: Target) -> Target:
        model = self._catalog().find(scope.model)
        return scope if model is None else scope._replace(model=model.id)


def _unknown(field: str, given: str, known: Iterable[str]) -> NotFound:
    names = ", ".join(sorted(known))
    text = f"There is no {field} '{given[:128]}' here (field `{field}`); known are: {names}."
    return NotFound(ErrorReason.NOT_FOUND, text, param=field)


def _no_database() -> Unavailable:
    text = "Orders are kept in PostgreSQL, which cannot be used now. Try again later."
    return Unavailable(ErrorReason.DATABASE_ERROR, text, retry_after_s=5.0)
