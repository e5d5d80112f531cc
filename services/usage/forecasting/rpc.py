"""protobuf <-> forecasts, both ways."""

from __future__ import annotations

from datetime import date
from typing import Any, Final, TypeAlias

import grpc
from razvilka.usage.v1 import forecasts_pb2 as pb
from razvilka.usage.v1 import forecasts_pb2_grpc as pb_grpc

from servicekit.errors import invalid_parameter
from services.usage.forecasting.domain.accuracy import Accuracy
from services.usage.forecasting.domain.course import Band
from services.usage.forecasting.domain.forecast import Forecast, Limit, LimitDates, MonthEnd, Question
from services.usage.forecasting.domain.outlook import MethodName, Refusal
from services.usage.forecasting.domain.what_if import WhatIf
from services.usage.forecasting.forecaster import Forecaster

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

METHOD_TO_PROTO: Final[dict[MethodName, pb.Method.ValueType]] = {
    MethodName.NONE: pb.METHOD_UNSPECIFIED,
    MethodName.MEAN: pb.METHOD_MEAN,
    MethodName.SEASONAL_NAIVE: pb.METHOD_SEASONAL_NAIVE,
    MethodName.HALF: pb.METHOD_HALF,
    MethodName.ACTIVE_DAYS: pb.METHOD_ACTIVE_DAYS,
}
REFUSAL_TO_PROTO: Final[dict[Refusal | None, pb.Refusal.ValueType]] = {
    None: pb.REFUSAL_UNSPECIFIED,
    Refusal.SHORT_HISTORY: pb.REFUSAL_SHORT_HISTORY,
    Refusal.IRREGULAR: pb.REFUSAL_IRREGULAR,
}


class ForecastServicer(pb_grpc.ForecastServiceServicer):
    """Implements the forecast service."""

    def __init__(self, forecaster: Forecaster) -> None:
        self._forecaster = forecaster

    async def GetForecast(self, request: pb.GetForecastRequest, context: Context) -> pb.GetForecastResponse:
        """Foretell a user's spending."""
        return forecast_to_proto(await self._forecaster.forecast(question_from_proto(request)))


def question_from_proto(request: pb.GetForecastRequest) -> Question:
    """Return the question as it was asked.

    Raises:
        InvalidRequest: a date is none.
    """
    limit = request.limit
    spent = limit.spent_micro_rub if limit.HasField("spent_micro_rub") else None
    asked = Limit(limit.limit_micro_rub, spent, _date(limit.ends_on)) if request.HasField("limit") else None
    return Question(request.user_id, request.zone, request.horizon_days, asked, request.what_if_model)


def forecast_to_proto(forecast: Forecast) -> pb.GetForecastResponse:
    """Return the message of an answer."""
    outlook = forecast.outlook
    message = pb.GetForecastResponse(
        method=METHOD_TO_PROTO[outlook.method],
        history_days=outlook.history_days,
        preliminary=outlook.is_preliminary,
        refusal=REFUSAL_TO_PROTO[outlook.refusal],
        points=[pb.Point(date=point.day.isoformat(), band=_band(point.band)) for point in forecast.points],
        month_end=_month_end(forecast.month_end),
        limit=None if forecast.limit is None else _limit(forecast.limit),
        price_changes=[pb.PriceChange(date=each.day.isoformat(), share=each.share) for each in forecast.price_changes],
        what_if=None if forecast.what_if is None else _what_if(forecast.what_if),
        accuracy=None if forecast.accuracy is None else _accuracy(forecast.accuracy),
    )
    message.as_of.FromDatetime(forecast.as_of)
    return message


def _band(band: Band) -> pb.Band:
    return pb.Band(p10_micro_rub=band.p10, p50_micro_rub=band.p50, p90_micro_rub=band.p90)


def _month_end(month: MonthEnd) -> pb.MonthEnd:
    return pb.MonthEnd(
        last_day=month.last_day.isoformat(),
        spent_micro_rub=month.spent,
        band=None if month.band is None else _band(month.band),
        what_if=None if month.what_if is None else _band(month.what_if),
    )


def _limit(limit: LimitDates) -> pb.LimitDates:
    return pb.LimitDates(
        limit_micro_rub=limit.amount,
        spent_micro_rub=limit.spent,
        on=_text(limit.on),
        earliest=_text(limit.earliest),
        latest=_text(limit.latest),
    )


def _what_if(other: WhatIf) -> pb.WhatIf:
    return pb.WhatIf(
        model=other.model,
        requests=other.requests,
        cost_micro_rub=other.cost_micro_rub,
        would_cost_micro_rub=other.would_cost_micro_rub,
    )


def _accuracy(accuracy: Accuracy) -> pb.Accuracy:
    return pb.Accuracy(days=accuracy.days, held_share=accuracy.held_share, error_share=accuracy.error_share)


def _text(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as unreadable:
        raise invalid_parameter("ends_on", "ends_on must be a date, YYYY-MM-DD.") from unreadable
