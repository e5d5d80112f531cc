"""Usage to report on, orders of it, and readers of the files that come out."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from services.usage.domain.record import Status, UsageRecord
from services.usage.reports.domain.order import Format, Kind, Order, Wishes
from services.usage.reports.generation import Generation
from services.usage.store import UsageStore
from services.usage.tests.records import record

# The end of summer time in Berlin and New York is within, the beginning of none.
BEGINS = datetime(2026, 10, 20, tzinfo=UTC)
ENDS = datetime(2026, 11, 10, tzinfo=UTC)
ZONES = ("Europe/Moscow", "Europe/Berlin", "America/New_York")
# What a spreadsheet would run, and what breaks lines.
NAMES = ("=cmd|'/C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", "два\nстроки", "ключ №1")


def history(count: int = 300, user_id: str = "user-1") -> list[UsageRecord]:
    """Return requests all over the three weeks, with odd prices, several models, keys and ends."""
    step = (ENDS - BEGINS) / count
    return [_request(number, BEGINS + step * number, user_id) for number in range(count)]


def _request(number: int, at: datetime, user_id: str) -> UsageRecord:
    model = ("yandexgpt:latest", "yandexgpt-lite:latest", "gigachat-max")[number % 3]
    return replace(
        record(number, at),
        user_id=user_id,
        provider="gigachat" if model.startswith("giga") else "yandexgpt",
        model=model,
        key_id=f"key-{number % len(NAMES)}",
        cost_micro_rub=1 + number * 7_919 % 5_000_003,
        status=Status.FAILED if number % 50 == 0 else Status.COMPLETED,
        latency_ms=100 + number,
        first_token_ms=number % 90,
    )


async def store_history(store: UsageStore, records: Sequence[UsageRecord]) -> None:
    """Store requests as ingest does."""
    async with store.transaction() as transaction:
        await transaction.insert(sorted(records, key=lambda each: each.request_id))


def order(format: Format = Format.JSON, kind: Kind = Kind.SUMMARY, **changes: Any) -> Order:
    """Return an order of the whole history; keyword arguments are wishes."""
    names = {f"key-{number}": name for number, name in enumerate(NAMES)}
    wishes = Wishes(format, kind, **{"zone": "Europe/Moscow", "key_names": names, **changes})
    return Order("user-1", BEGINS, ENDS, wishes)


async def unheard(written: int, total: int) -> None:
    """Hear of progress and do nothing."""


async def file_of(generation: Generation, asked: Order) -> bytes:
    """Return the file of a report."""
    file = io.BytesIO()
    await generation.write(asked, file, unheard)
    return file.getvalue()


def total_of(records: Sequence[UsageRecord]) -> int:
    """Return what the requests cost together, in micro-roubles."""
    return sum(each.cost_micro_rub for each in records)
