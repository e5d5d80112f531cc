"""One body reader for all: this walks the route table, so that a new route cannot forget a bound."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.routing import Route

from services.gateway.app import Application
from services.gateway.edge.endpoint import Endpoint
from services.gateway.edge.reading import body, json_body, params
from services.gateway.identity.access import AccessTable, Open, Scope
from services.gateway.pages import policy_reports
from services.gateway.rooms import ROOM_NEEDS
from services.gateway.settings import LimitSettings
from services.gateway.tests.backends import KEY, Backends, caller
from services.gateway.tests.conftest import Edge, StartGateway
from services.gateway.work_settings import BatchSettings
from tools.testing.patience import PATIENT_S

METHODS = ("POST", "PUT", "PATCH", "DELETE")
DEEP = b'{"name":' * 80 + b"1" + b"}" * 80
FORM = b"content-type: application/x-www-form-urlencoded\r\n"
REPORT = b"content-type: application/csp-report\r\n"
UPLOAD = b"content-type: multipart/form-data; boundary=x\r\n"
JSON = b"content-type: application/json\r\n"


@dataclass(frozen=True, slots=True)
class Door:
    """A method on a route; `is_open`: it authenticates by what the body says, if at all."""

    method: str
    path: str
    is_open: bool
    kind: str


def doors(edge: Edge) -> Iterator[Door]:
    """Return every method that may come with a body, on every route there is."""
    app = edge.gateway.app
    assert isinstance(app, Application)
    described = app.openapi()["paths"]
    table = AccessTable(*ROOM_NEEDS)
    for route in app.known_routes:
        assert isinstance(route, Route)
        endpoint = route.endpoint
        if isinstance(endpoint, Endpoint):
            kind = {"/register": "json", "/oauth/register": "json", "/userinfo": "", "/oauth/userinfo": ""}
            kind["/csp-reports"] = "report"
            for method in set(endpoint.methods) & set(METHODS):
                yield Door(method, route.path, is_open=True, kind=kind.get(route.path, "form"))
            continue
        for method in set(route.methods or ()) & set(METHODS):
            operation = described[route.path.replace(":path}", "}")][method.lower()]
            is_open = table.need_of(method, route.path) is Open.EVERYONE
            yield Door(method, route.path, is_open, _kind(operation))


def _kind(operation: dict[str, Any]) -> str:
    if "requestBody" not in operation:
        return ""
    return "json" if "application/json" in operation["requestBody"]["content"] else "upload"


async def status_of(edge: Edge, door: Door, head: bytes, content: bytes = b"", key: str = KEY) -> int:
    """Send the head and the content, nothing more, and return the status of what comes."""
    path = door.path.replace("{", "").replace("}", "")
    types = {"json": JSON, "form": FORM, "report": REPORT, "upload": UPLOAD, "": b""}[door.kind]
    authorization = f"authorization: Bearer {key}\r\n" if key else ""
    line = f"{door.method} {path} HTTP/1.1\r\nhost: a\r\n{authorization}".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", edge.gateway.port)
    writer.write(line + types + head + b"\r\n" + content)
    async with asyncio.timeout(PATIENT_S):
        status = await reader.readline()
    writer.close()
    return int(status.split()[1])


def have_time(seconds: float, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return settings by which callers have so long for a body."""
    small = dataclasses.replace(body.SMALL, seconds=seconds)
    for module in (body, json_body, params, policy_reports):
        monkeypatch.setattr(module, "SMALL", small)
    return {"limit": LimitSettings(body_s=seconds), "batches": BatchSettings(file_mb=1, upload_s=seconds)}


@pytest.fixture
async def patient(start_gateway: StartGateway, backends: Backends, monkeypatch: pytest.MonkeyPatch) -> Edge:
    """Return a gateway whose callers have every scope, and a minute for a body: what refuses one is not the time."""
    backends.auth.callers[KEY] = caller(scopes=[scope.value for scope in Scope])
    return await start_gateway(**have_time(60.0, monkeypatch))


@pytest.fixture
async def hurried(start_gateway: StartGateway, backends: Backends, monkeypatch: pytest.MonkeyPatch) -> Edge:
    """Return a gateway whose callers have every scope, and 0.3 s for a body."""
    backends.auth.callers[KEY] = caller(scopes=[scope.value for scope in Scope])
    return await start_gateway(**have_time(0.3, monkeypatch))


async def test_the_walk_meets_every_kind_of_door(patient: Edge) -> None:
    """The table is not empty by mistake."""
    found = {(door.method, door.path) for door in doors(patient)}

    assert {
        ("POST", "/v1/chat/completions"), ("POST", "/v1/keys"), ("PATCH", "/v1/users/me"), ("DELETE", "/v1/users/me"),
        ("POST", "/token"), ("POST", "/register"), ("POST", "/login"), ("POST", "/v1/keys/{key_id}/rotate"),
    } <= found  # fmt: skip


async def test_who_has_no_credential_is_refused_unread(patient: Edge) -> None:
    """401 while the body is still to come: not a byte of it was waited for."""
    closed = [door for door in doors(patient) if not door.is_open]

    seen = {door: await status_of(patient, door, b"content-length: 9999999\r\n", key="") for door in closed}

    assert set(seen.values()) == {401}, seen


async def test_what_is_too_big_is_413(patient: Edge) -> None:
    """By its length, before it comes; where no body is read, nobody waits for it either."""
    seen = {door: await status_of(patient, door, b"content-length: 99999999\r\n") for door in doors(patient)}

    assert {door: status for door, status in seen.items() if door.kind and status != 413} == {}
    assert {door: status for door, status in seen.items() if status >= 500 and status != 504} == {}


async def test_what_grows_too_big_is_413(patient: Edge) -> None:
    """A chunked body has no length to look at."""
    small = [door for door in doors(patient) if door.kind and not door.path.startswith("/v1/c")]
    chunk = b"%x\r\n" % 70_000 + b" " * 70_000 + b"\r\n"
    head = b"transfer-encoding: chunked\r\n"

    prompts = ("files", "completions", "embeddings", "messages", "responses", "tokenize", "playground")
    orders = [door for door in small if not any(name in door.path for name in prompts)]
    seen = {door: await status_of(patient, door, head, chunk) for door in orders}

    assert set(seen.values()) == {413}, seen


async def test_what_is_too_deep_is_400(patient: Edge) -> None:
    """Before anything is decoded."""
    head = b"content-length: %d\r\n" % len(DEEP)
    readers = [door for door in doors(patient) if door.kind in ("json", "report")]

    seen = {door: await status_of(patient, door, head, DEEP) for door in readers}

    assert set(seen.values()) == {400}, seen


@pytest.mark.parametrize("content", [b"", b"{"])
async def test_what_trickles_is_408(hurried: Edge, content: bytes) -> None:
    """Also when not one byte comes."""
    readers = [door for door in doors(hurried) if door.kind]

    begun = {door: content if door.kind != "upload" else content.replace(b"{", b"-") for door in readers}

    statuses = await asyncio.gather(
        *(status_of(hurried, door, b"content-length: 50\r\n", content) for door, content in begun.items())
    )

    assert set(statuses) == {408}, dict(zip(readers, statuses, strict=True))


TWICE = {
    "scopes": ("POST", "/v1/keys", b'{"name":"CI","scopes":["models:read"],"scopes":["keys:write"]}', "scopes"),
    "an escaped name": ("POST", "/v1/clients", b'{"name":"a","n\\u0061me":"b"}', "name"),
    "a budget's limit": (
        "POST", "/v1/keys",
        b'{"name":"a","budget":{"limit_micro_rub":1,"limit_micro_rub":9,"period":"day"}}', "budget.limit_micro_rub",
    ),
    "half a surrogate in a list": ("POST", "/v1/keys", b'{"name":"a","models":["\\ud800"]}', "models[0]"),
    "half a surrogate in a name": ("PATCH", "/v1/users/me", b'{"name":"\\udfff"}', "name"),
    "half a surrogate in an address": ("POST", "/v1/clients", b'{"name":"a","redirect_uris":["\\ud83d"]}',
                                       "redirect_uris[0]"),
    "NUL": ("POST", "/v1/clients", b'{"name":"a","scopes":["x\\u0000"]}', "scopes[0]"),
    "NaN": ("POST", "/v1/keys/key-1/rotate", b'{"overlap_s":NaN}', "overlap_s"),
    "a field of another's": ("POST", "/v1/keys", b'{"name":"a","user_id":"b"}', "user_id"),
    "an endless number": ("POST", "/v1/keys/key-1/rotate", b'{"overlap_s":' + b"1" * 9000 + b"}", "body"),
    "no JSON": ("DELETE", "/v1/users/me", b"password", "body"),
    "nothing": ("POST", "/v1/keys", b"", "body"),
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "content", "field"), TWICE.values(), ids=TWICE.keys())
async def test_an_order_has_one_reading(patient: Edge, method: str, path: str, content: bytes, field: str) -> None:
    """400 with the path: never the last of two, never a 500 from a store that cannot keep it."""
    answer = await patient.client.request(method, path, content=content)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field), answer.text


async def test_a_client_registers_with_one_reading(patient: Edge, backends: Backends) -> None:
    """RFC 7591 3.2.2's error; auth is not asked."""
    for content in (b'{"client_name":"a","client_name":"b"}', b'{"redirect_uris":["\\ud800"]}', DEEP):
        answer = await patient.client.post("/register", content=content, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")

    assert not [request for request in backends.oauth.requests if "Register" in type(request).__name__]


async def test_the_bodies_are_described(patient: Edge) -> None:
    """FastAPI does not see them: the description must all the same."""
    described = (await patient.client.get("/openapi.json")).json()

    content = described["paths"]["/v1/keys"]["post"]["requestBody"]["content"]["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/KeyOrderBody"}
    assert "scopes" in json.dumps(described["components"]["schemas"]["KeyOrderBody"])
