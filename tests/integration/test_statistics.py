"""Every figure of the API is the SQL sum over the rows, to the micro-rouble, in zones that change their clocks."""

from __future__ import annotations

import asyncio
import csv
import io
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import httpx
import pytest

from servicekit.clock import SystemClock
from services.usage.domain.record import UsageRecord
from services.usage.ingest import Ingest
from services.usage.settings import IngestSettings
from services.usage.store import UsageStore
from services.usage.tests.statistics.samples import sample
from tests.integration.books import Books
from tests.integration.caller import ask
from tests.integration.zones import zone_away_from_midnight
from tools.stack.environments import DATABASE
from tools.stack.running_stack import Account, RunningStack

# Berlin and New York set their clocks back within the period; Kolkata is half an hour off.
ZONES: Final = ("Europe/Berlin", "America/New_York", "Asia/Kolkata")
PERIOD: Final = {"from": "2026-10-20", "to": "2026-11-05"}
SUMS: Final = (
    "count(*) AS requests, count(*) FILTER (WHERE status = 'failed') AS errors, sum(fallbacks) AS fallbacks,"
    " sum(tokens_input) AS tokens_input, sum(tokens_output) AS tokens_output, sum(tokens_cached) AS tokens_cached,"
    " sum(tokens_reasoning) AS tokens_reasoning, (sum(cost) * 1000000)::bigint AS cost_micro_rub,"
    " sum(saved_micro_rub)::bigint AS saved_micro_rub"
)
NAMES: Final = (
    *("requests", "errors", "fallbacks", "tokens_input", "tokens_output", "tokens_cached", "tokens_reasoning"),
    *("cost_micro_rub", "saved_micro_rub"),
)


async def keep(stack: RunningStack, records: Sequence[UsageRecord]) -> None:
    """Store records as a gateway's batch is stored."""
    every_user = {"razvilka.user": "*"}
    async with asyncpg.create_pool(stack.parts.admin_dsn(DATABASE), min_size=1, server_settings=every_user) as pool:
        ingest = Ingest(UsageStore(pool), IngestSettings(), clock=SystemClock(), rng=random.Random(7))
        assert (await ingest.record(records)).rejected == ()


@pytest.fixture(scope="module")
def account(stack: RunningStack) -> Account:
    """Return an account with 400 requests in sixteen days."""
    made = stack.new_account()
    # Ids of its own: the stack outlives this module.
    asyncio.run(keep(stack, [replace(each, user_id=made.user_id) for each in sample(400, random.randrange(2**31))]))
    return made


def get(stack: RunningStack, account: Account, path: str, **params: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {account.key}"}
    answer = httpx.get(f"{stack.url}{path}", params=params, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer


def sums(found: Any) -> tuple[int, ...]:
    return tuple(int(found[name]) for name in NAMES)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("bucket", ["hour", "day", "week", "month"])
def test_a_timeseries_is_what_sql_says(stack: RunningStack, account: Account, zone: str, bucket: str) -> None:
    """By bucket and model, with the days and hours as PostgreSQL itself cuts them in the zone."""
    # An hour's span is bounded: eight days around the change in Berlin.
    span = {"from": "2026-10-21", "to": "2026-10-28"} if bucket == "hour" else PERIOD
    rows = stack.query(
        f"SELECT date_trunc($2, created_at, $3) AS starts_at, split_part(model, ':', 1) AS model, {SUMS}"
        " FROM usage.usage WHERE user_id = $1"
        " AND created_at >= $4::text::timestamp AT TIME ZONE $3 AND created_at < $5::text::timestamp AT TIME ZONE $3"
        " GROUP BY 1, 2",
        *(account.user_id, bucket, zone, span["from"], span["to"]),
    )

    body = get(stack, account, "/v1/usage/timeseries", **span, tz=zone, bucket=bucket, group_by="model").json()

    shown = {(datetime.fromisoformat(row["starts_at"]), row["group"]["model"]): sums(row) for row in body["data"]}
    assert shown == {(row["starts_at"].astimezone(UTC), row["model"]): sums(row) for row in rows}
    assert sums(body["total"]) == tuple(map(sum, zip(*shown.values(), strict=True)))


@pytest.mark.parametrize("zone", ZONES)
def test_summary_log_and_export_agree_with_sql(stack: RunningStack, account: Account, zone: str) -> None:
    """With a filter, too: the total, the sum over its pages, and the sum over the lines of the file."""
    asked = {**PERIOD, "tz": zone, "status": "completed"}
    [row] = stack.query(
        f"SELECT {SUMS} FROM usage.usage WHERE user_id = $1 AND status = 'completed'"
        " AND created_at >= $3::text::timestamp AT TIME ZONE $2 AND created_at < $4::text::timestamp AT TIME ZONE $2",
        *(account.user_id, zone, PERIOD["from"], PERIOD["to"]),
    )

    summary = get(stack, account, "/v1/usage/summary", **asked).json()
    lines = log_of(stack, account, asked)
    exported = list(csv.DictReader(io.StringIO(get(stack, account, "/v1/usage/export", **asked).text)))

    assert sums(summary["total"]) == sums(row)
    for listed in (lines, exported):
        assert len(listed) == row["requests"]
        assert sum(int(line["cost_micro_rub"]) for line in listed) == row["cost_micro_rub"]
        assert sum(int(line["tokens_input"]) for line in listed) == row["tokens_input"]
    assert [line["id"] for line in lines] == [line["id"] for line in exported][::-1]


def log_of(stack: RunningStack, account: Account, asked: dict[str, str]) -> list[Any]:
    """Return the log, page by page."""
    lines: list[Any] = []
    cursor = ""
    while cursor is not None:
        page = get(stack, account, "/v1/usage/requests", **asked, limit=90, cursor=cursor).json()
        lines += page["data"]
        cursor = page["next_cursor"]
    return lines


def test_a_comparison_adds_up(stack: RunningStack, account: Account) -> None:
    """Volume, mix and price are the difference, which is that of the two periods' sums."""
    now = {"from": "2026-10-28", "to": "2026-11-04", "tz": "Europe/Berlin"}
    before = {"from": "2026-10-21", "to": "2026-10-28", "tz": "Europe/Berlin"}

    body = get(stack, account, "/v1/usage/compare", **now).json()
    earlier = get(stack, account, "/v1/usage/summary", **before).json()

    drivers = sum(each["cost_micro_rub"] for each in body["drivers"].values())
    assert drivers == body["change"]["cost_micro_rub"] != 0
    assert sums(body["previous"]) == sums(earlier["total"])
    assert (body["previous"]["from"], body["previous"]["to"]) == (
        earlier["period"]["from"],
        earlier["period"]["to"],
    )


def test_costs_of_the_organization_are_the_days_of_utc(stack: RunningStack, account: Account) -> None:
    """As tools for OpenAI read them: an account without the scope `admin` sees its own."""
    start, end = int(datetime(2026, 10, 20, tzinfo=UTC).timestamp()), int(datetime(2026, 11, 5, tzinfo=UTC).timestamp())
    [row] = stack.query(
        "SELECT (sum(cost) * 1000000)::bigint AS cost FROM usage.usage WHERE user_id = $1", account.user_id
    )

    body = get(stack, account, "/v1/organization/costs", start_time=start, end_time=end, limit=31).json()

    results = [result for bucket in body["data"] for result in bucket["results"]]
    assert sum(result["amount"]["micro_rub"] for result in results) == row["cost"]
    assert len(body["data"]) == 16


def test_a_request_is_in_the_figures_at_once(stack: RunningStack, books: Books) -> None:
    """As soon as its row is there, it is in every rollup; nobody waits for a job."""
    fresh = stack.new_account()
    answer = ask(stack.url, fresh.key, "Да?", model="gigachat-pro")
    assert answer.status == 200
    [row] = books.wait_for_rows(fresh.user_id)

    today = {"period": "today", "tz": zone_away_from_midnight()}
    total = get(stack, fresh, "/v1/usage/summary", **today).json()["total"]
    (by_key,) = get(stack, fresh, "/v1/usage/summary", **today, group_by="key").json()["data"]

    assert total["requests"] == by_key["requests"] == 1
    assert total["cost_micro_rub"] == by_key["cost_micro_rub"] == row["micro_rub"] > 0
