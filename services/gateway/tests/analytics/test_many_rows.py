"""Answers of a hundred thousand rows, which others need not wait for."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from fastapi import Response

from services.gateway.analytics import many_rows
from services.gateway.analytics.bodies import TimeseriesBody
from services.gateway.analytics.many_rows import with_rows
from services.gateway.analytics.views import figures_body
from services.gateway.clients.usage_statistics.values import Figures, Quantiles, Row

NONE = Quantiles(None, None, None)
SUMS: dict[str, Any] = dict.fromkeys(Figures.__dataclass_fields__, 0) | {"latency": NONE, "first_token": NONE}
HEAD = {
    "user_id": 'someone "data":[] ',
    "period": {"from": "a", "to": "b", "time_zone": "Europe/Moscow"},
    "bucket": "day",
    "total": figures_body(Figures(**SUMS)),
    "as_of": "c",
}


def rows(count: int) -> list[Row]:
    latency = Quantiles(1.5, None, 2.0)
    figures = [Figures(**{**SUMS, "cost_micro_rub": number, "latency": latency}) for number in range(count)]
    return [Row(None, (f"имя={number}",), number == count - 1, each) for number, each in enumerate(figures)]


@pytest.mark.parametrize("count", [11, 199, 200, 201])
async def test_many_rows_are_written_as_few_are(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In pieces, and to the letter."""
    few = await with_rows(TimeseriesBody, HEAD, rows(count), ("tag",), lambda row: -row.figures.cost_micro_rub)
    monkeypatch.setattr(many_rows, "MOST_AT_ONCE", 10)

    many = await with_rows(TimeseriesBody, HEAD, rows(count), ("tag",), lambda row: -row.figures.cost_micro_rub)

    assert isinstance(many, Response)
    assert isinstance(few, dict)
    assert json.loads(bytes(many.body)) == TimeseriesBody.model_validate(few).model_dump(by_alias=True)
    assert many.media_type == "application/json"


async def test_many_rows_are_written_in_a_thread() -> None:
    """Eleven seconds of a gateway's only event loop, as often as anybody with a tag for each request liked."""
    threads: set[int] = set()

    def order(row: Row) -> int:
        threads.add(threading.get_ident())
        return row.figures.cost_micro_rub

    await with_rows(TimeseriesBody, HEAD, rows(many_rows.MOST_AT_ONCE + 1), ("tag",), order)

    assert threading.get_ident() not in threads
