"""The interface that reads the input of pattern detection, and its PostgreSQL implementation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.usage.catalog_facts.domain.facts import Facts
from services.usage.insights.domain.material import HourUse, Material, first_day, window_begins
from services.usage.insights.store import sums
from services.usage.store.connection import Connection


class ReadsMaterial(Protocol):
    """Reads sums of one user's rows, on the analysis's connection and in its transaction."""

    async def hours(self, connection: Connection, user_id: str, since: datetime) -> Sequence[HourUse]:
        """Return the hours with requests since a moment."""
        ...

    async def material(self, connection: Connection, user_id: str, facts: Facts, now: datetime) -> Material:
        """Return the sums of one user's last weeks."""
        ...


class PostgresMaterial:
    """Reads rollups and rows."""

    async def hours(self, connection: Connection, user_id: str, since: datetime) -> Sequence[HourUse]:
        """Return the hours with requests since a moment."""
        return await sums.read_hours(connection, user_id, since)

    async def material(self, connection: Connection, user_id: str, facts: Facts, now: datetime) -> Material:
        """Return the sums of one user's last weeks."""
        since = window_begins(now)
        return Material(
            now=now,
            zone="UTC",
            facts=facts,
            hours=await sums.read_hours(connection, user_id, since),
            days=await sums.read_days(connection, user_id, first_day(now)),
            minutes=await sums.read_minutes(connection, user_id, since),
            models=await sums.read_models(connection, user_id, since),
            errors=await sums.read_errors(connection, user_id, since),
            repeats=await sums.read_repeats(connection, user_id, since),
            retries=await sums.read_retries(connection, user_id, now),
            first_tokens=await sums.read_first_tokens(connection, user_id, since),
        )
