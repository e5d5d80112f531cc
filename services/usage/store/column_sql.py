"""Parts of statements that follow from the columns of the record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from services.usage.domain.record import COLUMNS


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
# The same sums, counted from rows.
SUM_OF_ROWS: Final = listed(
    ["count(*) AS requests"]
    + [f"{column.read.format(f'sum({column.stored_as})')} AS {column.name}" for column in COLUMNS if column.summed]
)
