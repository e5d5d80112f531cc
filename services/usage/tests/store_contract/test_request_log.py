"""The log of requests: every line once, in order, page by page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.usage.domain.record import UsageRecord
from services.usage.statistics.domain.query import Dimension
from services.usage.statistics.domain.request_line import LogQuery, Position, RequestLine
from services.usage.tests.records import request_id
from services.usage.tests.statistics.samples import BEGIN, END, sample
from services.usage.tests.store_contract.conftest import StoreUnderTest


async def pages_of(stored: StoreUnderTest, query: LogQuery) -> list[RequestLine]:
    """Return the lines of all pages."""
    lines: list[RequestLine] = []
    while page := await stored.log.request_lines(query):
        lines += page
        query = replace(query, after=Position(page[-1].created_at, page[-1].request_id))
    return lines


def crowded(count: int) -> list[UsageRecord]:
    """Return requests of which many have the same millisecond."""
    moments = [each.created_at for each in sample(5)]
    return [
        replace(each, user_id="user-1", request_id=request_id(number, moments[number % 5]))
        for number, each in enumerate(sample(count))
    ]


@pytest.mark.parametrize("oldest_first", [False, True])
@pytest.mark.parametrize(("limit", "user_id"), [(1, "user-1"), (7, "user-1"), (7, None)])
async def test_pages_have_every_line_once_and_in_order(
    stored: StoreUnderTest, oldest_first: bool, limit: int, user_id: str | None
) -> None:
    """Also where a page ends between two requests of one millisecond."""
    await stored.keep(records := crowded(40))

    lines = await pages_of(stored, LogQuery(user_id, BEGIN, END, oldest_first=oldest_first, limit=limit))

    ordered = sorted(((each.created_at, each.request_id) for each in records), reverse=not oldest_first)
    assert [(line.created_at, line.request_id) for line in lines] == ordered


async def test_a_line_says_what_the_request_was(stored: StoreUnderTest) -> None:
    """Every field is the record's."""
    await stored.keep(records := sample(30))
    by_id = {each.request_id: each for each in records}

    lines = await pages_of(stored, LogQuery(None, BEGIN, END))

    assert len(lines) == 30
    for line in lines:
        meant = by_id[line.request_id]
        assert (line.user_id, line.cost_micro_rub, line.status) == (meant.user_id, meant.cost_micro_rub, meant.status)
        assert (line.tokens_input, line.latency_ms, line.error_code) == (
            meant.tokens_input,
            meant.latency_ms,
            meant.error_code,
        )


async def test_filters_narrow_the_log(stored: StoreUnderTest) -> None:
    """By the same dimensions as figures."""
    await stored.keep(records := sample(60))
    filters = {Dimension.STATUS: ("failed",), Dimension.MODEL: ("yandexgpt",)}

    lines = await pages_of(stored, LogQuery("user-1", BEGIN, END, filters, limit=4))

    wanted = {
        each.request_id
        for each in records
        if each.user_id == "user-1" and each.status == "failed" and each.model.startswith("yandexgpt:")
    }
    assert {line.request_id for line in lines} == wanted != set()
