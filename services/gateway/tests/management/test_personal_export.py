"""The export of a person's data: one document of what all services keep of them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.management.personal_data_bodies import PersonalDataBody
from services.gateway.management.personal_export import AHEAD_BYTES
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge
from services.gateway.tests.pages.browser import browser, form_of, log_in, submit
from services.gateway.tests.personal_data_backend import FakePersonalData

EXPORT = "/v1/users/me/export"
MEBIBYTE = 1024 * 1024
LATER = Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "Later.")
# What auth tells at once, as it writes it.
ACCOUNT = '{\n  "profile": {"id": "user-1", "name": "Мария"},\n  "budgets": [\n    {"id": "b1"}\n  ]\n}'
KEPT: dict[str, list[dict[str, Any]]] = {
    "api_keys": [{"id": "key-1"}, {"id": "key-2"}],
    "login_attempts": [{"outcome": "success"}],
    "audit_log": [{"seq": 1}, {"seq": 2}],
    "credential_audit_log": [{"seq": 7, "subject": "key:key-1"}, {"seq": 9, "subject": "key:key-1"}],
    "files": [{"id": "file-1", "filename": "вопросы.jsonl"}, {"id": "file-2"}, {"id": "file-3"}],
    "batches": [{"id": "batch_1"}],
    "notification_channels": [{"id": "c1", "target": "https://hooks.example.ru/"}],
    "alert_rules": [{"id": "r1"}, {"id": "r2"}],
    "report_schedules": [{"id": "s1"}],
    "reports": [],
    "anomalies": [{"id": "i1", "feedback": "expected"}],
    "recommendations": [{"id": "a1", "state": "dismissed", "reason": "Так и надо"}],
}


@pytest.fixture
def kept(backends: Backends) -> Backends:
    """Let the test's key see its account, and nothing else; have all services keep something."""
    backends.auth.callers[KEY] = caller(scopes=["profile:read"])
    backends.accounts.account_json = ACCOUNT
    for fake in fakes(backends).values():
        fake.rows = {name: [json.dumps(row, ensure_ascii=False) for row in rows] for name, rows in KEPT.items()}
    return backends


def fakes(backends: Backends) -> dict[str, FakePersonalData]:
    return {
        "auth": backends.accounts.personal_data,
        "router": backends.router.personal_data,
        "usage": backends.usage.personal_data,
    }


async def test_the_export_holds_what_every_service_keeps(edge: Edge, kept: Backends) -> None:
    """All pages of all parts, under names of their own; what auth tells stands as it did."""
    answer = await edge.client.get(EXPORT)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == json.loads(ACCOUNT) | KEPT
    assert answer.text.startswith(ACCOUNT.removesuffix("\n}"))
    assert {user for user, _, _ in kept.usage.personal_data.asked} == {"user-1"}
    assert set(kept.usage.personal_data.shown + kept.router.personal_data.shown) == {
        b"signed for Bearer " + KEY.encode()
    }


async def test_the_description_names_every_part(edge: Edge, kept: Backends) -> None:
    """Whoever reads the description knows all that the export holds of other services."""
    answer = await edge.client.get(EXPORT)

    assert set(answer.json()) <= set(PersonalDataBody.model_fields)


@pytest.mark.parametrize("service", ["auth", "router", "usage"])
async def test_an_export_that_would_have_a_gap_is_refused(edge: Edge, kept: Backends, service: str) -> None:
    """A part whose second page cannot be read is no part: the answer says so, and holds nothing of the document."""
    part = {"auth": "credential_audit_log", "router": "files", "usage": "alert_rules"}[service]
    fakes(kept)[service].failures[part, "1"] = LATER

    answer = await edge.client.get(EXPORT)

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "service_unavailable"
    assert "profile" not in answer.text


async def test_a_long_export_goes_out_while_it_is_read(edge: Edge, kept: Backends) -> None:
    """It is not gathered in memory, and is as whole as a short one."""
    row = json.dumps({"text": "x" * MEBIBYTE})
    kept.router.personal_data.rows["files"] = [row] * (2 + AHEAD_BYTES // MEBIBYTE)

    answer = await edge.client.get(EXPORT)

    assert "content-length" not in answer.headers
    assert set(answer.json()) == set(json.loads(ACCOUNT) | KEPT)
    assert len(answer.json()["files"]) == 2 + AHEAD_BYTES // MEBIBYTE


async def test_a_long_export_that_breaks_off_is_seen_to(edge: Edge, kept: Backends) -> None:
    """The connection ends without the answer's end: nobody takes what came for everything."""
    row = json.dumps({"text": "x" * MEBIBYTE})
    kept.router.personal_data.rows["files"] = [row] * (2 + AHEAD_BYTES // MEBIBYTE)
    kept.accounts.personal_data.failures["credential_audit_log", "1"] = LATER

    with pytest.raises(httpx.RemoteProtocolError):
        await edge.client.get(EXPORT)


@pytest.mark.parametrize("files", [1, 2 + AHEAD_BYTES // MEBIBYTE], ids=["short", "long"])
async def test_the_console_downloads_the_same_document(edge: Edge, kept: Backends, files: int) -> None:
    """Short or long, it is a file to keep."""
    kept.router.personal_data.rows["files"] = [json.dumps({"text": "x" * MEBIBYTE})] * files
    async with browser(edge) as client:
        await log_in(client)
        answer = await submit(client, form_of(await client.get("/console/data"), "/console/export"))

    assert answer.headers["content-disposition"] == 'attachment; filename="razvilka-account.json"'
    assert answer.headers["cache-control"] == "no-store"
    assert {*answer.json()} == {*json.loads(ACCOUNT), *KEPT}
    assert len(answer.json()["files"]) == files


async def test_the_console_says_that_an_export_failed(edge: Edge, kept: Backends) -> None:
    """A page, and not half a file."""
    kept.usage.personal_data.failures["reports", ""] = LATER
    async with browser(edge) as client:
        await log_in(client)
        answer = await submit(client, form_of(await client.get("/console/data"), "/console/export"))

    assert answer.status_code == 503
    assert "content-disposition" not in answer.headers
