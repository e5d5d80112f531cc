"""Budget periods: the owner's days and months, daylight saving included, decided once by the request's id."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from services.gateway.admission.keys import budget_key, end_of, parse_budget_key
from services.gateway.admission.periods import BudgetPeriod, id_time_ms, window_of
from services.gateway.edge.request_id import new_request_id
from services.gateway.tests.admission_kit import USER, Ledger, admission_on, budget, request

# Half hours, quarters, both hemispheres, zones whose clocks change at midnight, one that lost a day.
ZONES = [
    "UTC",
    "Europe/Moscow",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "America/Asuncion",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
]


def id_at(moment: datetime) -> str:
    """Return a UUIDv7 of a moment."""
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}-{new_request_id()[14:]}"


@given(
    at=st.datetimes(datetime(2005, 1, 1), datetime(2036, 1, 1)),
    zone=st.sampled_from(ZONES),
    period=st.sampled_from([BudgetPeriod.DAY, BudgetPeriod.MONTH]),
)
def test_periods_follow_each_other_without_gap_or_overlap(at, zone, period):
    """Each begins where the one before ends, at a local midnight, and contains what it was asked for."""
    at_s = int(at.replace(tzinfo=UTC).timestamp())

    window = window_of(period, zone, at_s)

    assert window is not None
    assert window.starts_s <= at_s < window.ends_s
    following, before = window_of(period, zone, window.ends_s), window_of(period, zone, window.starts_s - 1)
    assert following is not None
    assert before is not None
    assert (before.ends_s, following.starts_s) == (window.starts_s, window.ends_s)
    first = datetime.fromtimestamp(window.starts_s, ZoneInfo(zone))
    last = datetime.fromtimestamp(window.ends_s - 1, ZoneInfo(zone))
    assert (first.year, first.month) == (last.year, last.month)
    assert first.day == (last.day if period is BudgetPeriod.DAY else 1)


@given(at=st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)), period=st.sampled_from(list(BudgetPeriod)))
def test_a_budget_key_names_its_period(at, period):
    """What is parsed from a key contains the moment it was made for, and ends when it says."""
    at = at.replace(tzinfo=UTC, microsecond=0)
    at_s = int(at.timestamp())
    key = budget_key("u", "key:a:b", period, "Europe/Moscow", at_s)

    span, ends_s = parse_budget_key(key), end_of(key)

    assert (span.user_id, span.subject) == ("u", "key:a:b")
    if period is BudgetPeriod.TOTAL:
        assert (span.since, span.until, ends_s) == (None, None, 0)
    else:
        assert span.since is not None
        assert span.until is not None
        assert span.since <= at < span.until == datetime.fromtimestamp(ends_s, UTC)


@pytest.mark.parametrize(
    ("zone", "utc", "hours"),
    [
        ("Europe/Moscow", "2026-11-24T21:00", 24),
        ("Europe/Berlin", "2026-03-28T23:00", 23),
        ("Europe/Berlin", "2026-10-24T22:00", 25),
        ("Asia/Kathmandu", "2026-11-23T18:15", 24),
    ],
)
def test_a_day_begins_at_the_owners_midnight(zone, utc, hours):
    """In Moscow at 21:00 UTC; the day on which clocks change has 23 or 25 hours."""
    start = datetime.fromisoformat(utc).replace(tzinfo=UTC)

    window = window_of(BudgetPeriod.DAY, zone, int(start.timestamp()))

    assert window is not None
    assert datetime.fromtimestamp(window.starts_s, UTC) == start
    assert (window.ends_s - window.starts_s) / 3600 == hours


def test_an_unknown_zone_counts_as_utc():
    """A name that this machine lacks, or no name at all, refuses nobody."""
    for name in ("Mars/Olympus", "", "../../etc/passwd"):
        assert window_of(BudgetPeriod.DAY, name, 0) == window_of(BudgetPeriod.DAY, "UTC", 0)


@pytest.mark.parametrize("days", [-730, -35, 0, 2])
async def test_the_period_is_that_of_the_request_id_whatever_redis_says(redis_url, days):
    """A gateway's clock is weeks or years off: hold, settlement and rebuild name the period in which the row lies."""
    made = datetime.now(UTC) + timedelta(days=days)
    ledger, asked = Ledger(), request(budgets=(budget(10_000),), request_id=id_at(made))
    async with admission_on(redis_url, ledger) as admission:
        ticket = (await admission.admit(asked)).ticket
        await admission.settle(ticket, 0, 5)

    row_at = datetime.fromtimestamp(id_time_ms(asked.request_id) / 1000, UTC)
    span = parse_budget_key(ticket.budget_keys[0])
    assert ticket.budget_keys == asked.budget_keys
    assert span.since is not None
    # Of a period that is still to come nobody is asked: that of the day after tomorrow may be next month's.
    has_begun = span.since <= datetime.now(UTC)
    assert [since for _, _, since, _ in ledger.asked[:1]] == ([span.since] if has_begun else [])
    assert span.until is not None
    assert span.since <= row_at < span.until


def test_the_keys_of_a_request_name_its_budgets_in_the_periods_of_its_id():
    """To the second, in the zone of its account."""
    midnight = datetime(2026, 11, 23, 21, tzinfo=UTC)
    budgets = (budget(1, BudgetPeriod.DAY, "key:k"), budget(1, BudgetPeriod.TOTAL))
    just_before = id_at(midnight - timedelta(milliseconds=1))
    keys = [
        structs.replace(request(budgets=budgets, request_id=name), time_zone="Europe/Moscow").budget_keys
        for name in (just_before, id_at(midnight))
    ]

    total, seconds = f"gw:{{{USER}}}:b:user:{USER}:t", int(midnight.timestamp())
    assert keys == [
        (f"gw:{{{USER}}}:b:key:k:d{begins}-{begins + 86_400}", total) for begins in (seconds - 86_400, seconds)
    ]
