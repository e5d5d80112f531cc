"""Parts of statements that follow from the columns of the record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from services.usage.domain.record import COLUMNS, DERIVED


def listed(items: Iterable[str]) -> str:
    """Return the items as SQL lists them."""
    return ", ".join(items)


def parameters(types: Iterable[str]) -> str:
    """Return array parameters of these types, in order."""
    return listed(f"${number}::{sql_type}[]" for number, sql_type in enumerate(types, 1))


# What a row has to be read for.
READ: Final = listed(
    column.read.format(column.stored_as) + (f" AS {column.name}" if column.read != "{}" else "") for column in COLUMNS
)
_WAS_STREAMED: Final = "first_token_ms > 0 AND cache_status <> 'hit'"
_DERIVED_FROM_ROWS: Final = {
    "errors": "count(*) FILTER (WHERE status = 'failed')",
    "output_ms": f"coalesce(sum(greatest(latency_ms - first_token_ms, 0)) FILTER (WHERE {_WAS_STREAMED}), 0)",
    "tokens_streamed": (
        f"coalesce(sum(greatest(tokens_output - tokens_reasoning, 0)) FILTER (WHERE {_WAS_STREAMED}), 0)"
    ),
}
# The same sums, counted from rows.
SUM_OF_ROWS: Final = listed(
    ["count(*) AS requests"]
    + [f"{column.read.format(f'sum({column.stored_as})')} AS {column.name}" for column in COLUMNS if column.summed]
    + [f"{_DERIVED_FROM_ROWS[name]} AS {name}" for name in DERIVED]
)
