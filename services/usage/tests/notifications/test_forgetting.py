"""What goes with an account, also where it had been left behind."""

from __future__ import annotations

import uuid
from datetime import date, timedelta

import pytest
from razvilka.usage.v1 import notifications_pb2 as pb

from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from services.usage.ingest import Ingest
from services.usage.notifications.budget_watch import BudgetWatch
from services.usage.notifications.domain.person import Person, WatchedBudget
from services.usage.notifications.domain.watch import LimitDates
from services.usage.notifications.raising import Events
from services.usage.notifications.store.events import EventStore
from services.usage.notifications.store.rules import RuleStore
from services.usage.notifications.store.sessions import Sessions
from services.usage.notifications.store.spending import SpendingReader
from services.usage.store.connection import EVERYBODY, NAME_USER
from services.usage.tests.notifications.conftest import USER, House, Pool, Spending

ADVICE = """
INSERT INTO usage.recommendations (
    id, user_id, kind, subject, texts, evidence, query, saving_min_micro_rub, saving_max_micro_rub, confidence,
    first_seen, last_seen, state, reason
)
VALUES (gen_random_uuid(), $1, 'idle_key', 'key-1', '{"ru": "Ключ Веры"}', '{}', '{}', 0, 0, 1, now(), now(),
    'dismissed', 'it is my mother''s')
"""
INCIDENT = """
INSERT INTO usage.incidents (
    id, user_id, grain, begins_at, ends_at, expected_micro_rub, actual_micro_rub, cause_dimension, cause_value,
    cause_expected_micro_rub, cause_actual_micro_rub, found_at, zone
)
VALUES (gen_random_uuid(), $1, 'hour', now(), now() + interval '1 hour', 1, 2, 'key', 'key-1', 1, 2, now(), 'UTC')
"""
ANALYSED = "INSERT INTO usage.insight_users (user_id, active_day) VALUES ($1, '2026-11-23')"
FORETOLD = """
INSERT INTO usage.forecasts (user_id, day, zone, method, p10_micro_rub, p50_micro_rub, p90_micro_rub, asked)
VALUES ($1, '2026-11-23', 'Europe/Moscow', 'trend', 1, 2, 3, true)
"""
TABLES = ("recommendations", "incidents", "insight_users", "forecasts", "notification_people", "notification_rules")


async def who_is_known(pool: Pool, table: str) -> list[str]:
    async with pool.acquire() as connection:
        await connection.execute(NAME_USER, EVERYBODY)
        rows = await connection.fetch(f"SELECT user_id FROM usage.{table} ORDER BY 1")
    return [row["user_id"] for row in rows]


async def test_whoever_deleted_their_channels_is_asked_of_all_the_same(house: House, pool: Pool) -> None:
    """Rules and the address were kept for ever: nobody heard that the account was gone."""
    channel_id = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("report.ready", [channel_id])
    await house.meet()
    await house.rpc(pb.DeleteChannelRequest(user_id=USER, id=channel_id))

    watched = (await house.rpc(pb.ListWatchedRequest(limit=10))).user_ids

    assert watched == [USER]


async def test_an_address_that_was_told_just_before_its_account_ended_goes_in_the_next_round(
    house: House, pool: Pool
) -> None:
    """It came after the account was forgotten, from a gateway that had asked before."""
    await house.rpc(pb.PutPeopleRequest(gone_user_ids=[USER]))
    await house.meet()

    watched = (await house.rpc(pb.ListWatchedRequest(limit=10))).user_ids
    await house.rpc(pb.PutPeopleRequest(gone_user_ids=watched))

    assert await who_is_known(pool, "notification_people") == []


@pytest.mark.parametrize("table", TABLES)
async def test_what_was_found_and_foretold_of_an_account_goes_with_it(house: House, pool: Pool, table: str) -> None:
    """Advice has the names of keys, and why its owner dismissed it; others keep theirs."""
    async with pool.acquire() as connection:
        await connection.execute(NAME_USER, EVERYBODY)
        for user_id in (USER, "user-2"):
            for statement in (ADVICE, INCIDENT, ANALYSED, FORETOLD):
                await connection.execute(statement, user_id)
            way = await house.channel(pb.CHANNEL_KIND_EMAIL, user_id=user_id)
            await house.rule("report.ready", [way], user_id)
            await house.meet(user_id)

    await house.rpc(pb.PutPeopleRequest(gone_user_ids=[USER]))

    assert await who_is_known(pool, table) == ["user-2"]


class GoingSpending(SpendingReader):
    """Sums go before the first of their days is asked for, as when somebody mends them by hand."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(Sessions(pool))
        self._pool = pool

    async def first_day(self, user_id: str, subject: str) -> date | None:
        async with self._pool.acquire() as connection:
            await connection.execute(NAME_USER, EVERYBODY)
            await connection.execute("UPDATE usage.rollup_day SET key_id = 'gone'")
        return await super().first_day(user_id, subject)


async def test_a_budget_whose_spending_goes_while_it_is_looked_at_is_foretold_by_the_sums_that_were_read(
    house: House, pool: Pool, ingest: Ingest, clock: FakeClock
) -> None:
    """It stopped the look at all that the person has; the next look knows that nothing was spent."""
    spending, store = Spending(ingest), EventStore(Sessions(pool), uuid.uuid4)
    for days in (6, 5, 4, 3, 2, 1, 0.1):
        await spending.spend(10, MIDDAY - timedelta(days=days), key_id="key-1")
    way = await house.channel(pb.CHANNEL_KIND_EMAIL)
    await house.rule("budget.forecast", [way])
    rules = await RuleStore(Sessions(pool)).list_of(USER)
    events = Events(store, clock=clock)
    watch = BudgetWatch(events, store, GoingSpending(pool), no_dates, clock=clock)
    budget = WatchedBudget("key:key-1", "мало", 100 * 1_000_000, "month", MIDDAY.replace(day=1), None)

    await watch.look(Person(USER, ""), budget, rules)

    assert [each.kind for each in await house.history(way)] == ["budget.forecast"]


async def no_dates(*_: object, **__: object) -> LimitDates:
    raise AssertionError("forecasts are of accounts")
