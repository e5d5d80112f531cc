"""Budget counters at rest are compared with stored usage and corrected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from servicekit.clock import Clock, SystemClock
from servicekit.testing import FakeClock
from services.gateway.admission.admission import Admission
from services.gateway.admission.periods import BudgetPeriod
from services.gateway.admission.reconcile import Reconciler
from services.gateway.tests.admission_kit import USER, Ledger, admission_on, budget, counters, request, still_clock


def reconciler(client, admission: Admission, ledger: Ledger, clock: Clock | None = None) -> Reconciler:
    return Reconciler(client, admission._runner, ledger.spend_of, clock=clock or SystemClock(), every_s=300)


async def test_a_counter_below_the_stored_spend_is_raised_at_once(redis_url, redis_client):
    """Rows that were on their way when the counters were rebuilt."""
    ledger = Ledger(100)
    async with admission_on(redis_url, ledger, clock=still_clock()) as admission:
        admitted = await admission.admit(request(budgets=(budget(10_000),)))
        await admission.settle(admitted.ticket, 0, 5)
        ledger.spent = 300

        assert await reconciler(redis_client, admission, ledger).run_once() == 1

    assert await counters(redis_client) == {"used": 300, "held": 0}


async def test_a_counter_above_the_stored_spend_is_lowered_only_when_seen_twice(redis_url, redis_client):
    """The rows may still lie in a journal."""
    ledger = Ledger(100)
    async with admission_on(redis_url, ledger, clock=still_clock()) as admission:
        admitted = await admission.admit(request(budgets=(budget(10_000),)))
        await admission.settle(admitted.ticket, 0, 5)
        reconcile = reconciler(redis_client, admission, ledger)

        assert await reconcile.run_once() == 0
        assert (await counters(redis_client))["used"] == 105
        assert await reconcile.run_once() == 1

    assert (await counters(redis_client))["used"] == 100


async def test_a_counter_of_a_past_period_is_compared_with_that_period(redis_url, redis_client):
    """What was spent since last month began is not what last month cost: the key says when it ended."""
    ledger = Ledger(100)
    async with admission_on(redis_url, ledger, clock=still_clock()) as admission:
        admitted = await admission.admit(request(budgets=(budget(10_000),)))
        await admission.cancel(admitted.ticket)
        later = FakeClock(datetime.now(UTC) + timedelta(days=32))

        assert await reconciler(redis_client, admission, ledger, later).run_once() == 0

    _, _, since, until = ledger.asked[-1]
    assert since is not None
    assert until is not None
    assert timedelta(days=27) < until - since < timedelta(days=32)
    assert until < later.now()


async def test_a_counter_with_running_requests_is_left_alone(redis_url, redis_client):
    """Only what is at rest can be compared."""
    ledger = Ledger(100)
    async with admission_on(redis_url, ledger, clock=still_clock()) as admission:
        await admission.admit(request(budgets=(budget(10_000),)))
        ledger.spent = 900

        assert await reconciler(redis_client, admission, ledger).run_once() == 0

    assert (await counters(redis_client))["used"] == 100
    assert USER in ledger.asked[0]


async def test_a_counter_at_rest_is_looked_at_ever_more_rarely_but_never_forgotten(redis_url, redis_client):
    """A row that lay in a journal for very long arrives after its counter was found right."""
    ledger = Ledger(100)
    async with admission_on(redis_url, ledger, clock=still_clock()) as admission:
        admitted = await admission.admit(request(budgets=(budget(10_000, BudgetPeriod.TOTAL),)))
        await admission.cancel(admitted.ticket)
        reconcile = reconciler(redis_client, admission, ledger)
        ledger.asked.clear()
        for _ in range(40):
            assert await reconcile.run_once() == 0
        asked = len(ledger.asked)
        ledger.spent = 105

        assert sum([await reconcile.run_once() for _ in range(12)]) == 1

    assert asked == 7
    assert await counters(redis_client) == {"used": 105, "held": 0}
