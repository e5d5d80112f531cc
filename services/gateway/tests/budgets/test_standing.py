"""How many budgets stand, where Redis has no counter of them."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any, Final

from servicekit.testing import FakeClock
from services.gateway.admission.caps import CapMode
from services.gateway.admission.redis.counts import RedisCounts
from services.gateway.budgets.standing import AT_ONCE, Standings
from services.gateway.clients.budgets.client import CapView

MANY: Final = 3 * AT_ONCE + 1
PATIENCE_S: Final = 60.0


def cap(number: int) -> CapView:
    """Return the budget of a key that was not used this month."""
    return CapView(
        f"b{number}", "user-1", f"key:k{number}", "cost", "month", "*", 1_000, CapMode.HARD, False, "key", "UTC", None,
        None,
    )  # fmt: skip


async def test_what_many_budgets_cost_is_asked_several_at_once(redis_client: Any, clock: FakeClock) -> None:
    """On the first of a month no key has a counter: a page would wait for hundreds of answers, one by one."""
    under_way, most = 0, 0
    together = asyncio.Barrier(AT_ONCE)

    async def spend_of(user_id: str, subject: str, since: datetime | None, until: datetime | None) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if subject != f"key:k{MANY - 1}":
            await together.wait()
        under_way -= 1
        return int(subject.removeprefix("key:k"))

    async with asyncio.timeout(PATIENCE_S):
        found = await Standings(RedisCounts(redis_client), spend_of, clock).of([cap(each) for each in range(MANY)])

    assert [each.used for each in found] == list(range(MANY))
    assert most == AT_ONCE


async def test_many_requests_of_one_owner_ask_no_more_at_once(redis_client: Any, clock: FakeClock) -> None:
    """A hundred pages of a thousand budgets asked for 800 sums at once, and the books came behind them."""
    under_way, most = 0, 0

    async def spend_of(user_id: str, subject: str, since: datetime | None, until: datetime | None) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return 7

    standings = Standings(RedisCounts(redis_client), spend_of, clock)
    async with asyncio.timeout(PATIENCE_S):
        pages = await asyncio.gather(*[standings.of([cap(each) for each in range(MANY)]) for _ in range(10)])

    assert {each.used for page in pages for each in page} == {7}
    assert most == AT_ONCE
