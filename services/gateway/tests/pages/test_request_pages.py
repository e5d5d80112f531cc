"""/console/requests and /console/models: the API's rows for people."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.router.v1 import router_pb2 as pb
from razvilka.usage.v1 import statistics_pb2

from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.pages.browser import browser, log_in
from services.gateway.tests.router_backend import model


def line(number: int) -> statistics_pb2.RequestLine:
    """Return a request that cost 0.001234 roubles."""
    made = statistics_pb2.RequestLine(
        request_id=f"01900000-0000-7000-8000-{number:012d}", model="yandexgpt:latest", status="completed"
    )
    made.created_at.FromDatetime(datetime(2026, 11, 28, 12, tzinfo=UTC))
    made.tokens_input, made.tokens_output, made.cost_micro_rub, made.latency_ms = 1200, 34, 1234, 560
    return made


async def test_the_log_is_paged_and_tells_costs_to_the_last_micro_rouble(edge: Edge, backends: Backends) -> None:
    """Fifty a page; the link to older ones goes on where the page ends."""
    backends.statistics.lines = [line(number) for number in range(60)]
    async with browser(edge) as client:
        await log_in(client)
        page = await client.get("/console/requests?period=all")
        older = (
            page.text.split('<a class="button plain" id="older" href="', 1)[1].split('"', 1)[0].replace("&amp;", "&")
        )
        rest = await client.get(older)

    assert page.text.count("0,001234\u00a0₽") == 50
    assert rest.text.count("0,001234\u00a0₽") == 10
    assert "period=all" in older
    assert 'rel="next"' not in rest.text


async def test_what_narrows_the_log_without_a_field_is_shown_and_stays(edge: Edge, backends: Backends) -> None:
    """A link about a model and two outcomes: the form sends them again, and the page says so."""
    address = "/console/requests?period=7d&model=yandexgpt&status=failed&status=interrupted"
    async with browser(edge) as client:
        await log_in(client)
        page = (await client.get(address)).text

    assert '<input type="hidden" name="model" value="yandexgpt">' in page
    assert '<option value="failed" selected>' in page
    assert '<input type="hidden" name="status" value="interrupted">' in page
    assert "модель: yandexgpt</span>" in page
    assert 'href="/console/requests?period=7d">' in page


async def test_a_request_that_is_not_there_is_a_page_that_says_so(edge: Edge) -> None:
    """Also for what can be no id."""
    async with browser(edge) as client:
        await log_in(client)
        absent = await client.get("/console/requests/01900000-0000-7000-8000-000000000099")
        nonsense = await client.get("/console/requests/%3Cscript%3E")

    assert (absent.status_code, nonsense.status_code) == (404, 404)
    assert "<script>" not in nonsense.text


async def test_the_catalogue_shows_prices_of_a_thousand_tokens(edge: Edge) -> None:
    """As exact as the catalogue has them, beside what each name resolves to."""
    async with browser(edge) as client:
        await log_in(client)
        listed = (await edge.client.get("/v1/models")).json()["data"]
        page = (await client.get("/console/models")).text

    assert all(model["id"] in page for model in listed)
    assert "\u00a0₽</td>" in page


async def test_a_model_tells_what_it_stands_for_and_what_it_cost_before(edge: Edge, backends: Backends) -> None:
    """Since when the name stands for it, features, the prices with their days, and the way to try it."""
    old, new = Timestamp(seconds=1_700_000_000), Timestamp(seconds=1_770_000_000)
    prices = [
        pb.Price(version="a", input_micro_rub_per_1k=1_500_000, output_micro_rub_per_1k=2_000_000, valid_from=old)
    ]
    prices.append(pb.Price(version="b", input_micro_rub_per_1k=65_000, output_micro_rub_per_1k=65_000, valid_from=new))
    made = model("gigachat-pro", prices=prices, resolved_since=old, supported_features=["vision"])
    backends.router.models = [made]
    backends.router.version = "2"
    await edge.gateway.catalog.refresh()
    async with browser(edge) as client:
        await log_in(client)
        page = (await client.get("/console/models")).text
    [told] = (await edge.client.get("/v1/models")).json()["data"]

    assert told["resolved_since"] == "2023-11-14"
    assert [price["prompt"] for price in told["price_history"]] == ["0.0015", "0.000065"]
    page = page.replace("\u00a0", " ")
    assert "→ gigachat-pro-build-7 с 14.11.2023" in page
    assert page.index("с 02.02.2026: 0,065") < page.index("с 14.11.2023: 1,5")
    assert "видит картинки" in page
    assert 'href="/console/playground?model=gigachat-pro"' in page
