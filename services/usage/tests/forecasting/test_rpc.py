"""Forecasts over real gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from razvilka.usage.v1 import forecasts_pb2 as pb
from razvilka.usage.v1 import usage_pb2
from razvilka.usage.v1.forecasts_pb2_grpc import ForecastServiceStub
from razvilka.usage.v1.usage_pb2_grpc import UsageServiceStub

from servicekit.errors import InvalidRequest
from servicekit.rpc_client import unary
from servicekit.testing import FakeClock
from servicekit.testing.fake_clock import MIDDAY
from servicekit.testing.ready_channel import ready_channel
from services.usage.forecasting.domain.accuracy import Accuracy
from services.usage.forecasting.domain.course import Band
from services.usage.forecasting.domain.forecast import Forecast, LimitDates, MonthEnd, Point
from services.usage.forecasting.domain.outlook import MethodName, Outlook, Refusal
from services.usage.forecasting.domain.prices import PriceChange
from services.usage.forecasting.domain.radii import Radii
from services.usage.forecasting.domain.what_if import WhatIf
from services.usage.forecasting.rpc import METHOD_TO_PROTO, REFUSAL_TO_PROTO, forecast_to_proto
from services.usage.rpc import record_to_proto
from services.usage.server import running
from services.usage.settings import UsageSettings
from services.usage.tests.records import LONG_S, record
from tools.testing.patience import postgres_settings
from tools.testing.plugin import MakeDatabaseDsn


@pytest.fixture
async def channel(make_database_dsn: MakeDatabaseDsn, clock: FakeClock) -> AsyncIterator[Any]:
    settings = UsageSettings(postgres=postgres_settings(await make_database_dsn("usage")))
    async with running(settings, clock=clock) as port, ready_channel(port) as opened:
        yield opened


async def test_a_users_spending_is_foretold(channel: Any):
    """Five days of a request each: a range, and the day on which a limit is reached."""
    sent = [record(number, MIDDAY - timedelta(days=number)) for number in range(1, 6)]
    records = [record_to_proto(replace(each, cost_micro_rub=1_000_000)) for each in sent]
    await unary(UsageServiceStub(channel).Record, usage_pb2.RecordRequest(records=records), deadline_s=LONG_S)
    asked = pb.GetForecastRequest(user_id="user-1", zone="UTC", horizon_days=3)
    asked.limit.limit_micro_rub = 10_000_000

    answer = await unary(ForecastServiceStub(channel).GetForecast, asked, deadline_s=LONG_S)

    assert (answer.method, answer.history_days, answer.preliminary) == (pb.METHOD_MEAN, 5, True)
    assert [point.date for point in answer.points] == ["2026-11-23", "2026-11-24", "2026-11-25"]
    assert answer.points[1].band.p50_micro_rub == 1_000_000
    assert (answer.limit.spent_micro_rub, answer.limit.on) == (5_000_000, "2026-11-27")
    assert answer.as_of.ToDatetime(UTC) == MIDDAY


async def test_a_date_that_is_none_is_an_invalid_request(channel: Any):
    asked = pb.GetForecastRequest(user_id="user-1", zone="UTC", horizon_days=3)
    asked.limit.ends_on = "soon"

    with pytest.raises(InvalidRequest) as caught:
        await unary(ForecastServiceStub(channel).GetForecast, asked, deadline_s=LONG_S)

    assert caught.value.param == "ends_on"


def test_every_figure_of_an_answer_is_in_its_message():
    band, day = Band(1, 2, 3), date(2026, 11, 23)
    forecast = Forecast(
        as_of=datetime(2026, 11, 23, tzinfo=UTC),
        outlook=Outlook(MethodName.HALF, (), Radii((), ()), 84),
        points=(Point(day, band),),
        month_end=MonthEnd(day, 4, band, Band(5, 6, 7)),
        limit=LimitDates(8, 9, None, day, None),
        price_changes=(PriceChange(day, 0.25),),
        what_if=WhatIf("m", 10, 11, 12, 1.0),
        accuracy=Accuracy(13, 0.5, None),
    )

    message = forecast_to_proto(forecast)

    wire = pb.Band(p10_micro_rub=1, p50_micro_rub=2, p90_micro_rub=3)
    assert message == pb.GetForecastResponse(
        as_of=message.as_of,
        method=pb.METHOD_HALF,
        history_days=84,
        points=[pb.Point(date="2026-11-23", band=wire)],
        month_end=pb.MonthEnd(
            last_day="2026-11-23",
            spent_micro_rub=4,
            band=wire,
            what_if=pb.Band(p10_micro_rub=5, p50_micro_rub=6, p90_micro_rub=7),
        ),
        limit=pb.LimitDates(limit_micro_rub=8, spent_micro_rub=9, earliest="2026-11-23"),
        price_changes=[pb.PriceChange(date="2026-11-23", share=0.25)],
        what_if=pb.WhatIf(model="m", requests=10, cost_micro_rub=11, would_cost_micro_rub=12),
        accuracy=pb.Accuracy(days=13, held_share=0.5),
    )


def test_every_method_and_refusal_has_a_number_of_its_own():
    assert len(set(METHOD_TO_PROTO.values())) == len(MethodName) == len(pb.Method.keys())
    assert len(set(REFUSAL_TO_PROTO.values())) == len(Refusal) + 1 == len(pb.Refusal.keys())
