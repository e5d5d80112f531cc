"""What usage tells of one person for the export of their data, over real gRPC."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from razvilka.usage.v1 import notifications_pb2, notifications_pb2_grpc, personal_data_pb2_grpc
from razvilka.usage.v1 import personal_data_pb2 as pb

from servicekit.errors import InvalidRequest
from servicekit.rpc_client import unary
from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from services.usage.server import running
from services.usage.settings import UsageSettings
from services.usage.store.connection import EVERYBODY, NAME_USER
from services.usage.tests.records import LONG_S
from tools.testing.patience import postgres_settings
from tools.testing.plugin import MakeDatabaseDsn

USER = "user-1"
TARGET = "https://hooks.example.ru/razvilka"
PARTS = ("notification_channels", "alert_rules", "report_schedules", "reports", "anomalies", "recommendations")
# Three of each of two people, made at one moment: a page ends between rows that only their ids tell apart.
PLANTED = (
    """
INSERT INTO usage.notification_rules (id, user_id, kind, channel_ids, created_at)
SELECT gen_random_uuid(), whose, 'test', '{}', '2026-11-01Z' FROM unnest($1::text[]) whose, generate_series(1, 3)
""",
    """
INSERT INTO usage.report_schedules (id, user_id, every, at, wishes, when_empty, next_at, created_at)
SELECT gen_random_uuid(), whose, 'day', '09:00', '{"format": "pdf"}', 'skip', '2026-12-01Z', '2026-11-01Z'
FROM unnest($1::text[]) whose, generate_series(1, 3)
""",
    """
INSERT INTO usage.reports (id, user_id, ordered, status, link_key, created_at, expires_at, period_since, told)
SELECT gen_random_uuid(), whose, '{"format": "csv"}', 'done', 'link-key', '2026-11-01Z', '2099-01-01Z', '2026-10-01Z',
    true
FROM unnest($1::text[]) whose, generate_series(1, 3)
""",
    """
INSERT INTO usage.incidents (id, user_id, grain, begins_at, ends_at, expected_micro_rub, actual_micro_rub,
    cause_dimension, cause_value, cause_expected_micro_rub, cause_actual_micro_rub, feedback, found_at)
SELECT gen_random_uuid(), whose, 'day', timestamptz '2026-11-01Z' + day * interval '1 day', '2026-11-30Z', 1, 2,
    '', '', 0, 0, 'expected', '2026-11-30Z'
FROM unnest($1::text[]) whose, generate_series(1, 3) day
""",
    """
INSERT INTO usage.recommendations (id, user_id, kind, subject, texts, evidence, query, saving_min_micro_rub,
    saving_max_micro_rub, confidence, first_seen, last_seen, state, reason)
SELECT gen_random_uuid(), whose, 'cacheable', number::text, '{}', '{}', '{}', 1, 2, 0.5, '2026-11-01Z', '2026-11-02Z',
    'dismissed', 'As it should be'
FROM unnest($1::text[]) whose, generate_series(1, 3) number
""",
)


@pytest.fixture
async def stub(make_database_dsn: MakeDatabaseDsn, clock: FakeClock) -> AsyncIterator[Any]:
    """Yield a stub of the running service, where two people have three of everything, and a webhook each."""
    dsn = await make_database_dsn("usage")
    async with asyncpg.create_pool(dsn, min_size=0) as pool, pool.acquire() as connection:
        await connection.execute(NAME_USER, EVERYBODY)
        for statement in PLANTED:
            await connection.execute(statement, [USER, "user-2"])
    settings = UsageSettings(postgres=postgres_settings(dsn))
    async with running(settings, clock=clock) as port, ready_channel(port) as channel:
        notices: Any = notifications_pb2_grpc.NotificationServiceStub(channel)
        for whose in (USER, "user-2"):
            order = notifications_pb2.CreateChannelRequest(
                user_id=whose,
                kind=notifications_pb2.CHANNEL_KIND_WEBHOOK,
                name=f"hook of {whose}",
                target=TARGET,
            )
            await unary(notices.CreateChannel, order, deadline_s=LONG_S)
        yield personal_data_pb2_grpc.PersonalDataServiceStub(channel)


async def told(stub: Any, part: str, limit: int = 500) -> list[list[Any]]:
    """Return the pages of a part."""
    pages, page = list[list[Any]](), ""
    while True:
        request = pb.ListPersonalDataRequest(user_id=USER, part=part, page=page, limit=limit)
        answer = await unary(stub.ListPersonalData, request, deadline_s=LONG_S)
        pages.append([json.loads(row) for row in answer.rows_json])
        page = answer.next_page
        if not page:
            return pages


async def test_each_part_is_told_of_one_person_without_secrets(stub: Any) -> None:
    """Facts as they are stored: where a webhook leads, but not what signs for it, nor what opens a report."""
    found = {part: (await told(stub, part))[0] for part in PARTS}

    (channel,) = found["notification_channels"]
    assert (channel["name"], channel["kind"], channel["target"]) == (f"hook of {USER}", "webhook", TARGET)
    assert {part: len(rows) for part, rows in found.items() if part != "notification_channels"} == dict.fromkeys(
        PARTS[1:], 3
    )
    assert found["reports"][0]["ordered"] == {"format": "csv"}
    assert {row["feedback"] for row in found["anomalies"]} == {"expected"}
    assert {row["reason"] for row in found["recommendations"]} == {"As it should be"}
    text = json.dumps(found)
    assert not [secret for secret in ("whsec_", "link_key", "sealed", "user-2") if secret in text]


@pytest.mark.parametrize("part", PARTS[1:])
async def test_pages_together_are_the_part(stub: Any, part: str) -> None:
    """Each row once, in the order of the whole, also where many were made at one moment."""
    (whole,) = await told(stub, part)

    pages = await told(stub, part, limit=2)

    assert [len(page) for page in pages] == [2, 1]
    assert [row for page in pages for row in page] == whole


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"part": "secrets"}, "part"),
        ({"page": "yesterday"}, "page"),
        ({"page": "2026-11-01T00:00:00 x"}, "page"),
        ({"page": "2026-11-01T00:00:00.0+0000 \0"}, "page"),
        ({"limit": 0}, "limit"),
        ({"limit": 501}, "limit"),
    ],
)
async def test_what_is_asked_wrongly_is_named(stub: Any, wrong: dict[str, Any], param: str) -> None:
    """Part, page or limit."""
    request = pb.ListPersonalDataRequest(**{"user_id": USER, "part": "reports", "limit": 10, **wrong})

    with pytest.raises(InvalidRequest) as refused:
        await unary(stub.ListPersonalData, request, deadline_s=LONG_S)

    assert refused.value.param == param
