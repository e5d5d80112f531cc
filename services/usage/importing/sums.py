"""The statement that adds a month of rows of release 1.0 to the rollups: as `adding`, of what such rows can hold.

They are told apart by less than rows of 1.1 and have fewer sums, so that hours are counted of rows, and days of hours:
half of what it costs to count each rollup of rows.
"""

from __future__ import annotations

from typing import Final

from servicekit.postgres import sql
from services.usage.domain.record import COLUMNS
from services.usage.domain.rollup import SUMS
from services.usage.importing import copy_rows
from services.usage.store.column_sql import listed
from services.usage.store.rollups import ADD, COUNTED, ROLLUPS, WEEK_KEYS, RollupTable, into_tags

# What a row that COPY brings has in columns that it does not name, as the table's defaults say.
_ALWAYS: Final = {
    "key_id": "''", "grant_id": "''", "client_id": "''", "status": "'completed'", "endpoint": "''", "error_code": "''",
}  # fmt: skip
_TOLD_APART: Final = ("user_id", "provider", "model")
_OF_ROWS: Final = {"requests": "count(*)"} | {
    column.name: column.read.format(f"sum({column.stored_as})")
    for column in COLUMNS
    if column.summed and column.stored_as in copy_rows.COLUMNS
}
_SLOTS_OF_HOUR: Final = {
    "day": "(hour AT TIME ZONE 'UTC')::date",
    "week": "date_trunc('week', hour AT TIME ZONE 'UTC')::date",
}
# Hours and days are put in the order of their largest tables once: those are filled as they come, which spares a sort
# of wide rows each, and what is coarser is counted of neighbours.
_KEY_OF_HOURS: Final = ("user_id", "hour", "provider", "model")
_KEY_OF_DAYS: Final = ("user_id", "day", "provider", "model")
_STATEMENT: Final = """
    WITH hours AS MATERIALIZED (
        SELECT {told_apart}, date_bin('1 hour', created_at, '2000-01-01 00:00:00+00') AS hour, {of_rows}
        FROM usage.{table}
        GROUP BY {told_apart}, hour
        ORDER BY {key_of_hours}
    ),
    days AS MATERIALIZED (
        SELECT {told_apart}, {slots}, {of_hours}
        FROM hours
        GROUP BY {told_apart}, day, week
        ORDER BY {key_of_days}
    ),
    {rollups},
    counted AS (SELECT {counted} FROM usage.{table} WHERE metadata <> '{{}}'),
    {tags}
    SELECT coalesce(sum(requests), 0)::bigint FROM days
"""
_INTO_ROLLUP: Final = """
    {name} AS (
        INSERT INTO usage.{name} AS old ({key}, {names})
        SELECT {values}, {sums}
        FROM {grain}
        {grouped}
        ORDER BY {places}
        {onto}
    )
"""
_ONTO: Final = "ON CONFLICT ({key}) DO UPDATE SET {add}"


def adding_month(table: str, *, is_new: bool) -> str:
    """Return the statement that adds the rows of a table, all of one import, to every rollup; it tells how many.

    Args:
        table: with rows of one month.
        is_new: nobody has sums of its days yet, else the statement fails; it takes two thirds of the time.
    """
    return sql(
        _STATEMENT,
        table=table,
        told_apart=listed(_TOLD_APART),
        key_of_hours=listed(_KEY_OF_HOURS),
        key_of_days=listed(_KEY_OF_DAYS),
        of_rows=listed(f"{expression} AS {name}" for name, expression in _OF_ROWS.items()),
        slots=listed(f"{expression} AS {name}" for name, expression in _SLOTS_OF_HOUR.items()),
        of_hours=listed(f"sum({name})::bigint AS {name}" for name in _OF_ROWS),
        rollups=listed(_into(rollup, is_new=is_new) for rollup in (WEEK_KEYS, *ROLLUPS)),
        counted=COUNTED,
        tags=into_tags(listed(f"sum({name})" for name in SUMS)),
    )


def _into(rollup: RollupTable, *, is_new: bool) -> str:
    grain, slot = ("hours", "hour") if "hour" in rollup.key else ("days", "day")
    varying = [name for name in rollup.key if name not in _ALWAYS]
    is_grain = {*_TOLD_APART, slot} <= set(varying)
    places = listed(str(place) for place, name in enumerate(rollup.key, 1) if name in varying)
    one = "{}" if is_grain else "sum({})"
    return sql(
        _INTO_ROLLUP,
        name=rollup.name,
        key=listed(rollup.key),
        names=listed(SUMS),
        values=listed(_ALWAYS.get(name, name) for name in rollup.key),
        sums=listed(one.format(name) if name in _OF_ROWS else "0" for name in SUMS),
        grain=grain,
        grouped="" if is_grain else f"GROUP BY {places}",
        places=places,
        # A week may be shared with the month beside it.
        onto="" if is_new and rollup is not WEEK_KEYS else sql(_ONTO, key=listed(rollup.key), add=ADD),
    )
