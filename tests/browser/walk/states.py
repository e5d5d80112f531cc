"""Accounts in the states that pages are looked at in: nothing yet, one of each, ten thousand and a billion."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from razvilka.usage.v1 import usage_pb2 as pb
from razvilka.usage.v1.usage_pb2_grpc import UsageServiceStub

from servicekit.rpc_client import Peer, open_channel, unary
from tests.browser.walk.residents import Resident, furnish, make_administrator
from tests.integration.waiting import wait_until
from tests.oauth_kit.house import House
from tests.oauth_kit.people import seed_person
from tools.demo_data.rows import Rows
from tools.demo_data.story import WORKS, Call

MANY: Final = 10_000
BATCH: Final = 1_000
DEADLINE_S: Final = 60.0
LONG_NAME: Final = "Сверхдлинноеназваниеключавысоконагруженноговычислительногокомплекса" * 3
# As much as a row may cost: a hundred thousand of them are a billion roubles.
REQUESTS: Final = 100_000
DEAREST_MICRO_RUB: Final = 9_999_999_999
KEYS: Final = """\
INSERT INTO auth.api_keys (id, user_id, key_hash, name, prefix, last_four, created_at)
SELECT gen_random_uuid()::text, $1, encode(sha256(($1 || number)::bytea), 'hex'), $2 || number, 'rz_live_many', 'many',
    now() - number * interval '1 minute'
FROM generate_series(1, $3::integer) AS number
"""
AUDIT: Final = """\
INSERT INTO auth.audit_log (at, actor, action, subject, details)
SELECT now(), 'user:' || $1, 'key.created', 'key:' || number, '{"request_id": ""}'
FROM generate_series(1, $2::integer) AS number
"""

DONE: Final = "SELECT id FROM usage.reports WHERE user_id = $1 AND status = 'done'"
# Beside one that is done. Whoever writes reports takes over one that nobody holds any more, so a walk may find it done.
REPORTS: Final = """\
INSERT INTO usage.reports (id, user_id, ordered, status, rows_total, rows_done, error, link_key, attempt, lease_until,
    created_at, expires_at, period_since, told)
SELECT DISTINCT ON (state.name) gen_random_uuid(), user_id, ordered, state.name, 100000, state.rows_done, state.error,
    link_key, 1, now() + interval '1 day', now(), expires_at, period_since, true
FROM usage.reports, (VALUES ('running', 41234, ''), ('failed', 0, 'The period has more rows than a report may have.'))
    AS state (name, rows_done, error)
WHERE user_id = $1 AND status = 'done' AND state.name NOT IN (SELECT status FROM usage.reports WHERE user_id = $1)
"""


def newcomer(house: House) -> Resident:
    """Return somebody who has nothing yet."""
    return Resident(house.new_person())


def beginner(house: House) -> Resident:
    """Return somebody with one of everything, and one request that cost nothing."""
    person = house.new_person()
    record(house, person.user_id, 1, cost_micro_rub=0)
    return furnish(house, person)


def wait_for_reports(house: House, user_id: str) -> None:
    """Give somebody who has a report one that is being written, and one that could not be made, if they have none."""
    wait_until(lambda: bool(house.stack.query(DONE, user_id)), within_s=60)
    house.stack.query(REPORTS, user_id)


def magnate(house: House) -> Resident:
    """Return an administrator with long names, a billion roubles, and ten thousand keys and rows of the log."""
    person = seed_person(house.stack.auth, LONG_NAME[:100], is_admin=True)
    make_administrator(house, person.user_id)
    resident = furnish(house, person)
    house.stack.query(KEYS, person.user_id, LONG_NAME[:200], MANY)
    house.stack.query(AUDIT, person.user_id, MANY)
    record(house, person.user_id, REQUESTS, cost_micro_rub=DEAREST_MICRO_RUB)
    return resident


def record(house: House, user_id: str, count: int, *, cost_micro_rub: int) -> None:
    """Record requests of three weeks up to five minutes ago, each at this cost."""
    asyncio.run(_record(house, user_id, count, cost_micro_rub))


async def _record(house: House, user_id: str, count: int, cost_micro_rub: int) -> None:
    parts = house.stack.parts
    target = house.stack.target("usage").address
    rows = Rows(user_id, {work.key: f"key of {user_id}" for work in WORKS}, user_id)
    async with open_channel(target, Peer("usage", parts.home.tls / "gateway")) as channel:
        stub: Any = UsageServiceStub(channel)
        for begin in range(0, count, BATCH):
            records = [rows.row(_call(number)) for number in range(begin, min(count, begin + BATCH))]
            for each in records:
                each.cost_micro_rub = cost_micro_rub
            answer = await unary(stub.Record, pb.RecordRequest(records=records), deadline_s=DEADLINE_S)
            assert not answer.rejected, answer.rejected[0]


def _call(number: int) -> Call:
    at = datetime.now(UTC) - timedelta(minutes=5, seconds=18 * number)
    return Call(at, WORKS[number % len(WORKS)], 100_000, 10_000, 0, 400, 123_456, has_failed=number % 50 == 49)
