"""What auth tells of a person in pages for the export of their data, over real gRPC."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, TypeAlias

import asyncpg
import pytest
from razvilka.auth.v1 import personal_data_pb2 as pb
from razvilka.auth.v1.personal_data_pb2_grpc import PersonalDataServiceStub

from servicekit.errors import InvalidRequest
from servicekit.rpc_client import unary
from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from services.auth.server import running
from services.auth.settings import AuthSettings
from services.auth.shared.domain.audit import AuditAction, AuditEvent
from services.auth.shared.store.audit_log import append_event
from services.auth.tests.planted_user import plant_user

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
PART = "credential_audit_log"
PLANT_KEY = """
INSERT INTO auth.api_keys (id, user_id, name, prefix, last_four, key_hash, scopes, lineage_id, created_at)
VALUES ($1, $2, $1, 'rz_live_Ab3d', 'wxyz', encode(sha256(convert_to($1, 'UTF8')), 'hex'), '{}', $1, now())
"""
PLANT_CLIENT = """
INSERT INTO auth.oauth_clients
    (id, owner_user_id, name, auth_methods, redirect_uris, scopes, grant_types, created_at)
VALUES ($1, $2, $1, '{none}', '{}', '{}', '{}', now())
"""
PLANT_GRANT = """
INSERT INTO auth.oauth_grants (id, kind, client_id, user_id, consent_id, scopes, created_at, last_used_at)
VALUES ($1, 'authorization_code', $2, $3, $1, '{models:read}', now(), now())
"""

PLANT_ATTEMPT = """
INSERT INTO auth.login_attempts (at, user_id, outcome, ip, user_agent, request_id)
VALUES ($1, $2, $3, '192.0.2.1', 'curl', 'r')
"""
FIELDS = {
    "api_keys": [
        *("id", "name", "prefix", "last_four", "scopes", "models", "ip_allow_list", "budget_micro_rub"),
        *("budget_period", "created_at", "expires_at", "last_used_at", "revoked_at", "cache_ttl_s"),
    ],
    "login_attempts": ["at", "outcome", "ip", "user_agent"],
    "audit_log": ["seq", "at", "actor", "action", "details"],
}


@pytest.fixture
async def stub(auth_settings: AuthSettings, clock: FakeClock) -> AsyncIterator[Any]:
    """Yield a stub of the running service."""
    async with running(auth_settings, clock) as port, ready_channel(port) as channel:
        yield PersonalDataServiceStub(channel)


@pytest.fixture
async def anna(auth_pool: Pool, auth_dsn: str) -> str:
    """Return the id of somebody with a key, an application of her own, and a grant; Boris has the same."""
    ids = [await plant_user(auth_dsn, f"{name}@example.ru") for name in ("anna", "boris")]
    for name, user_id in zip(("anna", "boris"), ids, strict=True):
        await auth_pool.execute(PLANT_KEY, f"key-of-{name}", user_id)
        await auth_pool.execute(PLANT_CLIENT, f"app-of-{name}", user_id)
    await auth_pool.execute(PLANT_GRANT, "grant-of-anna", "app-of-boris", ids[0])
    await auth_pool.execute(PLANT_GRANT, "grant-of-boris", "app-of-anna", ids[1])
    return ids[0]


async def note(pool: Pool, at: datetime, actor: str, action: AuditAction, subject: str) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await append_event(connection, AuditEvent(at, actor, action, subject, {"ip": f"address of {actor}"}))


async def told(stub: Any, user_id: str, limit: int = 500, part: str = PART) -> list[list[Any]]:
    """Return the pages of the part."""
    pages, page = list[list[Any]](), ""
    while True:
        request = pb.ListPersonalDataRequest(user_id=user_id, part=part, page=page, limit=limit)
        answer = await unary(stub.ListPersonalData, request, deadline_s=60.0)
        pages.append([json.loads(row) for row in answer.rows_json])
        page = answer.next_page
        if not page:
            return pages


async def test_events_of_ones_own_keys_grants_and_applications_are_told(
    stub: Any, anna: str, auth_pool: Pool, clock: FakeClock
) -> None:
    """Of nobody else's, and not what somebody else did at an application of hers, nor where an administrator sat."""
    herself, now = f"user:{anna}", clock.now()
    await note(auth_pool, now, herself, AuditAction.KEY_CREATED, "key:key-of-anna")
    await note(auth_pool, now, "user:boris", AuditAction.KEY_CREATED, "key:key-of-boris")
    await note(auth_pool, now, herself, AuditAction.CONSENT_GIVEN, "grant:grant-of-anna")
    await note(auth_pool, now, "user:boris", AuditAction.CONSENT_DENIED, "client:app-of-anna")
    await note(auth_pool, now, "user:admin", AuditAction.CLIENT_DISABLED, "client:app-of-anna")
    await note(auth_pool, now, "user:boris", AuditAction.CONSENT_GIVEN, "grant:grant-of-boris")

    (events,) = await told(stub, anna)

    assert [(event["action"], event["subject"]) for event in events] == [
        ("key.created", "key:key-of-anna"),
        ("consent.given", "grant:grant-of-anna"),
        ("client.disabled", "client:app-of-anna"),
    ]
    assert [event["details"] for event in events] == [
        {"ip": f"address of {herself}"},
        {"ip": f"address of {herself}"},
        {},
    ]


async def test_pages_together_are_the_log(stub: Any, anna: str, auth_pool: Pool, clock: FakeClock) -> None:
    """Each event once, in the order of the log, whichever of hers it is about."""
    for number in range(5):
        subject = ("key:key-of-anna", "grant:grant-of-anna")[number % 2]
        await note(auth_pool, clock.now(), f"user:{anna}", AuditAction.KEY_CHANGED, subject)
    (whole,) = await told(stub, anna)

    pages = await told(stub, anna, limit=2)

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [event for page in pages for event in page] == whole


@pytest.mark.parametrize("part", ["api_keys", "login_attempts", "audit_log"])
async def test_what_grows_with_the_years_is_told_in_pages(
    stub: Any, anna: str, auth_pool: Pool, clock: FakeClock, part: str
) -> None:
    """Each row once, oldest first, also those of one moment; nobody else's, and no secret."""
    now = clock.now()
    for number in range(4):
        await auth_pool.execute(PLANT_KEY, f"key-{number}", anna)
        await auth_pool.execute(PLANT_ATTEMPT, now, anna, "abcd"[number])
        await note(auth_pool, now, f"user:{anna}", AuditAction.ACCOUNT_EXPORTED, f"user:{anna}")
    await auth_pool.execute("UPDATE auth.api_keys SET created_at = $1", now)
    await auth_pool.execute(PLANT_ATTEMPT, now, "boris", "of_boris")
    (whole,) = await told(stub, anna, part=part)

    pages = await told(stub, anna, limit=2, part=part)

    assert [row for page in pages for row in page] == whole
    assert len(pages) >= 2
    assert {tuple(sorted(row)) for row in whole} == {tuple(sorted(FIELDS[part]))}
    texts = [row.get("outcome") or row.get("action") or row["id"] for row in whole]
    assert (
        texts[-4:]
        == {
            "api_keys": ["key-1", "key-2", "key-3", "key-of-anna"],
            "login_attempts": [*"abcd"],
            "audit_log": ["account.exported"] * 4,
        }[part]
    )


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"part": "secrets"}, "part"),
        ({"page": "x"}, "page"),
        ({"page": "9" * 30}, "page"),
        ({"part": "api_keys", "page": "7"}, "page"),
        ({"part": "login_attempts", "page": "7-x"}, "page"),
        ({"limit": 0}, "limit"),
    ],
)
async def test_what_is_asked_wrongly_is_named(stub: Any, wrong: dict[str, Any], param: str) -> None:
    """Part, page or limit."""
    request = pb.ListPersonalDataRequest(**{"user_id": "nobody", "part": PART, "limit": 10, **wrong})

    with pytest.raises(InvalidRequest) as refused:
        await unary(stub.ListPersonalData, request, deadline_s=60.0)

    assert refused.value.param == param
