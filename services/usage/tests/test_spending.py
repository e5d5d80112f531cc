"""Sums of what was spent: exact for any moment."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, cast

import asyncpg
import pytest

from servicekit.errors import ErrorReason, InvalidRequest, NotFound
from servicekit.testing.fake_clock import MIDDAY
from services.usage.domain.record import UsageRecord
from services.usage.domain.spend import span_of
from services.usage.ingest import Ingest
from services.usage.spending import Spending
from services.usage.store import UsageStore
from services.usage.store.connection import Connection
from services.usage.tests.records import record

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@pytest.fixture
def spending(store: UsageStore) -> Spending:
    """Return what answers the questions."""
    return Spending(store)


@pytest.fixture
async def records(ingest: Ingest) -> list[UsageRecord]:
    """Return 300 stored requests of the last five days, of two users with keys and grants."""
    rng = random.Random(11)
    made = [
        replace(
            record(number, MIDDAY - timedelta(milliseconds=rng.randrange(5 * 86_400_000))),
            user_id=rng.choice(["user-1", "user-2"]),
            key_id=rng.choice(["", "key-1", "key-2"]),
            grant_id=rng.choice(["", "grant-1"]),
            cost_micro_rub=rng.randrange(1_000_000),
        )
        for number in range(300)
    ]
    await ingest.record(made)
    return made


@pytest.mark.parametrize("subject", ["user:user-1", "key:key-1", "grant:grant-1"])
@pytest.mark.parametrize(
    "since",
    [
        None,
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 11, 21, tzinfo=UTC),
        datetime(2026, 11, 21, 7, 30, 0, 1, tzinfo=UTC),
        datetime(2026, 11, 23, 11, 59, 59, tzinfo=UTC),
        datetime(2027, 1, 1, tzinfo=UTC),
    ],
    ids=["ever", "month", "day", "any moment", "today", "future"],
)
async def test_sums_exactly_what_was_spent_since(
    spending: Spending, records: list[UsageRecord], subject: str, since: datetime | None
) -> None:
    """Whole days come from the rollup, the rest of the first day from rows, and together they are exact."""
    kind, _, name = subject.partition(":")
    mine = [
        one
        for one in records
        if one.user_id == "user-1" and getattr(one, f"{kind}_id") == name and (not since or one.created_at >= since)
    ]

    spend = await spending.sum_between("user-1", subject, since)

    assert spend.cost_micro_rub == sum(one.cost_micro_rub for one in mine)
    assert (spend.requests, spend.tokens_input) == (len(mine), 100 * len(mine))


MOMENTS = [MIDDAY + timedelta(hours=hours) for hours in (-131, -120, -84.5, -45, -36, -12, -3, -1.5, 0, 12, 30)]


@pytest.mark.parametrize("subject", ["user:user-1", "key:key-2"])
async def test_sums_exactly_what_was_spent_between_any_two_moments(
    spending: Spending, records: list[UsageRecord], subject: str
) -> None:
    """A local midnight cuts UTC days anywhere: the sum has every request of the span and none beside it."""
    kind, _, name = subject.partition(":")
    mine = [one for one in records if one.user_id == "user-1" and getattr(one, f"{kind}_id") == name]
    for since in [None, *MOMENTS]:
        for until in [None, *MOMENTS]:
            spend = await spending.sum_between("user-1", subject, since, until)

            expected = [
                one.cost_micro_rub
                for one in mine
                if (not since or one.created_at >= since) and (not until or one.created_at < until)
            ]
            assert (spend.cost_micro_rub, spend.requests) == (sum(expected), len(expected))


async def test_sums_what_many_spent_each_in_a_span_of_their_own(spending: Spending, records: list[UsageRecord]) -> None:
    """Members of an organization, one of whom left and came again; nobody is no part of it."""
    left, came = MIDDAY - timedelta(hours=45), MIDDAY - timedelta(hours=12)
    mine = [one for one in records if one.user_id == "user-1"]

    total = await spending.sum_of_many([("user-1", None, left), ("user-1", came, None), ("user-2", None, None)])

    counted = [one for one in mine if one.created_at < left or one.created_at >= came]
    counted += [one for one in records if one.user_id == "user-2"]
    assert total == sum(one.cost_micro_rub for one in counted)
    assert await spending.sum_of_many([]) == 0
    with pytest.raises(InvalidRequest):
        await spending.sum_of_many([("user-1", None, None)] * 1001)


async def test_a_thousand_members_are_one_question_to_postgresql(pool: Pool, records: list[UsageRecord]) -> None:
    """With a statement each, the sum of some hundred came later than a gateway waits for it."""
    asked: list[str] = []
    spending = Spending(UsageStore(cast("Pool", Listening(pool, asked))))
    spans = [(since, until) for since in (None, *MOMENTS) for until in (None, *MOMENTS)]
    parts = [(user_id, *span) for user_id in ("user-1", "user-2", "nobody") for span in spans]
    parts += [(f"member-{number}", MIDDAY - timedelta(days=number), None) for number in range(1_000 - len(parts))]

    total = await spending.sum_of_many(parts)

    assert len([each for each in asked if "FROM usage." in each]) == 1
    expected = [
        one.cost_micro_rub
        for user_id, since, until in parts
        for one in records
        if one.user_id == user_id
        and (since is None or one.created_at >= since)
        and (until is None or one.created_at < until)
    ]
    assert total == sum(expected)


class Listening:
    """A pool that notes what is asked of PostgreSQL."""

    def __init__(self, pool: Pool, asked: list[str]) -> None:
        self._pool = pool
        self._asked = asked

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        async with self._pool.acquire() as connection:
            connection.add_query_logger(self._note)
            try:
                yield connection
            finally:
                connection.remove_query_logger(self._note)

    def _note(self, logged: asyncpg.connection.LoggedQuery) -> None:
        self._asked.append(logged.query)


@pytest.mark.parametrize("subject", ["", "user:user-2", "user:", "key:", "team:x", "user-1"])
async def test_refuses_a_subject_that_is_not_this_users(spending: Spending, subject: str) -> None:
    """A user's sum never answers for another."""
    with pytest.raises(InvalidRequest) as caught:
        await spending.sum_between("user-1", subject, None)

    assert caught.value.param == "subject"


@pytest.mark.parametrize("user_id", ["", "user\0"])
async def test_refuses_a_missing_user(spending: Spending, user_id: str) -> None:
    """Without a user there is no sum."""
    with pytest.raises(InvalidRequest):
        await spending.sum_between(user_id, f"user:{user_id}", None)


@pytest.mark.parametrize("since", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
async def test_any_moment_of_the_calendar_has_a_span(spending: Spending, since: datetime) -> None:
    """The calendar's ends neither overflow nor fail."""
    assert span_of(since).rows_from <= span_of(since).rows_until
    assert (await spending.sum_between("user-1", "user:user-1", since)).requests == 0


async def test_finds_a_request_of_its_user_only(spending: Spending, records: list[UsageRecord]) -> None:
    """Someone else's request is absent."""
    one = records[0]

    assert await spending.find_request(one.user_id, one.request_id) == one
    with pytest.raises(NotFound):
        await spending.find_request("someone-else", one.request_id)


@pytest.mark.parametrize("request_id", ["", "chatcmpl-1", "0" * 36, "'; DROP TABLE usage.usage; --", "\0" * 36])
async def test_what_is_no_id_is_not_found(spending: Spending, request_id: str) -> None:
    """Never an error of the database."""
    with pytest.raises(NotFound) as caught:
        await spending.find_request("user-1", request_id)

    assert (caught.value.reason, caught.value.param) == (ErrorReason.NOT_FOUND, "id")
    assert caught.value.message == "No such request."


async def test_an_id_is_found_in_its_one_form_only(spending: Spending, ingest: Ingest) -> None:
    """Other spellings of a UUID are no ids of ours, and a user with a NUL has no requests."""
    one = record(1)
    await ingest.record([one])

    assert await spending.find_request(one.user_id, one.request_id) == one
    for user_id, request_id in [
        (one.user_id, one.request_id.replace("-", "")),
        (one.user_id, f"{{{one.request_id}}}"),
        (one.user_id + "\0", one.request_id),
    ]:
        with pytest.raises(NotFound):
            await spending.find_request(user_id, request_id)
