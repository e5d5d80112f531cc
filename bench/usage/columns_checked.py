"""Whether figures of rows that were sent twice are right: one user in a hundred, counted in another way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from bench.usage.dataset import USERS
from servicekit.postgres import sql
from services.usage.column_store.column_reader import ColumnReader
from services.usage.column_store.engine import ColumnEngine
from services.usage.column_store.schema import NAMES
from services.usage.domain.record import SUMMED
from services.usage.statistics.domain.query import Query

CHOSEN: Final = tuple([f"user-{number}" for number in range(50, USERS, 100)])
_CHOSEN: Final = "user_id IN ({chosen})".format(chosen=", ".join(f"'{user}'" for user in CHOSEN))
# What is summed and a column of a row as it is.
_PLAIN: Final = tuple([name for name in SUMMED if name in NAMES])
# A twentieth of their rows is corrected: sent once more with another cost, as the feed does.
CORRECT: Final = """
    INSERT INTO usage_rows ({names})
    SELECT {corrected} FROM usage_rows WHERE {chosen} AND cityHash64(id) % 20 = 0
"""
_CORRECTED: Final = {"cost_micro_rub": "cost_micro_rub + 1", "feed": "feed + 1"}
# Neither FINAL nor the order of the table: of each id the values that came last.
COUNT: Final = """
    SELECT user_id, count(), {sums}
    FROM (SELECT user_id, id, {newest} FROM usage_rows AS r WHERE {chosen} GROUP BY user_id, id)
    GROUP BY user_id
"""


async def check(engine: ColumnEngine) -> str:
    """Return what was found.

    Raises:
        AssertionError: the figures of a user are not those that were counted.
    """
    await engine.run(
        sql(
            CORRECT,
            names=", ".join(NAMES),
            corrected=", ".join(_CORRECTED.get(name, name) for name in NAMES),
            chosen=_CHOSEN,
        )
    )
    counted = await _counted(engine)
    answered = {user_id: await _answered(engine, user_id) for user_id in CHOSEN}
    assert answered == counted, "figures differ from those counted in another way"
    rows = sum(each[0] for each in counted.values())
    return (
        f"- Figures of {len(CHOSEN)} users ({rows:,} rows, a twentieth of them corrected) are those that were counted "
        "in another way, to the micro-rouble."
    )


async def _counted(engine: ColumnEngine) -> dict[str, tuple[int, ...]]:
    statement = sql(
        COUNT,
        sums=", ".join(f"sum({name})" for name in _PLAIN),
        newest=", ".join(f"argMax(r.{name}, r.feed) AS {name}" for name in _PLAIN),
        chosen=_CHOSEN,
    )
    return {user_id: tuple(map(int, sums)) for user_id, *sums in await engine.ask(statement, {}, None)}


async def _answered(engine: ColumnEngine, user_id: str) -> tuple[int, ...]:
    query = Query(user_id, datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC), "UTC")
    (row,) = await ColumnReader(engine).figures(query, 2**63 - 1)
    return (row.figures.requests, *[getattr(row.figures, name) for name in _PLAIN])
