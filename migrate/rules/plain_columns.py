"""Columns of plain values: the verdicts of `plain` on many cells at once, in a third of the time; or none for all.

Where one cell of a column is not plain, nothing is said of any: each row is asked by itself then.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from operator import truediv
from typing import Any, Final

from migrate.rules.money import MAX_MICRO_RUB
from migrate.rules.whole_numbers import MAX_TOKENS

_BETWEEN: Final = "\n"
# Of ids in their usual form, with a sign between them.
_STEP: Final = 37
_DASHES: Final = (8, 13, 18, 23)
_VERSION: Final = 14
_SIZE: Final = 16
_MICRO: Final = 1e6


def plain_ids(cells: Sequence[Any]) -> list[bytes] | None:
    """Return the bytes of UUIDs in their usual form, none of them of version 7."""
    try:
        joined = _BETWEEN.join(cells)
    except TypeError:
        return None
    if len(joined) != _STEP * len(cells) - 1 or not _are_spelt_as_usual(joined, len(cells)):
        return None
    # Every dash and every break that there is has its place, if so many digits are left.
    digits = joined.replace("-", "").replace(_BETWEEN, "")
    raw = _from_hex(digits)
    if len(digits) != 2 * _SIZE * len(cells) or len(raw) != _SIZE * len(cells):
        return None
    return [raw[place : place + _SIZE] for place in range(0, len(raw), _SIZE)]


def _are_spelt_as_usual(joined: str, count: int) -> bool:
    return (
        all(joined[place::_STEP] == "-" * count for place in _DASHES)
        and joined[_STEP - 1 :: _STEP] == _BETWEEN * (count - 1)
        and "7" not in joined[_VERSION::_STEP]
        and joined == joined.lower()
    )


def _from_hex(digits: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return b""


def are_plain_tokens(cells: Sequence[Any]) -> bool:
    """Tell whether all are numbers of tokens."""
    return {int}.issuperset(map(type, cells)) and min(cells) >= 0 and max(cells) <= MAX_TOKENS


def plain_costs(cells: Sequence[Any]) -> list[int] | None:
    """Return costs in micro-roubles of doubles, for the reason that `plain_cost` has."""
    if not {float}.issuperset(map(type, cells)):
        return None
    try:
        micros = list(map(round, map(_MICRO.__mul__, cells)))
    except (ValueError, OverflowError):  # no number, or without end
        return None
    is_exact = list(map(truediv, micros, repeat(_MICRO))) == list(cells)
    return micros if is_exact and min(micros) >= 0 and max(micros) <= MAX_MICRO_RUB else None
