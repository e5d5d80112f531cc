"""Model aliases: read and set by their owner, for all keys or for one."""

from __future__ import annotations

from collections.abc import Mapping

from servicekit.errors import ErrorReason, NotFound
from services.auth.shared.audit_events import event_of_call
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.identifier import check_id
from services.auth.shared.domain.model_names import check_names
from services.auth.shared.store.accounts import lock_account
from services.auth.shared.store.model_names import ALL, ModelNameStore, save_names
from services.auth.shared.store.unit_of_work import UnitOfWork, UnitsOfWork


class ModelNaming:
    """Use cases of model aliases."""

    def __init__(self, store: ModelNameStore, units: UnitsOfWork) -> None:
        self._store = store
        self._units = units

    async def get(self, user_id: str, key_id: str) -> dict[str, str]:
        """Return the names of one key, or ("") of all that the user has.

        Raises:
            NotFound: the user has no such key.
        """
        of_user, of_key = await self._store.find(user_id, await self._line(user_id, key_id))
        return of_key if key_id else of_user

    async def set(self, user_id: str, key_id: str, names: Mapping[str, str]) -> dict[str, str]:
        """Replace the names; return them as stored. Gateways follow within seconds.

        Raises:
            InvalidRequest: a name or a model is none.
            NotFound: the user has no such key, or does not exist.
        """
        checked, line = check_names(names), await self._line(user_id, key_id)

        async def save(unit: UnitOfWork) -> None:
            owner = await lock_account(unit.connection, user_id)
            if owner is None or not owner.is_usable:
                raise NotFound(ErrorReason.NOT_FOUND, "There is no such user.", param="user_id")
            async with unit.rows_of(user_id):
                await save_names(unit.connection, user_id, line, checked, unit.at)
            subject = f"key:{key_id}" if key_id else f"user:{user_id}"
            unit.record(
                event_of_call(unit.at, f"user:{user_id}", AuditAction.MODELS_NAMED, subject, names=", ".join(checked))
            )

        await self._units.run(save)
        return checked

    async def _line(self, user_id: str, key_id: str) -> str:
        check_id(user_id, param="user_id", noun="user")
        if not key_id:
            return ALL
        check_id(key_id, param="key_id", noun="key")
        line = await self._store.line_of(user_id, key_id)
        if line is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such key.", param="key_id")
        return line
