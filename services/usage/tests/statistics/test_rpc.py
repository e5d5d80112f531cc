"""Statistics over real gRPC, from records that were sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from razvilka.usage.v1 import statistics_pb2 as pb
from razvilka.usage.v1 import usage_pb2
from razvilka.usage.v1.statistics_pb2_grpc import StatisticsServiceStub
from razvilka.usage.v1.usage_pb2_grpc import UsageServiceStub

from servicekit.errors import InvalidRequest
from servicekit.rpc_client import unary
from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from servicekit.testing.ready_channel import ready_channel
from services.usage.domain.record import Status, UsageRecord
from services.usage.rpc import record_to_proto
from services.usage.server import running
from services.usage.settings import UsageSettings
from services.usage.tests.records import LONG_S, record
from tools.testing.patience import postgres_settings
from tools.testing.plugin import MakeDatabaseDsn


@pytest.fixture
async def channel(make_database_dsn: MakeDatabaseDsn, clock: FakeClock) -> AsyncIterator[grpc.aio.Channel]:
    """Yield a channel to the running service, in which two users have used two models on two days."""
    settings = UsageSettings(postgres=postgres_settings(await make_database_dsn("usage")))
    records = [
        replace(record(1, MIDDAY - timedelta(days=1)), cost_micro_rub=1_000),
        replace(record(2), cost_micro_rub=1_500),
        replace(record(3), model="gigachat-pro", provider="gigachat", cost_micro_rub=7_000_001),
        replace(record(4), user_id="user-2"),
    ]
    async with running(settings, clock=clock) as port, ready_channel(port) as opened:
        await send(opened, records)
        yield opened


async def send(channel: grpc.aio.Channel, records: list[UsageRecord]) -> None:
    batch = usage_pb2.RecordRequest(records=map(record_to_proto, records))
    await unary(UsageServiceStub(channel).Record, batch, deadline_s=LONG_S)


def period(since: datetime, until: datetime) -> pb.UsagePeriod:
    message = pb.UsagePeriod(zone="Europe/Moscow")
    message.since.FromDatetime(since)
    message.until.FromDatetime(until)
    return message


TODAY = period(MIDDAY.replace(hour=0), MIDDAY + timedelta(hours=1))


async def ask(channel: grpc.aio.Channel, question: pb.StatsQuestion) -> pb.DetailedStats:
    request = pb.GetStatsRequest(user_id="user-1", question=question)
    answer: Any = await unary(StatisticsServiceStub(channel).GetStats, request, deadline_s=LONG_S)
    stats: pb.DetailedStats = answer.stats
    return stats


async def test_figures_come_with_the_period_before_and_why_it_changed(channel: grpc.aio.Channel) -> None:
    """The models' changes add up to the difference of the totals."""
    stats = await ask(channel, pb.StatsQuestion(period=TODAY, group_by=["model"], compared=True, quantiles=True))

    previous = stats.previous
    assert (stats.total.requests, stats.total.cost_micro_rub) == (2, 7_001_501)
    assert [(row.group[0], row.figures.cost_micro_rub) for row in stats.rows] == [
        ("gigachat-pro", 7_000_001),
        ("yandexgpt-lite", 1_500),
    ]
    assert (previous.total.requests, previous.total.cost_micro_rub) == (1, 1_000)
    effects = sum(each.volume_micro_rub + each.mix_micro_rub + each.price_micro_rub for each in previous.models)
    assert effects == 7_001_501 - 1_000
    assert stats.as_of.ToDatetime(UTC) == MIDDAY
    assert stats.total.latency.p50_ms == pytest.approx(900, rel=0.05)


async def test_buckets_begin_in_the_zone_of_the_question(channel: grpc.aio.Channel) -> None:
    """A day of Moscow begins at 21:00 UTC."""
    two_days = period(MIDDAY - timedelta(days=2), MIDDAY + timedelta(hours=1))

    stats = await ask(channel, pb.StatsQuestion(period=two_days, bucket=pb.BUCKET_DAY))

    starts = [row.starts_at.ToDatetime(UTC) for row in stats.rows]
    assert starts == [datetime(2026, 11, 21, 21, tzinfo=UTC), datetime(2026, 11, 22, 21, tzinfo=UTC)]


async def test_what_is_wrong_with_a_question_is_named(channel: grpc.aio.Channel) -> None:
    """A dimension that nobody knows, and a user that is missing."""
    with pytest.raises(InvalidRequest) as unknown:
        await ask(channel, pb.StatsQuestion(period=TODAY, group_by=["colour"]))
    with pytest.raises(InvalidRequest) as nobody:
        await unary(
            StatisticsServiceStub(channel).GetStats,
            pb.GetStatsRequest(question=pb.StatsQuestion(period=TODAY)),
            deadline_s=LONG_S,
        )

    assert (unknown.value.param, nobody.value.param) == ("group_by", "user_id")
    assert "colour" in unknown.value.message


async def test_administrators_see_everybody(channel: grpc.aio.Channel) -> None:
    """An empty user is all of them."""
    stub = StatisticsServiceStub(channel)
    question = pb.StatsQuestion(period=TODAY, group_by=["user"])

    all_users = await unary(
        stub.GetStatsOfOthers, pb.GetStatsOfOthersRequest(admin_user_id="root", question=question), deadline_s=LONG_S
    )
    lines = await unary(
        stub.ListRequestsOfOthers,
        pb.ListRequestsOfOthersRequest(
            admin_user_id="root", of_user_id="user-2", question=pb.RequestsQuestion(period=TODAY, limit=10)
        ),
        deadline_s=LONG_S,
    )

    assert [row.group[0] for row in all_users.stats.rows] == ["user-1", "user-2"]
    assert [line.user_id for line in lines.lines] == ["user-2"]


async def test_the_health_of_the_platform_names_nobody(channel: grpc.aio.Channel) -> None:
    """Requests of all users by version and error, in buckets; how soon answers began, of the whole period."""
    failed = replace(record(9), status=Status.FAILED, error_code="provider_timeout")
    await send(channel, [failed])
    request = pb.GetPlatformHealthRequest(
        period=period(MIDDAY - timedelta(days=2), MIDDAY + timedelta(hours=1)), bucket=pb.BUCKET_DAY
    )

    request.period.zone = "UTC"
    answer = await unary(StatisticsServiceStub(channel).GetPlatformHealth, request, deadline_s=LONG_S)

    ended = [(each.starts_at.ToDatetime(UTC).day, each.version, each.error, each.requests) for each in answer.endings]
    yesterday, today = (MIDDAY - timedelta(days=1)).day, MIDDAY.day
    assert sorted(ended) == sorted(
        [
            (yesterday, failed.model, "", 1),
            (today, failed.model, "", 2),
            (today, failed.model, "provider_timeout", 1),
            (today, "gigachat-pro", "", 1),
        ]
    )
    assert {pace.version for pace in answer.paces} == {failed.model, "gigachat-pro"}
    assert "user" not in str(answer)
