"""When Redis counts as lost, and what time it is there by its last answer."""

from __future__ import annotations

from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from services.gateway.admission.degraded.breaker import Breaker
from services.gateway.admission.degraded.redis_time import RedisTime

MIDDAY_US = int(MIDDAY.timestamp()) * 1_000_000


def test_before_redis_spoke_the_wall_clock_counts() -> None:
    """And there is no deadline: two clocks may differ by more than it is long."""
    clock = FakeClock()
    clock.advance(1.5)
    time = RedisTime(clock)

    assert time.now_us() == MIDDAY_US + 1_500_000
    assert time.deadline_us(1) == 0


def test_the_time_of_redis_goes_on_with_the_monotonic_clock() -> None:
    """From its last answer on, whatever the wall clock says."""
    clock = FakeClock()
    time = RedisTime(clock)
    clock.advance(100)
    time.learn(7_000_000, 100.0)
    clock.advance(2.5)

    assert time.now_us() == 9_500_000
    assert time.deadline_us(0.25) == 9_750_000


def test_an_answer_moves_the_time_only_as_far_as_it_must() -> None:
    """It was given between the question and now: nobody knows when."""
    clock = FakeClock()
    time, told = RedisTime(clock), []
    answers = [(100, 99.0, 7_000_000), (110, 109.0, 18_000_000), (110, 109.0, 17_500_000), (110, 109.5, 16_000_000)]
    for at_s, asked_s, now_us in answers:
        clock.advance(at_s - clock.monotonic())
        time.learn(now_us, asked_s)
        told.append(time.now_us())

    assert told == [7_000_000, 18_000_000, 18_000_000, 16_500_000]


def test_a_machine_that_has_run_for_long_waits_for_as_many_failures() -> None:
    """Seconds of failures are counted from the first of them."""
    clock = FakeClock()
    clock.advance(1000)
    breaker = Breaker(clock)
    for _ in range(4):
        breaker.failed()
        clock.advance(0.4)

    assert breaker.is_closed
    breaker.failed()
    assert not breaker.is_closed


def test_a_circuit_can_open_and_close_within_a_second() -> None:
    """Each probe may go as soon as its time has come, also after one that was answered."""
    clock = FakeClock()
    breaker = Breaker(clock, max_failures=1, open_s=0.25)
    for answered in (False, True, False):
        breaker.failed()
        clock.advance(0.125)
        assert not breaker.allows()
        clock.advance(0.125)
        assert breaker.allows()
        if answered:
            breaker.succeeded()
