"""The rollup tables: sums that grow in the transaction that inserts the rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from servicekit.postgres import sql
from services.usage.domain.rollup import SUMS, Rollups, Sums
from services.usage.store.column_sql import listed, parameters
from services.usage.store.connection import Connection


def _adding(table: str, key: dict[str, str], amounts: Sequence[str]) -> str:
    """Return the statement that adds amounts to the rows of a rollup; `key` has its primary key and the types."""
    return sql(
        """
        INSERT INTO {table} AS stored ({key}, {amounts})
        SELECT {key}, {amounts}
        FROM unnest({parameters}) AS added ({key}, {amounts})
        ON CONFLICT ({key}) DO UPDATE
        SET {additions}
        """,
        table=table,
        key=listed(key),
        amounts=listed(amounts),
        parameters=parameters([*key.values(), *["bigint"] * len(amounts)]),
        additions=listed(f"{name} = stored.{name} + excluded.{name}" for name in amounts),
    )


# All: rows come sorted by primary key, so that two writers take row locks in one order.
_MODEL: Final = {"provider": "text", "model": "text"}
_CALL: Final = {**_MODEL, "status": "text", "endpoint": "text", "error_code": "text"}
ADD_TO_DAY: Final = _adding(
    "usage.rollup_day",
    {"user_id": "text", "day": "date", "key_id": "text", "grant_id": "text", "client_id": "text", **_CALL},
    SUMS,
)
ADD_TO_USER_HOUR: Final = _adding(
    "usage.rollup_hour_user", {"user_id": "text", "hour": "timestamptz", **_MODEL, "status": "text"}, SUMS
)
ADD_TO_USER_DAY: Final = _adding("usage.rollup_day_user", {"day": "date", "user_id": "text"}, SUMS)
ADD_TO_LATENCY: Final = _adding(
    "usage.rollup_hour_latency",
    {"hour": "timestamptz", **_MODEL, "metric": "text", "bucket": "smallint"},
    ["requests"],
)
ADD_TO_PLATFORM: Final = _adding("usage.rollup_hour_platform", {"hour": "timestamptz", **_CALL}, SUMS)
ADD_TO_PLATFORM_DAY: Final = _adding("usage.rollup_day_platform", {"day": "date", **_CALL}, SUMS)


async def add(connection: Connection, changes: Rollups) -> None:
    """Add the amounts to the rollups.

    The platform's rows come last: every writer needs the same few, so they are locked for the shortest time.
    """
    if not changes.day:
        return
    await connection.execute(ADD_TO_DAY, *_sum_columns(changes.day))
    await connection.execute(ADD_TO_USER_HOUR, *_sum_columns(changes.user_hour))
    await connection.execute(ADD_TO_USER_DAY, *_sum_columns(changes.user_day))
    if changes.latency:  # rows of release 1.0 have none
        await connection.execute(ADD_TO_LATENCY, *_columns((*key, count) for key, count in changes.latency))
    await connection.execute(ADD_TO_PLATFORM, *_sum_columns(changes.platform))
    await connection.execute(ADD_TO_PLATFORM_DAY, *_sum_columns(changes.platform_day))


def _sum_columns(amounts: Sequence[tuple[tuple[object, ...], Sums]]) -> list[tuple[Any, ...]]:
    return _columns((*key, *sums) for key, sums in amounts)


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True))
