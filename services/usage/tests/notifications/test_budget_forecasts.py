"""When a budget will be spent, told beforehand."""

from __future__ import annotations

from datetime import timedelta

import pytest
from razvilka.usage.v1 import notifications_pb2 as pb

from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from services.usage.store.connection import NAME_USER
from services.usage.tests.notifications.conftest import RUB, USER, House, Pool, Spending
from services.usage.tests.notifications.watching_kit import budget, told


async def test_that_a_budget_will_be_reached_is_told_once_with_the_day(
    house: House, spending: Spending, clock: FakeClock, pool: Pool
) -> None:
    """As the forecast of the account has it, which is kept to be compared; a budget that lasts is not told of."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("budget.forecast", [channel_id])
    for days in range(7):
        await spending.spend(10, MIDDAY - timedelta(days=days + 0.1))
    for _ in range(2):
        await house.meet(budgets=[budget(100), budget(1000)])
        clock.advance(3600)

    ((kind, facts),) = await told(house, channel_id)
    assert kind == "budget.forecast"
    assert (facts["reached_at"], facts["reached_on"]) == ("2026-11-26T00:00:00+03:00", "2026-11-26")
    assert facts["earliest_on"] <= facts["reached_on"] <= facts["latest_on"]
    assert facts["limit_micro_rub"] == 100 * RUB
    async with pool.acquire() as connection:
        await connection.execute(NAME_USER, USER)
        kept = await connection.fetchval("SELECT asked FROM usage.forecasts WHERE user_id = $1", USER)
    assert kept


async def test_a_clock_that_is_put_back_makes_no_forecast_late(
    house: House, spending: Spending, clock: FakeClock
) -> None:
    """Once an hour is an hour of waiting, not what a clock says that was five hours ahead."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("budget.forecast", [channel_id])
    clock.jump(5 * 3600)
    await house.meet(budgets=[budget(100)])
    clock.jump(-5 * 3600)
    clock.advance(3600)
    for days in range(7):
        await spending.spend(10, MIDDAY - timedelta(days=days + 0.1))

    await house.meet(budgets=[budget(100)])

    ((kind, _),) = await told(house, channel_id)
    assert kind == "budget.forecast"


async def test_an_account_whose_history_says_nothing_is_not_warned(house: House, spending: Spending) -> None:
    """Two days are no rhythm: the forecast refuses, and so nothing is told."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("budget.forecast", [channel_id])
    for days in (0.1, 1.1):
        await spending.spend(40, MIDDAY - timedelta(days=days))

    await house.meet(budgets=[budget(100)])

    assert await told(house, channel_id) == []


async def test_a_keys_budget_is_foretold_by_its_own_pace(house: House, spending: Spending) -> None:
    """Forecasts are of accounts; a key has the pace of its last seven days."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("budget.forecast", [channel_id])
    await spending.spend(10, MIDDAY - timedelta(days=40), key_id="key-1")
    for days in (6, 5, 4, 3, 2, 1, 0.1):
        await spending.spend(10, MIDDAY - timedelta(days=days), key_id="key-1")
        await spending.spend(90, MIDDAY - timedelta(days=days), key_id="key-2")

    await house.meet(budgets=[budget(100, "key:key-1")])

    ((_, facts),) = await told(house, channel_id)
    assert (facts["reached_at"], facts["earliest_on"]) == ("2026-11-26T15:00:00+03:00", None)


async def test_the_pace_of_a_young_key_is_of_the_days_that_it_has(house: House, spending: Spending) -> None:
    """Four days were taken for seven: its budget lasted nearly twice as long, and nobody was told in time."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("budget.forecast", [channel_id])
    await spending.spend(10, MIDDAY - timedelta(days=40), key_id="key-2")
    for days in (3.6, 3, 2, 1, 0.1):
        await spending.spend(10, MIDDAY - timedelta(days=days), key_id="key-1")

    await house.meet(budgets=[budget(110, "key:key-1")])

    ((_, facts),) = await told(house, channel_id)
    assert facts["reached_at"] == "2026-11-29T00:36:00+03:00"


@pytest.mark.parametrize(("left_rub", "is_told"), [(340, True), (360, False)])
async def test_a_budget_without_end_is_foretold_as_far_as_an_accounts(
    house: House, spending: Spending, left_rub: int, is_told: bool
) -> None:
    """Thirty-five days, whosever it is: a key's was told four days later than the page of notifications says."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("budget.forecast", [channel_id])
    await spending.spend(10, MIDDAY - timedelta(days=40), key_id="key-1")
    for days in (6, 5, 4, 3, 2, 1, 0.1):
        await spending.spend(10, MIDDAY - timedelta(days=days), key_id="key-1")
    endless = pb.WatchedBudget(subject="key:key-1", period="lifetime", limit_micro_rub=(80 + left_rub) * RUB)

    await house.meet(budgets=[endless])

    assert bool(await told(house, channel_id)) is is_told
