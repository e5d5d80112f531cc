"""Which requests durations are measured on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from services.usage.statistics.domain.sampling import ENOUGH, WINDOWS, windows

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=30)


def test_all_of_a_few_requests_are_measured() -> None:
    """One span: the whole period."""
    assert windows(SINCE, UNTIL, ENOUGH) == [(SINCE, UNTIL)]


def test_of_many_an_equal_share_of_every_part_is_measured() -> None:
    """A tenth of the time, spread over the whole period, and nothing beyond it."""
    chosen = windows(SINCE, UNTIL, 10 * ENOUGH)

    assert len(chosen) == WINDOWS
    assert chosen[0][0] == SINCE
    assert chosen[-1][1] <= UNTIL
    assert all(end <= begin for (_, end), (begin, _) in pairwise(chosen))
    measured = sum((end - begin for begin, end in chosen), timedelta())
    assert abs(measured - timedelta(days=3)) < timedelta(seconds=1)
