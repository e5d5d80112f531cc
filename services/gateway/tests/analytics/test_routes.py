"""What the routes of statistics ask of the usage service, and how they show its answer."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.usage.v1 import statistics_pb2 as pb

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.analytics.export import PAGE
from services.gateway.tests.backends import SCOPES, Backends, caller
from services.gateway.tests.conftest import Edge

ROUTES = ["summary", "timeseries", "compare", "requests", "export"]
AT = datetime(2026, 11, 28, 9, tzinfo=UTC)


def stamp(at: datetime = AT) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(at)
    return made


def figures(cost: int, requests: int = 4) -> pb.UsageFigures:
    return pb.UsageFigures(
        requests=requests,
        errors=1,
        tokens_input=1_000,
        tokens_output=500,
        cost_micro_rub=cost,
        saved_micro_rub=5,
        output_ms=2_000,
        tokens_streamed=300,
        latency=pb.DurationQuantiles(p50_ms=900, p95_ms=1_234.56),
    )


def answer() -> pb.DetailedStats:
    """Return an answer of two models with the period before."""
    return pb.DetailedStats(
        rows=[
            pb.StatsRow(group=["cheap"], figures=figures(1)),
            pb.StatsRow(group=["dear"], figures=figures(12_345_677)),
            pb.StatsRow(group=[""], is_other=True, figures=figures(99_000_000)),
        ],
        total=figures(12_345_678),
        previous=pb.PreviousPeriod(
            period=pb.UsagePeriod(since=stamp(), until=stamp(), zone="UTC"),
            total=figures(20_000_000, requests=0),
            models=[
                pb.ModelCostChange(
                    model="dear",
                    before_micro_rub=5,
                    now_micro_rub=1,
                    volume_micro_rub=-7,
                    mix_micro_rub=2,
                    price_micro_rub=1,
                ),
                pb.ModelCostChange(model="cheap", volume_micro_rub=-7_654_318),
            ],
        ),
        as_of=stamp(),
    )


def line(number: int, **changes: Any) -> pb.RequestLine:
    given = {
        "request_id": f"0198a1b2-0000-7000-8000-{number:012d}",
        "created_at": stamp(),
        "user_id": "user-1",
        "model": "yandexgpt:latest",
        "cost_micro_rub": 1_000_001,
        "stream": True,
        "tags": {"team": "search"},
    }
    return pb.RequestLine(**{**given, **changes})


def make_admin(backends: Backends) -> None:
    backends.auth.callers = dict.fromkeys(backends.auth.callers, caller(scopes=[*SCOPES, "admin"]))


async def test_a_summary_has_totals_groups_and_the_period_before(edge: Edge, backends: Backends) -> None:
    """Dearest first, others last; money as roubles and as micro-roubles."""
    backends.statistics.stats = answer()

    got = await edge.client.get("/v1/usage/summary?period=7d&tz=Europe/Moscow&group_by=model&top=2&key=k&key=l")

    assert got.status_code == 200, got.text
    body = got.json()
    asked = backends.statistics.asked[0]
    assert (asked.user_id, list(asked.question.group_by), asked.question.top) == ("user-1", ["model"], 2)
    assert [(each.dimension, list(each.values)) for each in asked.question.filters] == [("key", ["k", "l"])]
    assert (asked.question.period.zone, asked.question.compared, asked.question.quantiles) == (
        "Europe/Moscow",
        True,
        True,
    )
    assert [row["group"] for row in body["data"]] == [{"model": "dear"}, {"model": "cheap"}, None]
    assert (body["total"]["cost_rub"], body["total"]["cost_micro_rub"]) == ("12.345678", 12_345_678)
    assert body["total"]["latency_ms"] == {"p50": 900.0, "p95": 1234.6, "p99": None}
    assert (body["total"]["error_rate"], body["total"]["tokens_per_second"]) == (0.25, 150.0)
    assert (body["change"]["cost_rub"], body["change"]["cost_percent"]) == ("-7.654322", -38.27)
    assert (body["change"]["requests_percent"], body["as_of"]) == (None, "2026-11-28T09:00:00Z")


async def test_a_comparison_says_what_drove_the_cost(edge: Edge, backends: Backends) -> None:
    """The three add up to the change, to the micro-rouble."""
    backends.statistics.stats = answer()

    body = (await edge.client.get("/v1/usage/compare?period=month")).json()
    summary = (await edge.client.get("/v1/usage/summary?period=month&group_by=model")).json()

    assert summary["drivers"] == body["drivers"]
    drivers = [body["drivers"][name]["cost_micro_rub"] for name in ("volume", "mix", "price")]
    assert drivers == [-7_654_325, 2, 1]
    assert sum(drivers) == body["change"]["cost_micro_rub"]
    assert body["models"][0]["volume_rub"] == "-0.000007"


async def test_a_comparison_compares_durations_too(edge: Edge, backends: Backends) -> None:
    """They were null, since nobody asked for them."""
    backends.statistics.stats = answer()

    body = (await edge.client.get("/v1/usage/compare?period=month")).json()

    assert backends.statistics.asked[0].question.quantiles
    assert body["total"]["latency_ms"]["p50"] == 900.0


async def test_a_timeseries_names_its_buckets(edge: Edge, backends: Backends) -> None:
    """Each with the moment at which it begins."""
    backends.statistics.stats = pb.DetailedStats(rows=[pb.StatsRow(starts_at=stamp(), figures=figures(1))])

    body = (await edge.client.get("/v1/usage/timeseries?period=today&bucket=hour")).json()

    assert backends.statistics.asked[0].question.bucket == pb.BUCKET_HOUR
    assert (body["bucket"], body["data"][0]["starts_at"], body["data"][0]["group"]) == (
        "hour",
        "2026-11-28T09:00:00Z",
        {},
    )


async def test_a_timeseries_has_durations_for_whoever_asks_for_them(edge: Edge, backends: Backends) -> None:
    """They are sorted for each row, so nobody waits for them who does not look at them."""
    for asked in ("", "?durations=true"):
        await edge.client.get(f"/v1/usage/timeseries{asked}")
    refused = await edge.client.get("/v1/usage/timeseries?durations=perhaps")

    assert [asked.question.quantiles for asked in backends.statistics.asked] == [False, True]
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "durations")


async def test_the_log_is_paged_by_a_cursor(edge: Edge, backends: Backends) -> None:
    """Every line once; the last page says so."""
    backends.statistics.lines = [line(number) for number in range(5)]
    seen: list[str] = []
    cursor, sizes = "", []

    while cursor is not None:
        body = (await edge.client.get("/v1/usage/requests", params={"limit": 2, "cursor": cursor})).json()
        seen += [each["id"] for each in body["data"]]
        sizes.append(len(body["data"]))
        cursor = body["next_cursor"]
        assert body["has_more"] is (cursor is not None)

    assert seen == [each.request_id for each in backends.statistics.lines]
    assert sizes == [2, 2, 1]


async def test_an_export_has_every_request_and_no_formula(edge: Edge, backends: Backends) -> None:
    """More than a page; what a caller wrote begins no formula, amounts stay numbers."""
    backends.statistics.lines = [line(number, requested_model="=cmd|'/C calc'!A0") for number in range(PAGE + 2)]

    got = await edge.client.get("/v1/usage/export?format=csv&from=2026-11-01&to=2026-11-29")

    rows = list(csv.DictReader(io.StringIO(got.text)))
    assert (got.status_code, got.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert 'filename="usage-' in got.headers["content-disposition"]
    assert [row["id"] for row in rows] == [each.request_id for each in backends.statistics.lines]
    assert {row["requested_model"] for row in rows} == {"'=cmd|'/C calc'!A0"}
    assert {(row["cost_rub"], row["cost_micro_rub"], row["stream"]) for row in rows} == {
        ("1.000001", "1000001", "true")
    }
    assert all(asked.question.oldest_first for asked in backends.statistics.asked)


async def test_an_export_as_json_has_an_object_a_line(edge: Edge, backends: Backends) -> None:
    """The same fields as the log."""
    backends.statistics.lines = [line(1)]

    got = await edge.client.get("/v1/usage/export?format=jsonl")
    listed = await edge.client.get("/v1/usage/requests")

    assert got.headers["content-type"] == "application/jsonl"
    assert [json.loads(each) for each in got.text.splitlines()] == listed.json()["data"]


@pytest.mark.parametrize("route", ROUTES)
async def test_every_route_refuses_what_it_does_not_read(edge: Edge, route: str) -> None:
    """The parameter is named, with those there are."""
    got = await edge.client.get(f"/v1/usage/{route}?modell=a")

    assert got.status_code == 400
    assert got.json()["error"]["param"] == "modell"
    assert "version" in got.json()["error"]["message"]


@pytest.mark.parametrize("route", ROUTES)
async def test_others_are_shown_to_administrators_only(edge: Edge, backends: Backends, route: str) -> None:
    """403 says which scope is missing; with it everybody's are asked for in the administrator's name."""
    backends.statistics.stats = answer()
    refused = await edge.client.get(f"/v1/usage/{route}?user_id=*")
    assert (refused.status_code, backends.statistics.asked) == (403, [])


async def test_an_administrator_asks_for_everybody(edge: Edge, backends: Backends) -> None:
    """Grouped by user, in the administrator's own name."""
    backends.statistics.stats = answer()
    make_admin(backends)

    got = await edge.client.get("/v1/usage/summary?user_id=*&group_by=user")

    assert got.status_code == 200, got.text
    assert got.json()["user_id"] == "*"
    assert (backends.statistics.asked[0].admin_user_id, backends.statistics.asked[0].of_user_id) == ("user-1", "")


async def test_a_credential_without_the_scope_sees_nothing(edge: Edge, backends: Backends) -> None:
    """`usage:read` is what it takes."""
    backends.auth.callers = dict.fromkeys(backends.auth.callers, caller(scopes=["models:read"]))

    for route in ROUTES:
        assert (await edge.client.get(f"/v1/usage/{route}")).status_code == 403


async def test_what_the_usage_service_refuses_is_the_callers_to_read(edge: Edge, backends: Backends) -> None:
    """Its own names of parameters are those of the API."""
    backends.statistics.failure = InvalidRequest(ErrorReason.INVALID_PARAMETERS, "`bucket` is short.", param="bucket")

    got = await edge.client.get("/v1/usage/timeseries?period=all&bucket=hour")

    assert (got.status_code, got.json()["error"]["param"]) == (400, "bucket")
