"""Sums of spending, and the cost of a single request."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from servicekit.errors import ErrorReason, NotFound, invalid_parameter
from services.usage.domain.identifiers import is_uuid
from services.usage.domain.model_caller import ModelCaller
from services.usage.domain.record import UsageRecord
from services.usage.domain.spend import Spend, parse_subject, span_of
from services.usage.store import UsageStore

MOST_CALLERS: Final = 1000
MOST_MODELS: Final = 500
MOST_PARTS: Final = 1000
SpendPart = tuple[str, datetime | None, datetime | None]
"""Whose spending, from which moment until before which (None: no such end)."""


class Spending:
    """Answers questions about stored requests."""

    def __init__(self, store: UsageStore) -> None:
        self._store = store

    async def sum_between(
        self, user_id: str, subject: str, since: datetime | None, until: datetime | None = None
    ) -> Spend:
        """Return what the subject spent from one moment until before another; None: without that end.

        Raises:
            InvalidRequest: the subject is malformed or another user.
        """
        return await self._store.sum_spend(parse_subject(user_id, subject), span_of(since, until))

    async def sum_of_many(self, parts: Sequence[SpendPart]) -> int:
        """Return what users spent together, each in a span of their own, in micro-roubles.

        Raises:
            InvalidRequest: too many parts, or one without a user.
        """
        if len(parts) > MOST_PARTS:
            text = f"Ask for {MOST_PARTS} parts at most."
            raise invalid_parameter("parts", text)
        subjects = [parse_subject(user_id, f"user:{user_id}") for user_id, _, _ in parts]
        spans = [span_of(since, until) for _, since, until in parts]
        whose = [subject.user_id for subject in subjects]
        return await self._store.sum_of_users(list(zip(whose, spans, strict=True)))

    async def callers_of(self, models: Sequence[str], since: date, limit: int) -> list[ModelCaller]:
        """Return who has called any of the models from a UTC day on, most requests first.

        Raises:
            InvalidRequest: too many models, or the limit is out of bounds.
        """
        if not 1 <= limit <= MOST_CALLERS:
            raise invalid_parameter("limit", f"The limit must be 1 to {MOST_CALLERS}.")
        if len(models) > MOST_MODELS or any("\0" in model for model in models):
            raise invalid_parameter("models", f"Give the ids of {MOST_MODELS} models at most.")
        return await self._store.callers_of(models, since, limit) if models else []

    async def find_request(self, user_id: str, request_id: str) -> UsageRecord:
        """Return one request of this user, by its id of 1.1 or, if it was brought over, by that of release 1.0.

        Raises:
            NotFound: it is absent or someone else's.
        """
        if "\0" not in user_id + request_id:
            found = await self._store.find_of_user(user_id, request_id) if is_uuid(request_id) else None
            # Release 1.0's may look like one of ours, and have become another: a UUIDv7 that tells another time.
            known = None if found else await self._store.find_imported_id(request_id)
            found = await self._store.find_of_user(user_id, known) if known else found
            if found is not None:
                return found
        raise NotFound(ErrorReason.NOT_FOUND, "No such request.", param="id")
