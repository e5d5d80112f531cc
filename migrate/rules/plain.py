"""Values of the plain shape, read in parts of a microsecond: the verdict of the slow rules, or none at all.

What is none here may be kept, repaired or refused there. Values are as `Scan.cells` yields them: texts are decoded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from migrate.rules.money import MAX_MICRO_RUB
from migrate.rules.times import EPOCH, Reading, read_time
from migrate.rules.verdict import Kept, Text
from migrate.rules.whole_numbers import MAX_TOKENS

# Not of version 7: the time within would have to be compared.
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-689a-f][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]").fullmatch
_REST: Final = re.compile(r"(?:\.([0-9]{1,9}))?(Z|\+00:00)?").fullmatch
_SECOND: Final = 1_000_000
_MINUTES: Final = {
    f"{hour:02}:{minute:02}:": (hour * 60 + minute) * 60 * _SECOND for hour in range(24) for minute in range(60)
}
_SECONDS: Final = {f"{second:02}": second * _SECOND for second in range(60)}
_WITHIN_HOUR: Final = {
    f"{minute:02}:{second:02}": (minute * 60 + second) * _SECOND for minute in range(60) for second in range(60)
}
_ENDS: Final = ("00:00:00", "23:59:59.999999")
_MICRO: Final = 1e6
_TOO_MUCH: Final = (MAX_MICRO_RUB + 1) // 1_000_000


def plain_id(cell: object) -> bytes | None:
    """Return the bytes of a UUID in its usual form."""
    if type(cell) is str and _ID(cell):
        return bytes.fromhex(cell.replace("-", ""))
    return None


def plain_tokens(cell: object) -> int | None:
    """Return a number of tokens."""
    return cell if type(cell) is int and 0 <= cell <= MAX_TOKENS else None


def plain_cost(cell: object) -> int | None:
    """Return a cost in micro-roubles.

    The double nearest to a decimal of up to 15 digits has this decimal as its shortest form, which the slow rule reads;
    and a quotient of whole numbers is the nearest.
    """
    if type(cell) is float and 0 <= cell < _TOO_MUCH:
        micro = round(cell * _MICRO)
        return micro if micro / _MICRO == cell else None
    if type(cell) is int and 0 <= cell < _TOO_MUCH:
        return cell * 1_000_000
    return None


class PlainTimes:
    """Reads times that say their zone, or have a blank and so are UTC, as microseconds since 1970."""

    def __init__(self, reading: Reading) -> None:
        """`reading` says how the slow rule would read them."""
        self._days = _Days(reading)
        self._hours = _Hours(self._days)

    def column(self, cells: Sequence[Any]) -> list[int] | None:
        """Return moments, unless one of them is not plain."""
        hours = self._hours
        try:
            return [hours[cell[:14]] + _WITHIN_HOUR[cell[14:]] for cell in cells]
        except (KeyError, TypeError):  # with parts of a second, perhaps
            found = list(map(self.micros, cells))
        return None if None in found else found  # type: ignore[return-value]

    def micros(self, cell: object) -> int | None:
        """Return a moment."""
        if type(cell) is not str:
            return None
        try:
            whole = self._days[cell[:11]] + _MINUTES[cell[11:17]] + _SECONDS[cell[17:19]]
        except KeyError:
            return None
        return whole if len(cell) == 19 and cell[10] == " " else _with_rest(whole, cell)


def _with_rest(whole: int, cell: str) -> int | None:
    found = _REST(cell, 19)
    if found is None or (found[2] is None and cell[10] == "T"):
        return None
    fraction = (found[1] or "").ljust(6, "0")
    # More digits than PostgreSQL keeps are cut, which is told: the slow way.
    return None if fraction[6:].strip("0") else whole + int(fraction[:6])


class _Days(dict[str, int]):
    """The first microsecond of each day all of whose moments are kept, by its text up to the time."""

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self._reading = reading

    def __missing__(self, start: str) -> int:
        if not _DAY(start):
            raise KeyError(start)
        first, last = (
            read_time(Text(f"{start[:10]} {clock}".encode()), self._reading)
            for clock in ("00:00:00", "23:59:59.999999")
        )
        if not isinstance(first, Kept) or not isinstance(last, Kept):
            raise KeyError(start)
        self[start] = int((first.value - EPOCH).total_seconds()) * _SECOND
        return self[start]


class _Hours(dict[str, int]):
    """The first microsecond of each hour by its text, a blank between day and time."""

    def __init__(self, days: _Days) -> None:
        super().__init__()
        self._days = days

    def __missing__(self, start: object) -> int:
        if type(start) is not str or start[10:11] != " ":
            raise KeyError(start)
        self[start] = self._days[start[:11]] + _MINUTES[start[11:] + "00:"]
        return self[start]
