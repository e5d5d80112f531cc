"""/status: for everybody; and for those who are logged in, with their own requests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from razvilka.usage.v1 import statistics_pb2 as pb

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.pages.language import TEXTS
from services.gateway.tests.backends import Backends
from services.gateway.tests.conftest import Edge
from services.gateway.tests.pages.browser import browser, log_in


def row(version: str, errors: int, fallbacks: int) -> pb.StatsRow:
    """Return what a person used of a version."""
    return pb.StatsRow(group=[version], figures=pb.UsageFigures(requests=99, errors=errors, fallbacks=fallbacks))


@pytest.mark.parametrize(("language", "title"), [("ru", "Состояние сервиса"), ("en", "State of the service")])
@pytest.mark.parametrize("span", ["24h", "7d", "90d", "nonsense"])
async def test_the_page_is_there_for_everybody(
    edge: Edge, backends: Backends, language: str, title: str, span: str
) -> None:
    """Without a login, in both languages, over each span; incidents are named, requests of nobody."""
    ended = pb.Endings(version="yandexgpt:latest", error="provider_timeout", requests=1)
    ended.starts_at.FromDatetime(datetime.now(UTC))
    backends.statistics.health = pb.GetPlatformHealthResponse(endings=[ended])
    async with browser(edge, **{"accept-language": language}) as client:
        page = await client.get("/status", params={"span": span})

    assert page.status_code == 200
    assert f"<h1>{title}</h1>" in page.text
    assert '<rect class="poor"' in page.text
    # A visitor has no zone of their own: whose clocks these are is said.
    assert TEXTS[language]["status.zone"].format(zone="Europe/Moscow") in page.text
    assert "gigachat-pro" in page.text
    assert page.headers["cache-control"] == "private, max-age=30"
    assert page.headers["content-security-policy"].startswith(
        "script-src 'self'; connect-src 'self'; default-src 'none'"
    )
    assert TEXTS[language]["status.log_in"] in page.text
    assert TEXTS[language]["status.yours"].partition("{")[0] not in page.text


async def test_a_person_learns_how_many_of_their_requests_were_affected(edge: Edge, backends: Backends) -> None:
    """Those that failed at the model, and those that others answered; asked of the API, in their name."""
    backends.statistics.stats = pb.DetailedStats(rows=[row("gigachat-pro", 3, 1), row("yandexgpt:latest", 5, 40)])
    backends.statistics.stats.previous.SetInParent()
    async with browser(edge) as client:
        await log_in(client)
        page = await client.get("/status")

    asked = [each for each in backends.statistics.asked if isinstance(each, pb.GetStatsRequest)]
    assert "Задето ваших запросов: 43" in page.text
    assert {each.user_id for each in asked} == {backends.accounts.profile.user_id}


async def test_what_cannot_be_told_hides_nothing_else(edge: Edge, backends: Backends) -> None:
    """Usage and then the routers are away: the page says so where it is."""
    backends.statistics.failure = Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "Away.")
    async with browser(edge) as client:
        await log_in(client)
        page = await client.get("/status")

    assert page.status_code == 200
    assert "Сейчас это узнать не получилось" in page.text
    assert "Задето" not in page.text
