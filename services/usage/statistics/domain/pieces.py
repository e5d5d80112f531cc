"""How buckets of any zone are put together from sums of whole UTC hours or days, and from rows where they do not fit.

A bucket rarely begins where a slot of a rollup does. Each boundary is rounded to a slot, whole slots are counted, and
the rows between the boundary and where it was rounded to are moved from one bucket to the other. So a year of Moscow's
days costs a year of daily sums and three hours of rows a day, and is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

# Where a slot of each length begins: an hour, a day, a week.
_MONDAY: Final = datetime(1970, 1, 5, tzinfo=UTC)
OUTSIDE: Final = 0


@dataclass(frozen=True, slots=True)
class Move:
    """Rows from a moment until before another that were counted in a bucket and belong to another.

    Buckets count from 1; OUTSIDE is none of them.
    """

    since: datetime
    until: datetime
    counted_in: int
    belongs_to: int


@dataclass(frozen=True, slots=True)
class Pieces:
    """How buckets map to whole slots: their beginnings, the end of the last one, and rows to be moved."""

    starts: tuple[datetime, ...]
    ends_at: datetime
    moves: tuple[Move, ...]


def split(moves: Sequence[Move], slot: timedelta) -> tuple[list[Move], list[Move]]:
    """Return the moves that are whole slots of a finer rollup, and what is left of each on either side for rows.

    An end of a move is rounded to the nearest slot, and rows that this moved too far are moved back.
    """
    whole: list[Move] = []
    rest: list[Move] = []
    for move in moves:
        # Most questions end now: behind that there is nothing to read, before it there is.
        begin = _up(move.since, slot) if move.belongs_to == OUTSIDE else _nearest(move.since, slot)
        end = _nearest(move.until, slot)
        if begin >= end:
            rest.append(move)
            continue
        whole.append(replace(move, since=begin, until=end))
        edges = (_edge(move, move.since, begin), _edge(move, end, move.until))
        rest += [edge for edge in edges if edge.since < edge.until]
    return whole, rest


def _edge(move: Move, since: datetime, until: datetime) -> Move:
    """Return the move of what lies between two moments; back, where the second is the earlier one."""
    if since <= until:
        return replace(move, since=since, until=until)
    return Move(until, since, counted_in=move.belongs_to, belongs_to=move.counted_in)


def cut(boundaries: Sequence[datetime], slot: timedelta) -> Pieces:
    """Return the pieces of buckets that lie between boundaries: one more than there are buckets.

    The last one is rounded up: most questions end now, and behind it there is nothing to move.
    """
    *inner, end = boundaries
    rounded = [_nearest(boundary, slot) for boundary in inner]
    rounded.append(_up(end, slot))
    last = len(inner)
    moves = [
        move
        for number, (boundary, place) in enumerate(zip(boundaries, rounded, strict=True))
        if (move := _move(boundary, place, number, last)) is not None
    ]
    return Pieces(tuple(rounded[:-1]), rounded[-1], tuple(moves))


def _move(boundary: datetime, place: datetime, number: int, last: int) -> Move | None:
    """Return what lies between a boundary and its slot; bucket `number` ends at it, the next begins."""
    before, behind = number, OUTSIDE if number == last else number + 1
    if place < boundary:
        return Move(place, boundary, counted_in=behind, belongs_to=before)
    if place > boundary:
        return Move(boundary, place, counted_in=before, belongs_to=behind)
    return None


def down(moment: datetime, slot: timedelta) -> datetime:
    """Return where the slot begins in which a moment lies."""
    return _MONDAY + (moment - _MONDAY) // slot * slot


def _nearest(moment: datetime, slot: timedelta) -> datetime:
    return _MONDAY + (moment - _MONDAY + slot / 2) // slot * slot


def _up(moment: datetime, slot: timedelta) -> datetime:
    return _MONDAY - (_MONDAY - moment) // slot * slot
