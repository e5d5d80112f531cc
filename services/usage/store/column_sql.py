"""SQL fragments derived from the columns of the record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from services.usage.domain.record import COLUMNS, DERIVED


def listed(items: Iterable[str]) -> str:
    """Return the items as SQL lists them."""
    return ", ".join(items)


# What a row has to be read for.
READ: Final = listed(
    column.read.format(column.stored_as) + (f" AS {column.name}" if column.read != "{}" else "") for column in COLUMNS
)
# The slots of rollups that a row lies in.
SLOTS_OF_ROW: Final = {
    "day": "(created_at AT TIME ZONE 'UTC')::date",
    "week": "date_trunc('week', created_at AT TIME ZONE 'UTC')::date",
    "hour": "date_trunc('hour', created_at, 'UTC')",
}
_STREAMED: Final = "CASE WHEN first_token_ms > 0 AND cache_status <> 'hit' THEN {} ELSE 0 END"
_DERIVED_OF_ROW: Final = {
    "errors": "CASE WHEN status = 'failed' THEN 1 ELSE 0 END",
    "output_ms": _STREAMED.format("greatest(latency_ms - first_token_ms, 0)"),
    "tokens_streamed": _STREAMED.format("greatest(tokens_output - tokens_reasoning, 0)"),
}
# What a row adds to each sum.
AMOUNTS_OF_ROW: Final = (
    {"requests": "1"}
    | {column.name: column.read.format(column.stored_as) for column in COLUMNS if column.summed}
    | {name: _DERIVED_OF_ROW[name] for name in DERIVED}
)
# The same sums, counted from rows.
SUM_OF_ROWS: Final = listed(
    ["count(*) AS requests"]
    + [f"{column.read.format(f'sum({column.stored_as})')} AS {column.name}" for column in COLUMNS if column.summed]
    + [f"sum({_DERIVED_OF_ROW[name]}) AS {name}" for name in DERIVED]
)
