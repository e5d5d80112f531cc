"""/console/usage: the question in the address, the chart with its table, and what is wrong with a question."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from razvilka.usage.v1 import statistics_pb2

from services.gateway.console.usage.charting import starts_of
from services.gateway.console.usage.metrics import METRICS
from services.gateway.console.usage.questions import question_of
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.pages.browser import browser, log_in


def by_model() -> statistics_pb2.DetailedStats:
    """Return two days of two models, one of which has a hostile name."""
    stats = statistics_pb2.DetailedStats()
    stats.previous.SetInParent()
    for day in (27, 28):
        for model, cost in (("yandexgpt", 2_500_000), ("<script>", 1_000_000)):
            row = stats.rows.add(group=[model])
            row.starts_at.FromDatetime(datetime(2026, 11, day, tzinfo=UTC))
            row.figures.requests, row.figures.cost_micro_rub = 3, cost
    stats.total.requests, stats.total.cost_micro_rub = 12, 7_000_000
    return stats


async def test_the_page_shows_what_the_api_says_as_a_chart_and_as_its_table(edge: Edge, backends: Backends) -> None:
    """Each value of the chart is in the table; names of others are text."""
    backends.statistics.stats = by_model()
    async with browser(edge) as client:
        await log_in(client)
        page = (await client.get("/console/usage?period=7d&group_by=model&metric=cost&bucket=day")).text

    # Nothing is asked twice: the series, and the groups with the period before.
    assert [asked.question.compared for asked in backends.statistics.asked].count(True) == 1
    assert len(backends.statistics.asked) == 2
    assert page.count('<rect class="series-0" x=') == 2
    assert page.count(">2,50\u00a0₽</td>") >= 2
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


@pytest.mark.parametrize("metric", METRICS)
async def test_every_metric_of_the_list_is_in_the_chart(edge: Edge, backends: Backends, metric: str) -> None:
    """Durations are only in answers to whoever asks for them: their charts were empty."""
    backends.statistics.stats = by_model()
    for row in backends.statistics.stats.rows:
        row.figures.tokens_input = row.figures.errors = 9
        row.figures.latency.p95_ms = row.figures.first_token.p95_ms = 900
    async with browser(edge) as client:
        await log_in(client)
        page = (await client.get(f"/console/usage?period=7d&bucket=day&metric={metric}")).text

    assert len(re.findall(r'<(?:rect class="series-\d" x=|circle )', page)) == 4


async def test_every_filter_of_the_address_reaches_the_api(edge: Edge, backends: Backends) -> None:
    """What is narrowed in the address is narrowed in the question, and stays when the form is sent again."""
    async with browser(edge) as client:
        await log_in(client)
        page = (await client.get("/console/usage?period=30d&model=yandexgpt&model=gigachat&group_by=key")).text

    filters = {filter_.dimension: list(filter_.values) for filter_ in backends.statistics.asked[-1].question.filters}
    assert filters == {"model": ["yandexgpt", "gigachat"]}
    assert '<input type="hidden" name="model" value="yandexgpt">' in page


async def test_a_question_that_the_api_refuses_is_shown_with_its_field(edge: Edge) -> None:
    """By the name that the form has for it. The form stays, so that it can be mended."""
    async with browser(edge) as client:
        await log_in(client)
        page = await client.get("/console/usage?period=yesterday")
        dates = await client.get("/console/requests?from=2026-11-02&to=2026-11-01")
        tag = await client.get("/console/requests?tag=x")

    assert (page.status_code, dates.status_code, tag.status_code) == (400, 400, 400)
    assert "проверьте поле «Период»" in page.text
    assert "проверьте поле «До (не включая)»" in dates.text
    assert "проверьте поле «Метка»" in tag.text
    assert '<form class="filters"' in page.text


async def test_each_column_of_whole_days_says_which_days_it_is(edge: Edge, backends: Backends) -> None:
    """So a column can be looked at closer: the same page, asked for those days; hours are not parted further."""
    backends.statistics.stats = by_model()
    async with browser(edge) as client:
        await log_in(client)
        days = (await client.get("/console/usage?period=7d&bucket=day")).text
        weeks = (await client.get("/console/usage?period=7d&bucket=week")).text
        months = (await client.get("/console/usage?period=7d&bucket=month")).text
        hours = (await client.get("/console/usage?period=7d&bucket=hour")).text

    assert re.findall(r'<tr data-from="([\d-]+)" data-to="([\d-]+)"', days) == [
        ("2026-11-27", "2026-11-28"),
        ("2026-11-28", "2026-11-29"),
    ]
    assert 'data-to="2026-12-05"' in weeks
    assert 'data-to="2026-12-01"' in months
    assert "data-from" not in hours
    assert 'max="1" value="1"' in days


@pytest.mark.parametrize(
    ("bucket", "first", "as_of", "columns"),
    [
        ("day", "2026-11-20T21:00:00Z", "2026-11-28T09:00:00Z", 8),
        ("week", "2026-11-01T21:00:00Z", "2026-11-28T09:00:00Z", 4),
        ("month", "2026-07-31T21:00:00Z", "2026-11-28T09:00:00Z", 4),
        ("hour", "2026-11-27T06:00:00Z", "2026-11-28T09:00:00Z", 27),
        ("day", "2026-11-27T21:00:00Z", "2026-11-28T09:00:00Z", 1),
        ("day", "2026-11-20T21:00:00Z", "2026-12-28T09:00:00Z", 9),
    ],
)
def test_times_in_which_nothing_was_asked_are_columns_too(bucket: str, first: str, as_of: str, columns: int) -> None:
    """A week of silence was no wider than a night, and who stopped long ago seemed to go on."""
    until = {"from": "2026-01-01T00:00:00Z", "to": "2026-11-29T09:00:00Z", "time_zone": "Europe/Moscow"}

    starts = starts_of({"bucket": bucket, "period": until, "as_of": as_of, "data": [{"starts_at": first}]})

    assert len(starts) == columns
    assert {start.hour for start in starts} == ({0} if bucket != "hour" else set(range(24)))


def test_an_hour_that_comes_twice_is_two_columns() -> None:
    """In the night in which Berlin puts its clocks back."""
    until = {"from": "2026-10-24T22:00:00Z", "to": "2026-10-25T03:00:00Z", "time_zone": "Europe/Berlin"}
    rows = [{"starts_at": f"2026-10-24T{hour}:00:00Z"} for hour in ("22", "23")]

    starts = starts_of({"bucket": "hour", "period": until, "as_of": until["to"], "data": rows})

    assert [start.hour for start in starts] == [0, 1, 2, 2, 3]


async def test_parts_that_change_are_asked_at_the_address_of_their_page(edge: Edge, backends: Backends) -> None:
    """Without scripts the same forms and links lead there, so nothing is only for those who run them."""
    backends.statistics.stats = by_model()
    async with browser(edge) as client:
        await log_in(client)
        pages = [(await client.get(path)).text for path in ("/console/usage", "/console/requests", "/status")]

    for page in pages:
        asked = re.findall(r'<(\w+)([^>]*) hx-get="([^"?]+)[^"]*"[^>]* hx-target="(#\w+|this)"', page)
        assert asked
        for tag, attributes, address, target in asked:
            assert tag == "div" or f'="{address}"' in attributes
            assert target == "this" or f'id="{target[1:]}"' in page
    assert all('"allowEval": false' in page and "hx-on" not in page for page in pages)


async def test_own_dates_come_before_the_list_of_periods(edge: Edge, backends: Backends) -> None:
    """Without scripts the list says thirty days beside them, as in the form of a report; then it says own dates."""
    address = "period=30d&from=2026-11-01&to=2026-11-03&tz=UTC"
    async with browser(edge) as client:
        await log_in(client)
        pages = [await client.get(f"/console/{name}?{address}") for name in ("usage", "requests")]

    assert [page.status_code for page in pages] == [200, 200]
    assert {asked.question.period.until.ToJsonString() for asked in backends.statistics.asked} == {
        "2026-11-03T00:00:00Z"
    }
    for page in pages:
        assert "selected>30" not in page.text
        assert 'value="2026-11-01"' in page.text
        assert '<input type="hidden" name="tz" value="UTC">' in page.text


async def test_the_way_back_to_everything_keeps_when_and_how(edge: Edge, backends: Backends) -> None:
    """Only the filters go."""
    backends.statistics.stats = by_model()
    async with browser(edge) as client:
        await log_in(client)
        page = (await client.get("/console/usage?period=7d&group_by=key&metric=requests&bucket=day&model=a%26b")).text

    assert 'href="/console/usage?period=7d&amp;bucket=day&amp;group_by=key&amp;metric=requests"' in page


def test_the_table_of_groups_has_an_end() -> None:
    """A hundred thousand tags made a page of as many rows, which all others waited for; the rest is one row."""
    asked = question_of([("group_by", "tag"), ("period", "90d")], ("cost",))

    assert asked.by_group() == [("period", "90d"), ("group_by", "tag"), ("top", "100")]
