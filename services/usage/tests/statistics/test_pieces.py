"""Buckets put together from whole slots and moved rows."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.usage.statistics.domain.pieces import OUTSIDE, Move, Pieces, cut, split

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 10 * 24 * 60).map(lambda minutes: BEGIN + timedelta(minutes=minutes))


def counted(pieces: Pieces, moments: list[datetime], slot: timedelta) -> Counter[int]:
    """Count moments as the store does: whole slots by their start, then the moves."""
    found: Counter[int] = Counter()
    for moment in moments:
        start = BEGIN + (moment - BEGIN) // slot * slot
        if pieces.starts[0] <= start < pieces.ends_at:
            found[bisect_right(pieces.starts, start)] += 1
        for move in pieces.moves:
            if move.since <= moment < move.until:
                found[move.counted_in] -= 1
                found[move.belongs_to] += 1
    del found[OUTSIDE]
    return +found


@given(st.lists(MOMENTS, min_size=2, max_size=12, unique=True), st.lists(MOMENTS), st.sampled_from([HOUR, DAY]))
def test_every_moment_is_counted_once_in_its_bucket(
    places: list[datetime], moments: list[datetime], slot: timedelta
) -> None:
    """Whatever the boundaries, also several of them in one slot, and a span within a slot."""
    boundaries = sorted(places)
    meant = Counter(bisect_right(boundaries, moment) for moment in moments if boundaries[0] <= moment < boundaries[-1])

    pieces = cut(boundaries, slot)
    whole, rest = split(pieces.moves, HOUR)

    assert counted(pieces, moments, slot) == meant
    assert counted(replace(pieces, moves=(*whole, *rest)), moments, slot) == meant
    assert all((move.since - BEGIN) % HOUR == (move.until - BEGIN) % HOUR == timedelta(0) for move in whole)
    assert all(move.until - move.since < 2 * HOUR for move in rest)


@pytest.mark.parametrize(("hours", "moved_hours"), [(3, 3), (21, 3), (12, 12), (0, 0)])
def test_days_of_another_zone_move_the_shorter_part_of_a_day(hours: int, moved_hours: int) -> None:
    """Three hours of rows a day for Moscow, ahead of UTC or behind."""
    boundaries = [BEGIN + timedelta(days=day, hours=hours) for day in range(4)]

    pieces = cut(boundaries, DAY)

    assert {move.until - move.since for move in pieces.moves[:-1]} <= {timedelta(hours=moved_hours)}
    assert len(pieces.moves) == (4 if hours else 0)


def test_an_end_is_rounded_up() -> None:
    """Behind now there is nothing to move."""
    pieces = cut([BEGIN, BEGIN + timedelta(hours=9)], DAY)

    assert pieces.ends_at == BEGIN + DAY
    assert pieces.moves == (Move(BEGIN + timedelta(hours=9), BEGIN + DAY, counted_in=1, belongs_to=OUTSIDE),)
