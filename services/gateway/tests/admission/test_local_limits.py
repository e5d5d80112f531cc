"""What one gateway grants without Redis, and what it remembers for that, to the unit."""

from __future__ import annotations

from typing import Any

import pytest

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing import FakeClock
from services.gateway.admission.degraded import local_limits
from services.gateway.admission.degraded.local_limits import LocalLimits
from services.gateway.admission.dimensions import Dimension, Limits
from services.gateway.admission.options import AdmissionOptions
from services.gateway.admission.request import AdmissionRefused, AdmissionRequest, Figure
from services.gateway.tests.admission_kit import USER, budget, request

LIMIT = 1_000_000


def local(replicas: int = 1, clock: FakeClock | None = None) -> LocalLimits:
    """Return the limits of one of so many gateways."""
    return LocalLimits(clock or FakeClock(), AdmissionOptions(), replicas=lambda: replicas)


def spend(micro_rub: int = 0, limit: int = LIMIT, **changes: Any) -> AdmissionRequest:
    """Return a request of a user with a budget that holds so much of it."""
    return request(budgets=(budget(limit),), hold=micro_rub, **changes)


def key_of(asked: AdmissionRequest) -> str:
    """Return the name of its only budget's counters."""
    return asked.budget_keys[0]


KEY = key_of(spend())


def refusal_of(limits: LocalLimits, asked: AdmissionRequest) -> AdmissionRefused:
    """Return why it is refused."""
    with pytest.raises(AdmissionRefused) as refused:
        limits.admit(asked)
    return refused.value


@pytest.mark.parametrize(
    ("limit", "replicas", "share"), [(10, 1, 8), (10, 0, 8), (10, 2, 4), (10, 4, 2), (3, 1, 2), (1, 1, 1), (10, 100, 1)]
)
def test_a_share_is_four_fifths_of_the_limit_among_the_gateways(limit: int, replicas: int, share: int) -> None:
    """Rounded down, but one at least; nobody counted is one."""
    assert local(replicas).share(limit) == share


def test_requests_are_granted_up_to_the_share_and_told_when_to_come_again() -> None:
    """Eight of ten a minute: the ninth waits for an eighth of a minute."""
    clock = FakeClock()
    limits, asked = local(clock=clock), lambda: request(user=Limits(requests_per_minute=10))

    first = limits.admit(asked())
    rest = [limits.admit(asked()) for _ in range(7)]
    refused = refusal_of(limits, asked())

    assert first.figures == (Figure(Dimension.REQUESTS_PER_MINUTE, 10, 7, 7.5),)
    assert rest[-1].figures == (Figure(Dimension.REQUESTS_PER_MINUTE, 10, 0, 60),)
    assert (refused.reason, refused.report.violated) == (ErrorReason.RATE_LIMIT_EXCEEDED, Dimension.REQUESTS_PER_MINUTE)
    assert refused.details == {
        "dimension": "rpm",
        "subject": "user",
        "owner": "user",
        "owner_id": USER,
        "limit": "10",
        "unit": "requests",
        "resets_at": "2026-11-23T12:00:08+00:00",
    }
    assert refused.report.retry_after_s == pytest.approx(7.5, abs=1e-3)
    assert refused.report.figures == (Figure(Dimension.REQUESTS_PER_MINUTE, 10, 0, 60),)
    clock.advance(7.5)
    assert limits.admit(asked()).figures[0].remaining == 0


def test_a_refusal_tells_figures_of_whom_it_refuses() -> None:
    """As Redis would: clients slow down by these headers, and had none to go by."""
    limits = local()
    asked = request(user=Limits(requests_per_minute=10, concurrent_requests=1), key=Limits(tokens_per_minute=200))
    limits.admit(asked)
    limits.occupy(asked)

    tokens = refusal_of(limits, request(user=Limits(tokens_per_minute=100_000), key=Limits(tokens_per_minute=200)))
    slots = refusal_of(limits, request(user=Limits(requests_per_minute=10, concurrent_requests=1), tokens=1))

    assert tokens.report.figures == (Figure(Dimension.TOKENS_PER_MINUTE, 200, 60, 37.5),)
    assert slots.report.figures == (
        Figure(Dimension.REQUESTS_PER_MINUTE, 10, 7, 7.5),
        Figure(Dimension.CONCURRENCY, 1, 0, 0.0),
    )
    assert slots.report.violated is Dimension.CONCURRENCY


def test_tokens_are_granted_up_to_the_share() -> None:
    """Eight hundred of a thousand a minute: two of five hundred wait for two hundred."""
    limits, asked = local(), lambda tokens: request(user=Limits(tokens_per_minute=1000), tokens=tokens)

    figures = limits.admit(asked(500)).figures
    refused = refusal_of(limits, asked(500))

    assert figures == (Figure(Dimension.TOKENS_PER_MINUTE, 1000, 300, 37.5),)
    assert refused.report.retry_after_s == pytest.approx(15, abs=1e-3)
    assert limits.admit(asked(300)).figures[0].remaining == 0


def test_the_tightest_subject_is_reported_for_each_dimension() -> None:
    """In the order of the headers, whichever subject has it."""
    user, key = Limits(requests_per_minute=10, tokens_per_minute=1000), Limits(requests_per_minute=5)
    model = Limits(requests_per_minute=100, requests_per_day=50)

    found = local().admit(request(user=user, key=key, model=model, tokens=100)).figures

    assert [(figure.dimension.value, figure.limit, figure.remaining) for figure in found] == [
        ("rpm", 5, 3),
        ("rpd", 50, 39),
        ("tpm", 1000, 700),
    ]


def test_a_request_that_one_limit_refuses_takes_nothing_of_the_others() -> None:
    """The user's bucket is as full as before."""
    limits = local()
    narrow: dict[str, Any] = {"user": Limits(requests_per_minute=10), "key": Limits(requests_per_day=1)}
    limits.admit(request(**narrow))

    refused = [refusal_of(limits, request(**narrow)).details["subject"] for _ in range(20)]

    assert set(refused) == {"key"}
    assert limits.admit(request(user=narrow["user"])).figures[0].remaining == 6


def test_slots_are_counted_once_each_and_come_back_once_each() -> None:
    """Two of three at once; a request that is counted or released again changes nothing."""
    limits = local()
    at_once: dict[str, Any] = {"user": Limits(concurrent_requests=3)}
    running = [request(**at_once), request(**at_once)]
    for each in running:
        limits.admit(each)
        limits.occupy(each)
        limits.occupy(each)

    refused = refusal_of(limits, request(**at_once))
    limits.release(running[0].request_id, 0)
    limits.release(running[0].request_id, 0)
    later = request(**at_once)
    limits.admit(later)
    limits.occupy(later)

    assert (refused.reason, refused.report.retry_after_s) == (ErrorReason.CONCURRENT_LIMIT, 1.0)
    assert (refused.details["limit"], refused.details["subject"]) == ("3", "user")
    assert refusal_of(limits, request(**at_once)).report.violated is Dimension.CONCURRENCY
    assert limits.admit(request(key=at_once["user"])).figures == ()


def test_a_counter_was_rebuilt_when_its_epoch_is_another() -> None:
    """What is heard for the first time was not."""
    limits = local()

    assert [limits.remember(KEY, 5, epoch) for epoch in (1, 1, 2, 2, 1)] == [False, False, True, False, True]


def test_what_a_budget_had_left_counts_for_a_minute() -> None:
    """And as long as nobody else speaks for what this gateway spends on its own."""
    clock = FakeClock()
    limits = local(clock=clock)
    limits.remember(KEY, 1000, 1)
    clock.advance(60)
    known = limits.knows((KEY,)), limits.knows((KEY, "another")), limits.knows(())
    clock.advance(0.001)
    stale = limits.knows((KEY,))

    limits.admit(spend(0))

    assert (known, stale) == ((True, False, True), False)
    assert limits.knows((KEY,))
    limits.remember(KEY, 1000, 1)
    clock.advance(61)
    assert not limits.knows((KEY,))


def test_what_one_loss_of_redis_left_to_spend_is_not_there_at_the_next() -> None:
    """Other gateways have spent the budget meanwhile, and this one, which was not asked with it, would again."""
    clock = FakeClock()
    limits = local(clock=clock)
    limits.remember(KEY, 1000, 1)
    limits.admit(spend(1, 1000))
    clock.advance(60)
    limits.remember("another", 1, 1)
    during = limits.knows((KEY,))

    clock.advance(1)
    limits.remember("another", 1, 1)

    assert during
    assert not limits.knows((KEY,))
    with pytest.raises(Unavailable):
        limits.admit(spend(11, 1000))
    limits.admit(spend(10, 1000))


def test_a_share_of_nothing_refuses_what_has_a_hard_budget_and_nothing_else() -> None:
    """Whoever would rather refuse than overdraw says so; what only tells or watches goes on."""
    limits = LocalLimits(FakeClock(), AdmissionOptions(budget_share=0), replicas=lambda: 1)
    limits.remember(KEY, 1000, 1)

    with pytest.raises(Unavailable):
        limits.admit(spend(1))
    assert limits.admit(request()).figures == ()


@pytest.mark.parametrize(
    ("left", "age_s", "limit", "replicas", "allowed"),
    [
        (1000, 60, LIMIT, 1, 800),
        (1000, 60, LIMIT, 2, 400),
        (1000, 60, LIMIT, 0, 800),
        (-5, 60, LIMIT, 1, 0),
        (1000, 61, LIMIT, 1, 1000),
        (50_000, 61, LIMIT, 1, 10_000),
        (50_000, 61, LIMIT, 3, 3_333),
        (-5, 61, LIMIT, 1, 0),
        (None, 0, LIMIT, 1, 10_000),
        (None, 0, 150, 1, 1),
    ],
)
def test_a_gateway_spends_its_share_of_what_is_left_or_little(
    left: int | None, age_s: float, limit: int, replicas: int, allowed: int
) -> None:
    """Four fifths of what was heard lately; a hundredth of the budget, and no more than was ever heard, when not."""
    clock = FakeClock()
    limits = local(replicas, clock)
    if left is not None:
        limits.remember(KEY, left, 1)
    clock.advance(age_s)

    with pytest.raises(Unavailable) as refused:
        limits.admit(spend(allowed + 1, limit))
    limits.admit(spend(allowed, limit))
    with pytest.raises(Unavailable):
        limits.admit(spend(1, limit))

    assert (refused.value.reason, refused.value.retry_after_s) == (ErrorReason.SERVICE_UNAVAILABLE, 5.0)


def test_what_a_hold_did_not_cost_can_be_spent_again() -> None:
    """Once, however often it is settled."""
    limits = local()
    limits.remember(KEY, 1000, 1)
    running = spend(700)
    limits.admit(running)
    limits.occupy(running)

    limits.release(running.request_id, 100)
    limits.release(running.request_id, 100)

    with pytest.raises(Unavailable):
        limits.admit(spend(701))
    limits.admit(spend(700))


def test_what_ended_while_redis_was_there_is_part_of_what_is_left() -> None:
    """Redis said what was left with the hold taken off."""
    limits, running = local(), spend(600)
    limits.remember(KEY, 1000, 1)
    limits.occupy(running)
    limits.release(running.request_id, 100)

    with pytest.raises(Unavailable):
        limits.admit(spend(1201))
    limits.admit(spend(1200))


def test_a_request_without_a_remainder_or_a_budget_gives_nothing_back() -> None:
    """Redis knows better what it never told."""
    limits, running = local(), spend(600)
    limits.occupy(running)
    limits.release(running.request_id, 100)
    limits.release(request().request_id, 100)

    assert not limits.knows((KEY,))


def test_only_so_many_remainders_are_kept_the_latest_heard() -> None:
    """Bounded memory: who was heard of longest ago is forgotten first."""
    limits = local()
    for number in range(local_limits.MAX_REMAINDERS):
        limits.remember(str(number), 1, 1)
    limits.remember("0", 1, 1)
    before = limits.knows(("0", "1"))

    limits.remember("new", 1, 1)

    assert before
    assert limits.knows(("0", "2", "new"))
    assert not limits.knows(("1",))
