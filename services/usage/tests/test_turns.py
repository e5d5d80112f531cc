"""One user's questions do not take everybody's connections."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
from razvilka.usage.v1 import notifications_pb2 as notices_pb
from razvilka.usage.v1 import usage_pb2 as pb
from razvilka.usage.v1.notifications_pb2_grpc import NotificationServiceStub
from razvilka.usage.v1.usage_pb2_grpc import UsageServiceStub

from servicekit.clock import SystemClock
from servicekit.rpc_client import unary
from servicekit.testing.ready_channel import ready_channel
from services.usage.server import running
from services.usage.settings import UsageSettings
from services.usage.tests.records import LONG_S
from services.usage.tests.test_server import batch_of, wait_until_serving
from tools.testing.patience import postgres_settings
from tools.testing.plugin import MakeDatabaseDsn

POOL = 4
ASKED_TOO = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%notification_rules%'
"""


async def test_the_books_are_kept_whatever_a_user_asks(make_database_dsn: MakeDatabaseDsn) -> None:
    """Slow questions of a free account, as many at once as it likes: records came behind them, and so did everybody."""
    dsn = await make_database_dsn("usage")
    locker, watcher = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    settings = UsageSettings(postgres=postgres_settings(dsn).model_copy(update={"pool_max": POOL}))
    async with running(settings, clock=SystemClock()) as port, ready_channel(port) as channel:
        await wait_until_serving(channel)
        notices: Any = NotificationServiceStub(channel)
        usage: Any = UsageServiceStub(channel)
        async with locker.transaction():
            # Whatever makes a question slow.
            await locker.execute("LOCK TABLE usage.notification_rules IN ACCESS EXCLUSIVE MODE")
            slow = [
                asyncio.ensure_future(notices.ListRules(notices_pb.ListRulesRequest(user_id="greedy")))
                for _ in range(5 * POOL)
            ]
            async with asyncio.timeout(LONG_S):
                while await watcher.fetchval(ASKED_TOO) < POOL // 2:
                    await asyncio.sleep(0.01)

            booked = await unary(usage.Record, batch_of(1), deadline_s=LONG_S)
            others = await unary(
                notices.ListChannels, notices_pb.ListChannelsRequest(user_id="other"), deadline_s=LONG_S
            )
            assert await watcher.fetchval(ASKED_TOO) == POOL // 2
        answers = await asyncio.gather(*slow)
    await locker.close()
    await watcher.close()

    assert booked.inserted == 1
    assert not others.channels
    assert len(answers) == 5 * POOL
    assert isinstance(booked, pb.RecordResponse)
