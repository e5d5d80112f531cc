"""/status.json, /status.rss and /status: everybody may know how the service is, and nothing of anybody."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree

import httpx
import pytest
from razvilka.usage.v1 import statistics_pb2 as pb

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing import FakeClock
from services.gateway.availability.feed import feed_of
from services.gateway.availability.remembered import Remembered
from services.gateway.availability.shares import OURS, shares_of
from services.gateway.availability.spans import SPANS
from services.gateway.clients.usage_statistics.values import Ending, PlatformHealth, Quantiles
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge, StartGateway

VERSION = "yandexgpt:latest"


@pytest.fixture
async def stranger(edge: Edge) -> httpx.AsyncClient:
    """Somebody without a credential."""
    edge.client.headers.pop("authorization")
    return edge.client


def ended(error: str, requests: int) -> pb.Endings:
    """Return requests of this hour that ended so."""
    message = pb.Endings(version=VERSION, error=error, requests=requests)
    message.starts_at.FromDatetime(datetime.now(UTC))
    return message


async def test_anybody_learns_shares_and_no_numbers(stranger: httpx.AsyncClient, backends: Backends) -> None:
    """What is wrong with requests themselves is no outage; how many there were is nobody's business."""
    backends.statistics.health = pb.GetPlatformHealthResponse(
        endings=[
            ended("", 9_990),
            ended("provider_timeout", 10),
            ended("content_filter", 777),
            ended("client_left", 3),
        ],
        paces=[pb.Pace(version=VERSION, first_token=pb.DurationQuantiles(p50_ms=180, p95_ms=900))],
    )

    answer = await stranger.get("/status.json")

    [model] = [m for p in answer.json()["providers"] for m in p["models"] if m["model"] == VERSION]
    for name, span in SPANS.items():
        told = model["spans"][name]
        assert (told["availability"], told["error_rate"], told["first_token_p95_ms"]) == (0.9991, 0.0009, 900)
        assert len(told["bars"]) == span.bars
        assert [bar for bar in told["bars"] if bar is not None] == [0.9991]
    assert answer.headers["cache-control"] == "public, max-age=30"
    # The moment of the answer has any digits.
    assert "777" not in json.dumps(answer.json() | {"updated_at": ""})
    assert {shown for shown in backends.statistics.shown if shown} == set()


async def test_however_many_look_the_services_are_asked_once(stranger: httpx.AsyncClient, backends: Backends) -> None:
    """One question a span in half a minute, for all forms of the page."""
    await asyncio.gather(*[stranger.get("/status.json") for _ in range(10)])
    await stranger.get("/status.rss")

    assert len(backends.statistics.asked) == len(SPANS)


async def test_incidents_come_from_the_routers_history(stranger: httpx.AsyncClient) -> None:
    """Open ones, too, each with a name that stays."""
    [incident] = (await stranger.get("/status.json")).json()["incidents"]

    assert (incident["provider"], incident["models"], incident["ended_at"]) == ("gigachat", ["gigachat-pro"], None)


@pytest.mark.parametrize(("language", "title"), [("ru", "Сбой: gigachat"), ("en", "Trouble: gigachat")])
async def test_the_feed_is_rss(stranger: httpx.AsyncClient, language: str, title: str) -> None:
    """With what RSS 2.0 asks of channels and items, in the reader's language."""
    answer = await stranger.get("/status.rss", headers={"accept-language": language})

    rss = ElementTree.fromstring(answer.content)
    channel = rss.find("channel")
    assert answer.headers["content-type"].startswith("application/rss+xml")
    assert (rss.tag, rss.get("version")) == ("rss", "2.0")
    assert channel is not None
    assert all(channel.findtext(name) for name in ("title", "link", "description", "lastBuildDate"))
    [item] = channel.findall("item")
    assert item.findtext("title") == title
    assert item.findtext("guid", "").startswith("gigachat-")
    assert parsedate_to_datetime(item.findtext("pubDate", "")).tzinfo is not None


async def test_addresses_have_one_slash_whatever_the_setting_ends_with(start_gateway: StartGateway) -> None:
    """The feed and the pages had two of them; reports did not."""
    edge = await start_gateway(public_url="https://api.example.com/")

    feed = await edge.client.get("/status.rss")
    page = await edge.client.get("/", headers={"accept": "text/html"})

    assert "https://api.example.com/status" in feed.text
    assert "https://api.example.com/v1" in page.text
    assert "example.com//" not in feed.text + page.text


@pytest.mark.parametrize(("language", "title"), [("ru", "Сбой: gigachat"), ("en", "Trouble: gigachat")])
async def test_who_reads_the_page_is_offered_the_feed_in_its_language(
    stranger: httpx.AsyncClient, language: str, title: str
) -> None:
    """Programs that read feeds say no language: whoever subscribed on the English page read Russian."""
    page = await stranger.get("/status", params={"lang": language})
    offered = re.findall(r'href="(/status\.rss[^"]*)"', page.text)
    feeds = [await stranger.get(path) for path in offered]

    assert len(feeds) == 2
    assert all(title in feed.text for feed in feeds)


def test_an_incident_without_a_known_reason_ends_with_its_models() -> None:
    """No colon with nothing behind it, nor a comma before."""
    began = datetime(2026, 11, 30, tzinfo=UTC)
    incident = {"id": "i", "provider": "gigachat", "models": ["gigachat-pro"], "began_at": began, "ended_at": None}

    feeds = [
        feed_of([{**incident, "reasons": reasons}], url="https://x", language="en", now=began).decode()
        for reasons in ([], ["", "failures"])
    ]

    assert "<description>gigachat-pro</description>" in feeds[0]
    assert "<description>gigachat-pro: calls fail</description>" in feeds[1]


async def test_what_cannot_be_told_is_null_and_the_rest_is_told(
    stranger: httpx.AsyncClient, backends: Backends
) -> None:
    """Usage is away: no figures, but providers and incidents."""
    backends.statistics.failure = Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "Away.")

    body = (await stranger.get("/status.json")).json()

    assert {model["spans"]["24h"] for provider in body["providers"] for model in provider["models"]} == {None}
    assert body["incidents"]


async def test_a_value_outlives_its_source() -> None:
    """What was found is told while its source is away, and asked for anew when its time is over."""
    clock = FakeClock()
    remembered = Remembered[int](clock, 30.0)

    async def find() -> int:
        found.append(len(found))
        return found[-1]

    async def fail() -> int:
        raise Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "Away.")

    found: list[int] = []
    told = [await remembered.get(fail)]
    clock.advance(30)
    told += [await remembered.get(find), await remembered.get(find)]
    clock.advance(30)
    told += [await remembered.get(fail), await remembered.get(find)]
    clock.advance(30)
    told.append(await remembered.get(find))

    assert told == [None, 0, 0, 0, 0, 1]


def test_each_request_is_in_the_bar_of_its_time() -> None:
    """Bars in which nobody asked are empty, and are no outage."""
    span, begins_at = SPANS["24h"], datetime(2026, 11, 28, tzinfo=UTC)
    endings = (
        Ending(begins_at, VERSION, "", 3),
        Ending(begins_at, VERSION, "shutdown", 1),
        Ending(begins_at + timedelta(hours=23), VERSION, "", 1),
    )

    shares = shares_of(PlatformHealth(endings, {VERSION: Quantiles(1, 2, 3)}), span, begins_at)[VERSION]

    assert shares.bars == (0.75, *[None] * 22, 1.0)
    assert (shares.availability, shares.first_token.p95_ms) == (0.8, 2)
    one_of_many = (Ending(begins_at, VERSION, "", 99_999), Ending(begins_at, VERSION, "shutdown", 1))
    assert shares_of(PlatformHealth(one_of_many, {}), span, begins_at)[VERSION].availability == 0.9999
    assert {"provider_timeout", "internal_error"} <= OURS
    assert not {"content_filter", "rate_limit_exceeded", "client_left"} & OURS


@pytest.mark.parametrize(("name", "first"), [("24h", "2026-11-27T11:00"), ("7d", "2026-11-22T00:00")])
def test_spans_begin_at_whole_hours_and_days(name: str, first: str) -> None:
    """The last bar is the one that is not over yet."""
    begins_at = SPANS[name].begins_at(datetime(2026, 11, 28, 10, 59, 59, tzinfo=UTC))

    assert begins_at.isoformat().startswith(first)
