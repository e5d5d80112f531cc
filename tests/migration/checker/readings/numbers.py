"""Money as micro-roubles and tokens, in fractions: nothing is rounded on the way."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Final

from tests.migration.checker.cells import Cell
from tests.migration.checker.readings.meaning import Meaning

MICRO: Final = 1_000_000
LARGEST_COST: Final = 10_000 * MICRO - 1
LARGEST_TOKENS: Final = 2**31 - 1
_DECIMAL: Final = re.compile(rb" *([0-9]{1,9}(?:\.[0-9]{1,30})?) *")
_WHOLE: Final = re.compile(rb" *([0-9]{1,19}) *")


def exact_roubles(cell: Cell) -> Fraction | None:
    """Return what a cost says, to the last digit."""
    if cell.kind == "integer" or (cell.kind == "real" and math.isfinite(cell.raw)):
        return Fraction(repr(cell.raw))
    found = _DECIMAL.fullmatch(cell.raw) if cell.kind == "text" else None
    return None if found is None else Fraction(found[1].decode())


def read_cost(cell: Cell) -> Meaning | None:
    """Return whole micro-roubles, rounded half even."""
    roubles = exact_roubles(cell)
    if roubles is None or roubles < 0:
        return None
    micro = round(roubles * MICRO)
    is_plain = cell.kind != "text" and micro == roubles * MICRO
    return Meaning(micro, is_plain) if micro <= LARGEST_COST else None


def read_tokens(cell: Cell) -> Meaning | None:
    """Return a number of tokens."""
    if cell.kind == "integer":
        number = cell.raw
    elif cell.kind == "real" and math.isfinite(cell.raw) and cell.raw == math.floor(cell.raw):
        number = int(cell.raw)
    elif cell.kind == "text" and (found := _WHOLE.fullmatch(cell.raw)):
        number = int(found[1])
    else:
        return None
    return Meaning(number, cell.kind == "integer") if 0 <= number <= LARGEST_TOKENS else None
