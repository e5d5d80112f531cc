"""/v1/reports over HTTP."""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import urlsplit

import pytest

from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.tests.reports_backend import CONTENT

ORDER = {"format": "csv", "report": "requests", "from": "2026-11-01", "to": "2026-11-23", "tz": "Europe/Moscow"}


async def test_a_report_is_ordered_found_read_and_deleted(edge: Edge, backends: Backends) -> None:
    """Its bytes come with what proves them."""
    ordered = await edge.client.post("/v1/reports", json=ORDER)
    report = ordered.json()
    path = f"/v1/reports/{report['id']}"

    content = await edge.client.get(f"{path}/content")
    found, listed = await edge.client.get(path), await edge.client.get("/v1/reports")
    deleted = await edge.client.delete(path)

    assert (ordered.status_code, report["status"], report["progress"], report["rows"]) == (202, "done", 1.0, 40)
    assert (report["from"], report["to"]) == ("2026-11-01T00:00:00+03:00", "2026-11-23T00:00:00+03:00")
    assert found.json() == report == listed.json()["data"][0]
    assert content.content == CONTENT
    assert report["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    digest = base64.b64encode(hashlib.sha256(CONTENT).digest()).decode()
    headers = {name: content.headers[name] for name in ("repr-digest", "content-length", "content-disposition")}
    assert headers == {
        "repr-digest": f"sha-256=:{digest}:",
        "content-length": str(len(CONTENT)),
        "content-disposition": 'attachment; filename="razvilka-requests-2026-11-01-2026-11-23.csv"',
    }
    assert deleted.json() == {"id": report["id"], "object": "report", "deleted": True}
    assert (await edge.client.get(path)).status_code == 404
    # The service saw who asks.
    assert all(backends.reports.shown)


async def test_a_link_opens_a_report_without_a_credential(edge: Edge, backends: Backends) -> None:
    """An altered one opens nothing."""
    report = (await edge.client.post("/v1/reports", json=ORDER)).json()
    link = urlsplit(report["url"])
    edge.client.headers.pop("authorization")

    opened = await edge.client.get(f"{link.path}?{link.query}")
    altered = await edge.client.get(f"{link.path}?{link.query}A")
    without = await edge.client.get(f"/v1/reports/{report['id']}/content")

    assert (opened.status_code, opened.content) == (200, CONTENT)
    assert (altered.status_code, altered.json()["error"]["code"]) == (404, "not_found")
    assert without.status_code == 401
    assert backends.reports.shown[-2:] == [b"", b""]


@pytest.mark.parametrize(
    ("language", "told"),
    [("ru", "Отчёт по этой ссылке больше не открыть"), ("en", "This link opens no report any more")],
)
async def test_a_link_of_a_mail_that_ran_out_says_so_on_a_page(edge: Edge, language: str, told: str) -> None:
    """Whoever opens an old mail reads where the reports are, in their language; programs go on to read JSON."""
    edge.client.headers.pop("authorization")
    headers = {"accept": "text/html,*/*;q=0.8", "accept-language": language}
    path = "/v1/reports/report-1/download?expires=1&signature=guess"

    seen = await edge.client.get(path, headers=headers)

    assert (seen.status_code, seen.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert f"<h1>{told}</h1>" in seen.text
    assert f'<html lang="{language}">' in seen.text
    assert 'href="/console/reports"' in seen.text


async def test_an_address_cannot_try_links_for_ever(start_gateway: StartGateway) -> None:
    """It is told when to come again."""
    edge = await start_gateway(oauth={"requests_per_minute": 2})
    path = "/v1/reports/report-1/download?expires=1&signature=guess"

    answers = [await edge.client.get(path) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [404, 404, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1


async def test_a_report_that_waits_tells_how_far_it_is(edge: Edge, backends: Backends) -> None:
    """No link yet, and its content is refused with what to wait for."""
    backends.reports.status = "running"
    report = (await edge.client.post("/v1/reports", json=ORDER)).json()

    content = await edge.client.get(f"/v1/reports/{report['id']}/content")

    assert (report["status"], report["progress"], report["url"], report["sha256"]) == ("running", 0.25, None, None)
    assert (content.status_code, content.json()["error"]["message"]) == (409, "The report is running.")


async def test_wishes_reach_the_service_as_they_were_written(edge: Edge, backends: Backends) -> None:
    """Filters, language, the CSV of a Russian Excel; names of keys only for who may see keys."""
    scopes = ("usage:read", "keys:read")
    csv = {"separator": ";", "decimal": ",", "bom": True, "header": "titles"}
    order = {**ORDER, "lang": "en", "filters": {"model": ["yandexgpt", "gigachat"], "status": ["failed"]}, "csv": csv}
    for given in (("usage:read",), scopes):
        backends.auth.callers[f"{KEY}-{len(given)}"] = caller(scopes=given)
        headers = {"Authorization": f"Bearer {KEY}-{len(given)}"}
        assert (await edge.client.post("/v1/reports", json=order, headers=headers)).status_code == 202

    blind, seeing = [report.wishes for report in backends.reports.kept.values()]
    assert {item.dimension: list(item.values) for item in seeing.filters} == order["filters"]
    assert (seeing.language, seeing.zone, seeing.kind) == ("en", "Europe/Moscow", "requests")
    assert (seeing.csv_separator, seeing.csv_decimal_comma, seeing.csv_byte_order_mark, seeing.csv_titles) == (
        *(";", True, True, True),
    )
    assert (dict(blind.key_names), dict(seeing.key_names)) == ({}, {"key-1": "laptop"})


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"format": "docx"}, "format"),
        ({"report": "everything"}, "report"),
        ({"tz": "Mars/Olympus"}, "tz"),
        ({"period": "7d"}, "period"),
        ({"to": "2026-10-01"}, "to"),
        ({"filters": {"mood": ["good"]}}, "filters.mood"),
        ({"csv": {"separator": "|"}}, "csv.separator"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_wrong_field_is_named(edge: Edge, wrong: dict[str, Any], param: str) -> None:
    """With what is allowed; nothing is ordered."""
    answer = await edge.client.post("/v1/reports", json={**ORDER, **wrong})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_reports_take_the_scope_of_usage(edge: Edge, backends: Backends) -> None:
    """It is named."""
    backends.auth.callers["rz_live_other"] = caller(scopes=("models:read",))
    headers = {"Authorization": "Bearer rz_live_other"}

    answers = [
        await edge.client.post("/v1/reports", json=ORDER, headers=headers),
        await edge.client.get("/v1/reports/schedules", headers=headers),
    ]

    for answer in answers:
        assert (answer.status_code, answer.json()["error"]["details"]["required_scope"]) == (403, "usage:read")


async def test_a_schedule_lives_through_its_routes(edge: Edge) -> None:
    """At nine unless it is said otherwise."""
    order = {"format": "pdf", "every": "week", "tz": "Europe/Moscow"}
    created = await edge.client.post("/v1/reports/schedules", json=order)
    schedule = created.json()
    path = f"/v1/reports/schedules/{schedule['id']}"

    changed = await edge.client.put(path, json={**order, "every": "month", "at": "07:30", "when_empty": "report"})
    found, listed = await edge.client.get(path), await edge.client.get("/v1/reports/schedules")
    deleted = await edge.client.delete(path)

    assert created.status_code == 201
    assert [schedule[name] for name in ("every", "at", "when_empty", "report")] == ["week", "09:00", "skip", "summary"]
    assert changed.json() == found.json() == listed.json()["data"][0]
    assert [changed.json()[name] for name in ("every", "at", "when_empty")] == ["month", "07:30", "report"]
    assert (deleted.status_code, (await edge.client.get(path)).status_code) == (200, 404)
