"""What is told of budgets, keys, models and days, from exact sums."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.usage.v1 import notifications_pb2 as pb

from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from services.usage.domain.record import Source
from services.usage.ingest import Ingest
from services.usage.store.connection import NAME_USER
from services.usage.tests.notifications.conftest import USER, House, Pool
from services.usage.tests.records import record

RUB = 1_000_000
MONTH = (MIDDAY.replace(day=1, hour=0), MIDDAY.replace(month=12, day=1, hour=0))


def stamp(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def budget(rub: int, subject: str = f"user:{USER}", **changes: Any) -> pb.WatchedBudget:
    begin, end = stamp(MONTH[0]), stamp(MONTH[1])
    given = {"name": "всё", "period": "month", "starts_at": begin, "ends_at": end, **changes}
    return pb.WatchedBudget(subject=subject, limit_micro_rub=rub * RUB, **given)


class Spending:
    """Books requests of the test's user."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self._number = 0

    async def spend(self, rub: float, at: datetime = MIDDAY, **changes: Any) -> None:
        self._number += 1
        made = replace(record(self._number, at), **{"user_id": USER, "cost_micro_rub": int(rub * RUB), **changes})
        outcome = await self._ingest.record([made])
        assert outcome.inserted == 1


@pytest.fixture
def spending(ingest: Ingest) -> Spending:
    return Spending(ingest)


async def told(house: House, channel_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Return kinds and facts of what went by a channel, the oldest first."""
    history = await house.history(channel_id)
    found = sorted(history, key=lambda each: (each.occurred_at.seconds, each.kind))
    return [(each.kind, msgspec.json.decode(each.facts_json)) for each in found]


async def test_each_share_of_a_budget_is_told_once_a_period_and_the_highest_alone(
    house: House, spending: Spending, clock: FakeClock
) -> None:
    """However often it is looked at, and from the first of the month anew."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("budget.threshold", [channel_id])
    for rub in (49.999999, 0.000001, 42, 8):
        await spending.spend(rub)
        for _ in range(2):
            await house.meet(budgets=[budget(100)])
            clock.advance(60)
    following: dict[str, Any] = {"starts_at": stamp(MONTH[1]), "ends_at": stamp(MONTH[1] + timedelta(days=31))}
    clock.advance(9 * 86_400)
    await spending.spend(50, clock.now())
    await house.meet(budgets=[budget(100, **following)])

    facts = [facts for _, facts in await told(house, channel_id)]
    assert [each["threshold"] for each in facts] == [50, 90, 100, 50]
    assert (facts[0]["spent_rub"], facts[0]["spent_micro_rub"]) == ("50.000000", 50 * RUB)
    assert (facts[0]["limit_rub"], facts[0]["period"], facts[0]["subject"]) == ("100.000000", "month", f"user:{USER}")
    assert facts[0]["period_ends_at"] == "2026-12-01T00:00:00+00:00"


async def test_a_budget_that_is_raised_has_room_again_and_its_shares_count_anew(
    house: House, spending: Spending, clock: FakeClock
) -> None:
    """Whoever was told that it is spent is told that it is not."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("budget.threshold", [channel_id], thresholds=[100])
    await spending.spend(100)
    for rub in (100, 200, 200):
        await house.meet(budgets=[budget(rub)])
        clock.advance(60)
    await spending.spend(100)
    await house.meet(budgets=[budget(200)])

    assert [kind for kind, _ in await told(house, channel_id)] == [
        "budget.threshold",
        "budget.recovered",
        "budget.threshold",
    ]


async def test_a_share_below_one_that_was_told_is_not_told_when_spending_was_corrected(
    house: House, ingest: Ingest
) -> None:
    """A gateway vanished: what its request held was billed, until its journal said how little it had cost."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("budget.threshold", [channel_id], thresholds=[50, 90])
    held = replace(record(1), user_id=USER, cost_micro_rub=95 * RUB, source=Source.REAPED)
    for known in (held, replace(held, cost_micro_rub=60 * RUB, source=Source.PROVIDER)):
        await ingest.record([known])
        await house.meet(budgets=[budget(100)])

    found = await told(house, channel_id)
    assert [(facts["threshold"], facts["spent_micro_rub"] // RUB) for _, facts in found] == [(90, 95)]


async def test_a_budget_beside_one_that_is_spent_was_never_spent_itself(
    house: House, spending: Spending, clock: FakeClock
) -> None:
    """A soft budget of the month below a hard one: that the soft one is spent gives the hard one no room again."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("budget.threshold", [channel_id], thresholds=[100])
    await spending.spend(100)
    for soft in (100, 100, 200, 200):
        await house.meet(budgets=[budget(soft), budget(1_000)])
        await house.meet(budgets=[budget(1_000), budget(soft)])
        clock.advance(60)

    found = [(kind, facts["limit_micro_rub"] // RUB) for kind, facts in await told(house, channel_id)]
    assert found == [("budget.threshold", 100), ("budget.recovered", 200)]


async def test_a_rule_is_about_the_subject_that_it_names(house: House, spending: Spending) -> None:
    """And sums what that key spent, nothing else."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("budget.threshold", [channel_id], subject="key:key-1")
    await spending.spend(60, key_id="key-1")
    await spending.spend(60, key_id="key-2")

    await house.meet(budgets=[budget(100, "key:key-1"), budget(100, "key:key-2"), budget(100, "unknown:kind")])

    assert [(facts["subject"], facts["threshold"]) for _, facts in await told(house, channel_id)] == [("key:key-1", 50)]


async def test_what_members_spent_together_reaches_an_organizations_budget(
    house: House, spending: Spending, clock: FakeClock
) -> None:
    """While they belonged to it: what somebody spent before they came, or after they left, is their own."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("budget.threshold", [channel_id], subject="organization:org")
    joined, left = MIDDAY - timedelta(days=3), MIDDAY - timedelta(days=1)
    for user_id, rub, days in (("two", 99, 4), ("two", 20, 2), ("two", 99, 0.5), (USER, 30, 0.5), ("alien", 99, 0.5)):
        await spending.spend(rub, MIDDAY - timedelta(days=days), user_id=user_id)
    members = [
        pb.WatchedOrganization.Membership(user_id=USER, joined_at=stamp(joined)),
        pb.WatchedOrganization.Membership(user_id="two", joined_at=stamp(joined), left_at=stamp(left)),
    ]
    organization = pb.WatchedOrganization(subject="organization:org", memberships=members)

    await house.meet(budgets=[budget(100, "organization:org", name="ООО")], organizations=[organization])

    ((_, facts),) = await told(house, channel_id)
    assert (facts["threshold"], facts["spent_micro_rub"], facts["name"]) == (50, 50 * RUB, "ООО")


async def test_a_pause_holds_back_what_can_wait_but_not_that_a_budget_is_spent(
    house: House, spending: Spending, clock: FakeClock
) -> None:
    """80 % waits for the end of the pause; 100 % does not."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("budget.threshold", [channel_id], thresholds=[50, 80, 100], cooldown_s=3600)
    seen = []
    for rub, pause_s in ((50, 60), (30, 3600), (0, 60), (20, 60)):
        if rub:
            await spending.spend(rub)
        await house.meet(budgets=[budget(100)])
        seen.append(len(await told(house, channel_id)))
        clock.advance(pause_s)

    assert seen == [1, 1, 2, 3]


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


async def test_a_key_that_ends_is_told_of_in_steps(house: House, clock: FakeClock) -> None:
    """Fourteen, seven, three days before and one; a key that was given more time begins again."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("key.expiring", [channel_id])
    key = pb.WatchedKey(id="key-1", name="laptop", expires_at=stamp(MIDDAY + timedelta(days=15)))
    for _ in range(16):
        await house.meet(keys=[key])
        clock.advance(86_400)

    days = [facts["days_left"] for _, facts in await told(house, channel_id)]
    assert days == [14, 7, 3, 1]


async def test_whoever_calls_a_model_that_ends_is_told_and_nobody_else(
    house: House, spending: Spending, clock: FakeClock
) -> None:
    """With its successor and how often it was called."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("model.sunset", [channel_id])
    await spending.spend(1, model="old:latest")
    await spending.spend(1, MIDDAY - timedelta(days=40), model="forgotten:latest")
    end = stamp(MIDDAY + timedelta(days=89))
    names = ("old:latest", "forgotten:latest", "never:called")
    models = [pb.WatchedModel(model=name, shutdown_at=end, successor="new:latest") for name in names]
    for _ in range(2):
        await house.meet(models=[*models, pb.WatchedModel(model="old:latest", shutdown_at=stamp(MIDDAY))])
        clock.advance(60)

    ((_, facts),) = await told(house, channel_id)
    assert facts == {
        "model": "old:latest",
        "shutdown_date": "2027-02-20",
        "days_left": 89,
        "successor": "new:latest",
        "requests": 1,
    }


async def test_a_day_is_summed_where_its_owner_lives(house: House, spending: Spending, clock: FakeClock) -> None:
    """Moscow's yesterday, told once from nine o'clock on; a day without requests is not told of."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("usage.daily_summary", [channel_id])
    # In Moscow the 22nd begins on the 21st at 21:00 UTC.
    await spending.spend(1, datetime.fromisoformat("2026-11-21T20:59:59.999+00:00"))
    await spending.spend(2, datetime.fromisoformat("2026-11-21T21:00:00+00:00"))
    await spending.spend(4, datetime.fromisoformat("2026-11-22T20:59:59.999+00:00"))
    await spending.spend(8, datetime.fromisoformat("2026-11-22T21:00:00+00:00"))
    await house.meet()
    await house.meet()
    clock.advance(2 * 86_400)
    await house.meet()

    ((_, facts),) = await told(house, channel_id)
    assert (facts["date"], facts["cost_rub"], facts["requests"]) == ("2026-11-22", "6.000000", 2)
    assert facts["cost_before_micro_rub"] == 1 * RUB
