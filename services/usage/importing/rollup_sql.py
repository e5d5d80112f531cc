"""What a set of imported rows adds to the rollups, or takes off them: one statement a rollup, counted by PostgreSQL."""

from __future__ import annotations

from typing import Final

from servicekit.postgres import sql
from services.usage.domain.rollup import SUMS
from services.usage.store.column_sql import SUM_OF_ROWS, listed

# By bytes, as all writers sort: they wait for each other's rows in one order.
_TEXTS: Final = ("user_id", "key_id", "grant_id", "client_id", "provider", "model", "status", "endpoint", "error_code")
_OF_ROW: Final = {
    **{name: f'{name} COLLATE "C"' for name in _TEXTS},
    "day": "(created_at AT TIME ZONE 'UTC')::date",
    "hour": "date_trunc('hour', created_at, 'UTC')",
}
_CALL: Final = ("provider", "model", "status", "endpoint", "error_code")
# In the order in which all writers lock them.
_KEYS: Final = {
    "rollup_day": ("user_id", "day", "key_id", "grant_id", "client_id", *_CALL),
    "rollup_hour_user": ("user_id", "hour", "provider", "model", "status"),
    "rollup_day_user": ("day", "user_id"),
    "rollup_hour_platform": ("hour", *_CALL),
    "rollup_day_platform": ("day", *_CALL),
}
_ADD: Final = """
    INSERT INTO usage.{table} AS stored ({key}, {names})
    SELECT {key}, {amounts}
    FROM (
        SELECT {key_of_rows}, {sum_of_rows}
        FROM usage.import_rows
        GROUP BY {positions}
    ) AS counted
    ORDER BY {positions}
    ON CONFLICT ({key}) DO UPDATE
    SET {additions}
"""


def _statement(table: str, key: tuple[str, ...], sign: str) -> str:
    return sql(
        _ADD,
        table=table,
        key=listed(key),
        names=listed(SUMS),
        amounts=listed(f"{sign}{name}" for name in SUMS),
        key_of_rows=listed(f"{_OF_ROW[name]} AS {name}" for name in key),
        sum_of_rows=SUM_OF_ROWS,
        positions=listed(str(position) for position in range(1, len(key) + 1)),
        additions=listed(f"{name} = stored.{name} + excluded.{name}" for name in SUMS),
    )


# Nobody measured the latency of these rows: the rollup of latencies does not know them.
ADD_ROLLUPS: Final = tuple(_statement(table, key, "") for table, key in _KEYS.items())
TAKE_OFF_ROLLUPS: Final = tuple(_statement(table, key, "-") for table, key in _KEYS.items())
