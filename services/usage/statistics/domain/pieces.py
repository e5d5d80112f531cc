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

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
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
    """Where the buckets begin in whole slots, where the last one ends, and what is to be moved."""

    starts: tuple[datetime, ...]
    ends_at: datetime
    moves: tuple[Move, ...]


def split(moves: Sequence[Move], slot: timedelta) -> tuple[list[Move], list[Move]]:
    """Return the moves that are whole slots of a finer rollup, and what is left of each on either side for rows."""
    whole: list[Move] = []
    rest: list[Move] = []
    for move in moves:
        begin, end = _up(move.since, slot), _down(move.until, slot)
        if begin >= end:
            rest.append(move)
            continue
        whole.append(replace(move, since=begin, until=end))
        edges = (replace(move, until=begin), replace(move, since=end))
        rest += [edge for edge in edges if edge.since < edge.until]
    return whole, rest


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


def _nearest(moment: datetime, slot: timedelta) -> datetime:
    return _EPOCH + (moment - _EPOCH + slot / 2) // slot * slot


def _up(moment: datetime, slot: timedelta) -> datetime:
    return _EPOCH - (_EPOCH - moment) // slot * slot


def _down(moment: datetime, slot: timedelta) -> datetime:
    return _EPOCH + (moment - _EPOCH) // slot * slot
