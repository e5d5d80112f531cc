"""The small parts of admission: breaker, buckets, periods, headers, heartbeat, reconciliation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.testing import FakeClock
from services.gateway.admission.degraded.breaker import Breaker
from services.gateway.admission.degraded.redis_time import RedisTime
from services.gateway.admission.degraded.replicas import Replicas
from services.gateway.admission.degraded.token_buckets import TokenBuckets
from services.gateway.admission.dimensions import Dimension
from services.gateway.admission.headers import duration, rate_limit_headers
from services.gateway.admission.periods import BudgetPeriod
from services.gateway.admission.request import Figure, LimitReport
from services.gateway.tests.admission_kit import admission_on, budget, request


def test_the_breaker_opens_after_five_failures_and_lets_one_probe_through():
    """Half-open admits a single caller; its success closes, its failure opens again."""
    clock = FakeClock()
    breaker = Breaker(clock)
    for _ in range(5):
        assert breaker.allows()
        breaker.failed()

    assert not breaker.allows()
    clock.advance(5)
    assert [breaker.allows(), breaker.allows()] == [True, False]
    breaker.failed()
    assert not breaker.allows()
    clock.advance(5)
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.is_closed


def test_the_breaker_opens_after_two_seconds_of_failures():
    """Rare callers need not fail five times."""
    clock = FakeClock()
    breaker = Breaker(clock)
    breaker.failed()
    clock.advance(2)
    breaker.failed()

    assert not breaker.allows()


def test_a_success_between_failures_keeps_the_breaker_closed():
    """Only failures in a row count."""
    breaker = Breaker(FakeClock())
    for _ in range(4):
        breaker.failed()
    breaker.succeeded()
    for _ in range(4):
        breaker.failed()

    assert breaker.allows()


def test_a_probe_that_never_reports_does_not_block_the_next_one():
    """Its caller may have been cancelled."""
    clock = FakeClock()
    breaker = Breaker(clock)
    for _ in range(5):
        breaker.failed()
    clock.advance(5)
    assert breaker.allows()
    clock.advance(5)

    assert breaker.allows()


@given(
    limit=st.integers(1, 500),
    window_s=st.sampled_from([1.0, 60.0, 3600.0]),
    steps=st.lists(st.tuples(st.floats(0, 5), st.integers(1, 20)), max_size=60),
)
def test_buckets_never_grant_more_than_burst_and_refill(limit, window_s, steps):
    """Whatever the arrivals, granted <= limit + elapsed * rate."""
    clock = FakeClock()
    buckets = TokenBuckets(clock)
    granted = 0

    for pause, cost in steps:
        clock.advance(pause)
        if buckets.try_take("x", limit=limit, window_s=window_s, cost=cost) == 0:
            granted += min(cost, limit)

    assert granted <= limit + clock.monotonic() * limit / window_s + 1e-3


def test_buckets_grant_the_whole_burst_and_say_how_long_to_wait():
    """Five of five, the sixth after a fifth of the window."""
    buckets = TokenBuckets(FakeClock())
    waits = [buckets.try_take("login", limit=5, window_s=60) for _ in range(6)]

    assert waits[:5] == [0] * 5
    assert waits[5] == pytest.approx(12, abs=1e-3)


def test_buckets_forget_the_least_used_when_there_are_too_many():
    """Memory is bounded whatever names callers invent."""
    buckets = TokenBuckets(FakeClock(), max_buckets=10)
    for number in range(100):
        buckets.take(str(number), limit=1, window_s=60)

    assert sum(buckets.left(str(number), limit=1, window_s=60) == 0 for number in range(100)) == 10


@pytest.mark.parametrize("period", list(BudgetPeriod), ids=str)
async def test_the_script_and_python_name_a_budget_the_same(redis_url, redis_client, period):
    """A counter that is rebuilt is the one the script looks for."""
    async with admission_on(redis_url) as admission:
        admitted = await admission.admit(request(budgets=(budget(10_000, period),)))

    assert [name.decode() for name in await redis_client.keys("gw:{*}:b:*")] == list(admitted.ticket.budget_keys)


REPORT = LimitReport(
    (
        Figure(Dimension.REQUESTS_PER_MINUTE, 60, 50, 10.2),
        Figure(Dimension.REQUESTS_PER_DAY, 200, 20, 3600.0),
        Figure(Dimension.TOKENS_PER_MINUTE, 90_000, 89_000, 0.7),
        Figure(Dimension.CONCURRENCY, 5, 4, 0.0),
    )
)


def test_the_headers_of_an_admitted_request():
    """Release 1.0's, OpenAI's and the draft's; the tightest request limit speaks for requests."""
    assert dict(rate_limit_headers(REPORT, now_s=1000.5)) == {
        b"x-ratelimit-limit": b"200",
        b"x-ratelimit-remaining": b"20",
        b"x-ratelimit-reset": b"4601",
        b"x-ratelimit-limit-requests": b"200",
        b"x-ratelimit-remaining-requests": b"20",
        b"x-ratelimit-reset-requests": b"1h0m0s",
        b"x-ratelimit-limit-tokens": b"90000",
        b"x-ratelimit-remaining-tokens": b"89000",
        b"x-ratelimit-reset-tokens": b"700ms",
        b"ratelimit-policy": b'"rpm";q=60;w=60, "rpd";q=200;w=86400, "tpm";q=90000;w=60;qu="tokens", '
        b'"concurrency";q=5;qu="concurrent-requests"',
        b"ratelimit": b'"rpd";r=20;t=3600',
    }


def test_retry_after_is_never_earlier_than_t():
    """A refusal names the violated limit, with the same time in both headers."""
    refused = LimitReport(REPORT.figures, retry_after_s=1.2, violated=Dimension.REQUESTS_PER_MINUTE)

    headers = dict(rate_limit_headers(refused, now_s=0))

    assert headers[b"retry-after"] == b"2"
    assert headers[b"ratelimit"] == b'"rpm";r=50;t=2'


def test_a_caller_without_limits_gets_no_headers():
    """Nothing is limited, so nothing is said."""
    assert rate_limit_headers(LimitReport(), now_s=0) == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, b"0ms"), (0.02, b"20ms"), (1.5, b"1.5s"), (60, b"1m0s"), (3723, b"1h2m3s")]
)
def test_durations_are_written_as_openai_writes_them(seconds, text):
    """Milliseconds below a second, then the largest units first."""
    assert duration(seconds) == text


def calm() -> None:
    raise AssertionError("nothing was lost")


async def test_a_gateway_notices_that_redis_lost_its_data(redis_client):
    """It stood in the list and does not any more; the first time it stands there nothing is lost."""
    lost: list[str] = []
    one = Replicas(redis_client, FakeClock(), boot_id="a", on_data_lost=lambda: lost.append("all"))
    await one.beat()
    await one.beat()
    before = list(lost)

    await redis_client.flushdb()
    await one.beat()
    await one.beat()

    assert (before, lost) == ([], ["all"])


async def test_gateways_count_each_other(redis_client):
    """Two that beat are two; one that leaves is gone; a fixed number wins."""
    one = Replicas(redis_client, FakeClock(), boot_id="a", on_data_lost=calm)
    two = Replicas(redis_client, FakeClock(), boot_id="b", on_data_lost=calm)
    await one.beat()
    await two.beat()
    await one.beat()

    assert one.count() == 2
    await two.leave()
    await one.beat()
    assert one.count() == 1
    assert Replicas(redis_client, FakeClock(), boot_id="c", fixed=7, on_data_lost=calm).count() == 7


def test_an_answer_that_was_long_on_its_way_does_not_set_the_time_of_redis_back():
    """When it was given nobody knows; what is known moves only as far as the two ends of the wait make it."""
    clock = FakeClock()
    time = RedisTime(clock)
    time.learn(1_000_000_000, clock.monotonic())
    asked_s = clock.monotonic()
    clock.advance(3.0)

    time.learn(1_000_500_000, asked_s)

    assert time.now_us() == 1_003_000_000


def test_a_redis_whose_clock_was_set_is_believed():
    """Whether forth or back, within the time that the answer took."""
    clock = FakeClock()
    time = RedisTime(clock)
    time.learn(1_000_000_000, clock.monotonic())

    time.learn(2_000_000_000, clock.monotonic())
    forth = time.now_us()
    time.learn(500_000_000, clock.monotonic())

    assert (forth, time.now_us()) == (2_000_000_000, 500_000_000)
