"""What calls say of a model, over the last minutes."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from servicekit.testing import FakeClock
from services.router.status.domain.health import WINDOW_S, HealthTracker, ModelHealth
from services.router.status.domain.times import add_up, bucket_of, milliseconds_of, percentile_ms

KEY = ("gigachat", "gigachat")


def answer(board: HealthTracker, clock: FakeClock, *, first_s: float = 0.1, whole_s: float = 0.1) -> None:
    board.answered(*KEY, first_s, clock.now(), clock.monotonic())
    board.ended(*KEY, whole_s, clock.now(), clock.monotonic())


def fail(board: HealthTracker, clock: FakeClock, *, had_answered: bool = False) -> None:
    board.failed(*KEY, clock.now(), clock.monotonic(), had_answered=had_answered)


def found(board: HealthTracker, clock: FakeClock) -> ModelHealth:
    health = board.find(*KEY, clock.monotonic())
    assert health is not None
    return health


def test_a_model_that_was_never_asked_is_not_known(clock: FakeClock) -> None:
    """No news is no news; nor is what is older than the window."""
    board = HealthTracker()
    assert board.find(*KEY, 0.0) is None

    answer(board, clock)
    clock.advance(WINDOW_S)

    assert board.find(*KEY, clock.monotonic()) is None


def test_degrades_goes_down_and_recovers(clock: FakeClock) -> None:
    """Failures count at once; a minute later what is now counts, though they are in the window still."""
    board = HealthTracker()
    for _ in range(8):
        answer(board, clock)
    assert found(board, clock).status == "operational"

    fail(board, clock)
    assert (found(board, clock).status, found(board, clock).reason) == ("degraded", "failures")
    for _ in range(10):
        fail(board, clock)
    assert found(board, clock).status == "down"

    clock.advance(61)
    for _ in range(3):
        answer(board, clock)
    health = found(board, clock)
    assert (health.status, health.reason, health.error_rate, health.calls) == ("operational", "", 0.0, 22)


def test_one_failure_is_not_an_outage(clock: FakeClock) -> None:
    """The first call of the day may fail without the model being called down."""
    board = HealthTracker()

    fail(board, clock)

    assert found(board, clock).status == "degraded"


def test_times_are_those_of_answers(clock: FakeClock) -> None:
    """A failure's time says nothing about how fast the model answers; the first content is told apart from the end."""
    board = HealthTracker()
    for _ in range(90):
        answer(board, clock, first_s=0.2, whole_s=2.0)
    for _ in range(10):
        answer(board, clock, first_s=1.0, whole_s=20.0)
    fail(board, clock)

    health = found(board, clock)

    times = (health.first_content_p50_ms, health.first_content_p95_ms, health.latency_ms, health.latency_p95_ms)
    for told, true in zip(times, (200, 1000, 2000, 20_000), strict=True):
        assert abs(told - true) <= 0.05 * true


def test_a_broken_stream_is_one_failed_call(clock: FakeClock) -> None:
    """Not an answered one and a failed one."""
    board = HealthTracker()
    board.answered(*KEY, 0.1, clock.now(), clock.monotonic())

    fail(board, clock, had_answered=True)

    assert (found(board, clock).calls, found(board, clock).error_rate) == (1, 1.0)


def test_what_peers_have_seen_counts_as_if_it_were_seen_here(clock: FakeClock) -> None:
    """And is told on by nobody: each tells its own, once."""
    one, two = HealthTracker(), HealthTracker()
    for _ in range(4):
        fail(one, clock)
    answer(two, clock)

    two.absorb(one.take_untold(), clock.now(), clock.monotonic())

    assert (found(two, clock).calls, found(two, clock).error_rate) == (5, 0.8)
    assert one.take_untold() == []
    assert [(seen.calls, seen.failed) for seen in two.take_untold()] == [(1, 0)]


@given(st.lists(st.floats(0.001, 500), min_size=1, max_size=300), st.floats(0.01, 1.0))
def test_a_percentile_is_right_to_a_twentieth(times: list[float], share: float) -> None:
    """Of any times, in any order, added up in any parts."""
    counts: dict[int, int] = {}
    for part in (times[::2], times[1::2]):
        buckets: dict[int, int] = {}
        for each in part:
            add_up(buckets, {bucket_of(each): 1})
        add_up(counts, buckets)

    ordered = sorted(times)
    true_ms = 1000 * next(each for at, each in enumerate(ordered, start=1) if at >= share * len(ordered))

    assert abs(percentile_ms(counts, share) - true_ms) <= 0.05 * true_ms + 0.5


def test_no_call_is_too_short_or_too_long_to_be_counted() -> None:
    """An answer from a cache, and one that took a day."""
    rng = random.Random(1)
    for seconds in [0.0, 86_400.0, *(rng.uniform(0, 1) for _ in range(50))]:
        assert milliseconds_of(bucket_of(seconds)) >= 0
    assert percentile_ms({}, 0.5) == 0
