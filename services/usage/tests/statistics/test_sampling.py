"""Which requests durations are measured on."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from services.usage.statistics.domain.sampling import ENOUGH, WINDOWS, Slot, slots_between, windows

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=30)
HOUR = timedelta(hours=1)


def test_of_many_an_equal_share_of_every_part_is_measured() -> None:
    """A tenth of the time, spread over the whole period, and nothing beyond it."""
    chosen = windows(10 * ENOUGH, [Slot(SINCE, UNTIL, 10 * ENOUGH)])

    assert len(chosen) == WINDOWS
    assert chosen[0][0] == SINCE
    assert chosen[-1][1] <= UNTIL
    assert all(end <= begin for (_, end), (begin, _) in pairwise(chosen))
    measured = sum((end - begin for begin, end in chosen), timedelta())
    assert abs(measured - timedelta(days=3)) < timedelta(seconds=1)


def test_about_enough_is_measured_wherever_the_requests_are() -> None:
    """All in one hour, here and there, or evenly; also where the ends of a period cut what slots have counted."""
    rng = random.Random(3)
    spread = {
        "one hour": [(SINCE + 401 * HOUR, 1_000_000)],
        "two ends": [(SINCE, 20_000), (UNTIL - HOUR, 900_000)],
        "here and there": [(SINCE + number * HOUR, rng.choice([1, 7, 300_000])) for number in range(0, 720, 11)],
        "even": [(SINCE + number * HOUR, 1_000) for number in range(720)],
    }
    for name, found in spread.items():
        slots = slots_between(SINCE, UNTIL, HOUR, found)
        requests = sum(slot.requests for slot in slots)

        chosen = windows(requests, slots)

        assert all(SINCE <= begin <= end <= UNTIL for begin, end in chosen), name
        assert all(end <= begin for (_, end), (begin, _) in pairwise(chosen)), name
        assert abs(sum(expected(slots, *window) for window in chosen) - ENOUGH) < ENOUGH / 100, name


def expected(slots: list[Slot], since: datetime, until: datetime) -> float:
    """Return how many requests there are in a window, when those of a slot are evenly spread."""
    common = [(min(until, slot.until) - max(since, slot.since), slot) for slot in slots]
    return sum(slot.requests * (span / (slot.until - slot.since)) for span, slot in common if span > timedelta())


def test_a_period_of_which_nothing_is_known_is_one_slot() -> None:
    """Parts of equal time are the best that can be done."""
    assert slots_between(SINCE, UNTIL, HOUR, []) == [Slot(SINCE, UNTIL, 1)]
