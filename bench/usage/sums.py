"""The rollups of rows that lie there already: each is summed up once, the coarse ones from the days.

Ingest adds a batch to all of them at once and looks for each sum in an index: of ten million rows that takes ten times
as long. What comes out is the same; a test has the service compare it with the rows.
"""

from __future__ import annotations

from typing import Final

from servicekit.postgres import sql
from services.usage.domain.rollup import SUMS
from services.usage.store.column_sql import SLOTS_OF_ROW, SUM_OF_ROWS, listed
from services.usage.store.rollups import COUNTED, ROLLUPS, TAGS, WEEK_KEYS, RollupTable, count_latency

_OF_ROWS: Final = "SELECT {key_of_rows}, {sum_of_rows} FROM usage.usage GROUP BY {positions}"
_OF_DAYS: Final = "SELECT {key_of_days}, {added_up} FROM usage.rollup_day GROUP BY {positions}"
_OF_TAGGED_ROWS: Final = """
    SELECT {key_of_rows}, {sum_of_rows}
    FROM usage.usage
    CROSS JOIN LATERAL (
        SELECT '' AS tag
        UNION ALL
        SELECT name || '=' || value FROM jsonb_each_text(metadata) AS pair (name, value)
    ) AS tags
    WHERE metadata <> '{{}}'
    GROUP BY {positions}
"""
# In the order of time, in which ingest would have written them.
_FILL: Final = """
    INSERT INTO usage.{name} ({key}, {sums})
    SELECT {key}, {sums} FROM ({rows}) AS summed ORDER BY {slot}, {key}
"""
_FILL_LATENCY: Final = """
    WITH counted AS (SELECT {counted} FROM usage.usage)
    INSERT INTO usage.rollup_hour_latency (hour, provider, model, metric, bucket, requests)
    {count}
"""
_FILL_TAG_DAYS: Final = """
    INSERT INTO usage.rollup_tag_days (user_id, day, tags)
    SELECT user_id, day, count(*) FROM usage.rollup_day_tag GROUP BY user_id, day ORDER BY day, user_id
"""


def _filling(table: RollupTable, rows: str) -> str:
    summed = sql(
        rows,
        key_of_rows=listed(f"{SLOTS_OF_ROW.get(name, name)} AS {name}" for name in table.key),
        key_of_days=listed(f"{SLOTS_OF_DAY.get(name, name)} AS {name}" for name in table.key),
        sum_of_rows=SUM_OF_ROWS,
        added_up=listed(f"sum({name}) AS {name}" for name in SUMS),
        positions=listed(str(place) for place, _ in enumerate(table.key, 1)),
    )
    slot = next(name for name in table.key if name in SLOTS_OF_ROW)
    return sql(_FILL, name=table.name, key=listed(table.key), sums=listed(SUMS), rows=summed, slot=slot)


SLOTS_OF_DAY: Final = {"week": "date_trunc('week', day::timestamp)::date"}
_DAYS: Final = next(table for table in ROLLUPS if table.name == "rollup_day")
_HOURLY: Final = [table for table in ROLLUPS if "hour" in table.key]
_COARSE: Final = [table for table in (WEEK_KEYS, *ROLLUPS) if table not in (_DAYS, *_HOURLY)]

# Statements of one list follow each other; the lists may run side by side.
FILLINGS: Final = (
    [_filling(_DAYS, _OF_ROWS), *[_filling(table, _OF_DAYS) for table in _COARSE]],
    [
        *[_filling(table, _OF_ROWS) for table in _HOURLY],
        sql(_FILL_LATENCY, counted=COUNTED, count=count_latency()),
        _filling(TAGS, _OF_TAGGED_ROWS),
        _FILL_TAG_DAYS,
    ],
)
