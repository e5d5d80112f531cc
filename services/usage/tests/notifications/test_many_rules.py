"""What one account costs that has as many rules and budgets as it may: it is looked at like others, each minute."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from services.usage.notifications.budget_watch import BudgetWatch
from services.usage.notifications.domain.kinds import EventKind
from services.usage.notifications.domain.person import Person, WatchedBudget
from services.usage.notifications.domain.rule import NewRule, Rule
from services.usage.notifications.raising import Events
from services.usage.notifications.store.events import TOLD_LIKE, EventStore
from services.usage.notifications.store.rules import LIST_WATCHED
from services.usage.notifications.store.sessions import Sessions
from services.usage.notifications.store.spending import SpendingReader
from services.usage.store.connection import EVERYBODY, NAME_USER
from services.usage.tests.notifications.conftest import USER, Pool
from tools.testing.bounded_deletes import admin_of
from tools.testing.databases import Databases


class CountedStore(EventStore):
    """The store, which knows how often it was asked what was told."""

    asked = 0

    async def told_like(self, *args: Any, **named: Any) -> Any:
        """Ask, and count."""
        self.asked += 1
        return await super().told_like(*args, **named)


async def nothing_foretold(*args: Any, **named: Any) -> Any:
    """No rule here is about what is to come."""
    raise AssertionError


async def test_what_fifty_rules_told_of_a_budget_is_one_question(pool: Pool, clock: FakeClock) -> None:
    """It was two for each rule and budget: 50 rules and 1,000 budgets were 100,000, every minute."""
    sessions = Sessions(pool)
    store = CountedStore(sessions, uuid4)
    watch = BudgetWatch(Events(store, clock=clock), store, SpendingReader(sessions), nothing_foretold, clock=clock)
    says = NewRule(EventKind.BUDGET_THRESHOLD, (uuid4(),), "", (50, 100), 0, True)
    rules = [Rule(uuid4(), USER, says, MIDDAY, "") for _ in range(50)]
    budget = WatchedBudget(f"user:{USER}", "", 1_000_000, "month", MIDDAY - timedelta(days=1), MIDDAY)

    await watch.look(Person(USER, ""), budget, rules)

    assert store.asked == 1


async def test_what_was_told_of_one_budget_is_found_without_all_that_was_ever_told(pool: Pool) -> None:
    """Rules tell for as long as events are kept, of each key and each day."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(NAME_USER, EVERYBODY)
        await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        values = ", ".join(["NULL"] * len((await connection.prepare(TOLD_LIKE)).get_parameters()))
        await connection.execute(f"PREPARE asked AS {TOLD_LIKE}")
        plan = [row[0] for row in await connection.fetch(f"EXPLAIN (COSTS off) EXECUTE asked({values})")]
        await connection.execute("DEALLOCATE asked")

    conditions = [line for line in plan if "Index Cond" in line]
    assert len(conditions) == 1
    assert "dedupe_key" in conditions[0], plan


async def test_a_page_of_those_to_be_told_reads_no_others(pool: Pool, databases: Databases) -> None:
    """Each page of a hundred sorted all people of all tables: the last of a million took as long as the first."""
    async with admin_of(pool, databases) as admin:
        await admin.execute(
            "INSERT INTO usage.notification_people (user_id, language, time_zone, told_at) "
            "SELECT 'user-' || n, 'ru', 'UTC', now() FROM generate_series(1, 20000) AS n"
        )
        await admin.execute("ANALYZE usage.notification_people")
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(NAME_USER, EVERYBODY)
        plan = await connection.fetchval("EXPLAIN (ANALYZE, FORMAT json) " + LIST_WATCHED, "user-1", 5)

    assert max(map(float, re.findall(r'"Actual Rows": ([\d.]+)', plan))) <= 10
