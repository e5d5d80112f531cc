"""/console/usage: the question in the address, the chart with its table, and what is wrong with a question."""

from __future__ import annotations

from datetime import UTC, datetime

from razvilka.usage.v1 import statistics_pb2

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

    assert page.count('<rect class="series-0" x=') == 2
    assert page.count(">2,50\u00a0₽</td>") >= 2
    assert "&lt;script&gt;" in page
    assert "<script" not in page


async def test_every_filter_of_the_address_reaches_the_api(edge: Edge, backends: Backends) -> None:
    """What is narrowed in the address is narrowed in the question, and stays when the form is sent again."""
    async with browser(edge) as client:
        await log_in(client)
        page = (await client.get("/console/usage?period=30d&model=yandexgpt&model=gigachat&group_by=key")).text

    filters = {filter_.dimension: list(filter_.values) for filter_ in backends.statistics.asked[-1].question.filters}
    assert filters == {"model": ["yandexgpt", "gigachat"]}
    assert '<input type="hidden" name="model" value="yandexgpt">' in page


async def test_a_question_that_the_api_refuses_is_shown_with_its_field(edge: Edge) -> None:
    """The form stays, so that it can be mended."""
    async with browser(edge) as client:
        await log_in(client)
        page = await client.get("/console/usage?period=yesterday")

    assert page.status_code == 400
    assert "проверьте поле «period»" in page.text
    assert '<form class="filters"' in page.text
