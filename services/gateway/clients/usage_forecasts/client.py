"""Forecasts of the usage service, as the gateway needs them."""

from __future__ import annotations

from datetime import UTC
from typing import Final

import grpc
from razvilka.usage.v1 import forecasts_pb2 as pb
from razvilka.usage.v1 import forecasts_pb2_grpc

from servicekit.call import CallContext
from services.gateway.clients.usage_forecasts.values import (
    Accuracy,
    Band,
    Forecast,
    ForecastLimit,
    ForecastQuestion,
    LimitDates,
    WhatIf,
)
from services.gateway.clients.user_contexts import InWhoseName, UserCalls, of_nobody

# Three months of the biggest user are read in a tenth of that.
DEADLINE_S: Final = 10.0
METHODS: Final = {
    pb.METHOD_UNSPECIFIED: "none",
    pb.METHOD_MEAN: "mean",
    pb.METHOD_SEASONAL_NAIVE: "seasonal_naive",
    pb.METHOD_HALF: "half",
    pb.METHOD_ACTIVE_DAYS: "active_days",
}
REFUSALS: Final = {
    pb.REFUSAL_UNSPECIFIED: "",
    pb.REFUSAL_SHORT_HISTORY: "short_history",
    pb.REFUSAL_IRREGULAR: "irregular",
}


class ForecastClient:
    """Asks for forecasts. `in_whose_name` tells whom it is asked for."""

    def __init__(self, channel: grpc.aio.Channel, in_whose_name: InWhoseName = of_nobody) -> None:
        self._ask = UserCalls(in_whose_name, DEADLINE_S)
        self._stub = forecasts_pb2_grpc.ForecastServiceStub(channel)

    async def forecast(self, user_id: str, question: ForecastQuestion, call: CallContext) -> Forecast:
        """Return what a user will have spent.

        Raises:
            InvalidRequest: names the parameter.
        """
        request = pb.GetForecastRequest(
            user_id=user_id,
            zone=question.zone,
            horizon_days=question.horizon,
            limit=None if question.limit is None else _limit_to_proto(question.limit),
            what_if_model=question.what_if_model,
        )
        return forecast_from_proto(await self._ask(self._stub.GetForecast, request, call))


def forecast_from_proto(message: pb.GetForecastResponse) -> Forecast:
    """Convert at the border."""
    month = message.month_end
    return Forecast(
        as_of=message.as_of.ToDatetime(UTC),
        method=METHODS.get(message.method, "none"),
        history_days=message.history_days,
        preliminary=message.preliminary,
        # A reason that a newer service gives is one all the same.
        refusal=REFUSALS.get(message.refusal, "irregular"),
        points=tuple([(point.date, _band(point.band)) for point in message.points]),
        month_ends_on=month.last_day,
        month_spent=month.spent_micro_rub,
        month_end=_band(month.band) if month.HasField("band") else None,
        limit=_limit(message.limit) if message.HasField("limit") else None,
        price_changes=tuple([(change.date, change.share) for change in message.price_changes]),
        what_if=_what_if(message) if message.HasField("what_if") else None,
        accuracy=_accuracy(message.accuracy) if message.HasField("accuracy") else None,
    )


def _limit_to_proto(limit: ForecastLimit) -> pb.Limit:
    return pb.Limit(limit_micro_rub=limit.amount, spent_micro_rub=limit.spent, ends_on=limit.ends_on)


def _band(message: pb.Band) -> Band:
    return Band(message.p10_micro_rub, message.p50_micro_rub, message.p90_micro_rub)


def _limit(message: pb.LimitDates) -> LimitDates:
    return LimitDates(message.limit_micro_rub, message.spent_micro_rub, message.on, message.earliest, message.latest)


def _what_if(message: pb.GetForecastResponse) -> WhatIf:
    other, month = message.what_if, message.month_end
    return WhatIf(
        other.model,
        other.requests,
        other.cost_micro_rub,
        other.would_cost_micro_rub,
        _band(month.what_if) if month.HasField("what_if") else None,
    )


def _accuracy(message: pb.Accuracy) -> Accuracy:
    error_share = message.error_share if message.HasField("error_share") else None
    return Accuracy(message.days, message.held_share, error_share)
