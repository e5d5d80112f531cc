"""gRPC servicer of statistics: decode, call, encode; no rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from datetime import UTC
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

import grpc
from razvilka.usage.v1 import statistics_pb2 as pb
from razvilka.usage.v1 import statistics_pb2_grpc as pb_grpc

from servicekit.errors import invalid_parameter
from servicekit.timestamps import timestamp_from_proto
from services.usage.statistics.domain.detailed_stats import Comparison, DetailedStats, Grouping, Period
from services.usage.statistics.domain.figures import Figures, Quantiles, Row
from services.usage.statistics.domain.query import Bucket, Dimension, RowPosition
from services.usage.statistics.domain.request_line import LogQuery, Position, RequestLine
from services.usage.statistics.offload import offload
from services.usage.statistics.request_log import RequestLog

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_BUCKETS: Final[Mapping[pb.Bucket.ValueType, Bucket]] = {
    pb.BUCKET_HOUR: Bucket.HOUR,
    pb.BUCKET_DAY: Bucket.DAY,
    pb.BUCKET_WEEK: Bucket.WEEK,
    pb.BUCKET_MONTH: Bucket.MONTH,
}
_DURATIONS: Final = ("latency", "first_token")
_SUMS: Final = tuple([field.name for field in fields(Figures) if field.name not in _DURATIONS])
_PLAIN_OF_LINE: Final = tuple([field.name for field in fields(RequestLine) if field.name not in {"created_at", "tags"}])


class GivesDetailedStats(Protocol):
    """The interface that answers; implemented by `UsageService`."""

    async def get_detailed_stats(self, user_id: str | None, period: Period, grouping: Grouping) -> DetailedStats:
        """Return the figures of one user, or of everybody."""
        ...


class StatisticsServicer(pb_grpc.StatisticsServiceServicer):
    """Implements the statistics service."""

    def __init__(self, stats: GivesDetailedStats, log: RequestLog) -> None:
        self._stats = stats
        self._log = log

    async def GetStats(self, request: pb.GetStatsRequest, context: Context) -> pb.GetStatsResponse:
        """Return one user's figures."""
        return pb.GetStatsResponse(stats=await self._answer(_named(request.user_id), request.question))

    async def GetStatsOfOthers(
        self, request: pb.GetStatsOfOthersRequest, context: Context
    ) -> pb.GetStatsOfOthersResponse:
        """Return anybody's figures."""
        return pb.GetStatsOfOthersResponse(stats=await self._answer(request.of_user_id or None, request.question))

    async def ListRequests(self, request: pb.ListRequestsRequest, context: Context) -> pb.ListRequestsResponse:
        """Return a page of one user's requests."""
        found = await self._log.page(log_query_from_proto(_named(request.user_id), request.question))
        return pb.ListRequestsResponse(lines=map(line_to_proto, found))

    async def ListRequestsOfOthers(
        self, request: pb.ListRequestsOfOthersRequest, context: Context
    ) -> pb.ListRequestsOfOthersResponse:
        """Return a page of anybody's requests."""
        found = await self._log.page(log_query_from_proto(request.of_user_id or None, request.question))
        return pb.ListRequestsOfOthersResponse(lines=map(line_to_proto, found))

    async def GetPlatformHealth(
        self, request: pb.GetPlatformHealthRequest, context: Context
    ) -> pb.GetPlatformHealthResponse:
        """Return how everybody's requests ended, and how soon answers began."""
        period = period_from_proto(request.period)
        by_ending = Grouping(_BUCKETS.get(request.bucket), (Dimension.VERSION, Dimension.ERROR))
        ended = await self._stats.get_detailed_stats(None, period, by_ending)
        begun = await self._stats.get_detailed_stats(
            None, period, Grouping(group_by=(Dimension.VERSION,), quantiles=True)
        )
        return pb.GetPlatformHealthResponse(
            endings=map(_ending_to_proto, ended.rows), paces=map(_pace_to_proto, begun.rows)
        )

    async def _answer(self, user_id: str | None, question: pb.StatsQuestion) -> pb.DetailedStats:
        period, grouping = period_from_proto(question.period), grouping_from_proto(question)
        stats = await self._stats.get_detailed_stats(user_id, period, grouping)
        return await offload(len(stats.rows), partial(stats_to_proto, stats))


def _named(user_id: str) -> str:
    if not user_id or "\0" in user_id:
        raise invalid_parameter("user_id", "user_id is missing or malformed.")
    return user_id


def period_from_proto(message: pb.UsagePeriod) -> Period:
    """Return the period.

    Raises:
        InvalidRequest: a moment is beyond the calendar.
    """
    return Period(timestamp_from_proto(message.since, "from"), timestamp_from_proto(message.until, "to"), message.zone)


def grouping_from_proto(message: pb.StatsQuestion) -> Grouping:
    """Return how the period is divided.

    Raises:
        InvalidRequest: nobody knows the dimension, or a moment is beyond the calendar.
    """
    return Grouping(
        bucket=_BUCKETS.get(message.bucket),
        group_by=tuple([_dimension(name) for name in message.group_by]),
        filters=_filters(message.filters),
        top=max(0, message.top),
        quantiles=message.quantiles,
        compared=message.compared,
        limit=max(0, message.limit),
        after=_row_position(message.after) if message.HasField("after") else None,
    )


def _row_position(message: pb.StatsPosition) -> RowPosition:
    return RowPosition(timestamp_from_proto(message.starts_at, "page"), tuple(message.group))


def log_query_from_proto(user_id: str | None, message: pb.RequestsQuestion) -> LogQuery:
    """Return the question for lines.

    Raises:
        InvalidRequest: a moment is beyond the calendar, or nobody knows a dimension.
    """
    period = message.period
    after = None
    if message.HasField("after_created_at"):
        after = Position(timestamp_from_proto(message.after_created_at, "cursor"), message.after_request_id)
    return LogQuery(
        user_id,
        timestamp_from_proto(period.since, "from"),
        timestamp_from_proto(period.until, "to"),
        _filters(message.filters),
        after,
        message.oldest_first,
        message.limit,
    )


def _dimension(name: str) -> Dimension:
    try:
        return Dimension(name)
    except ValueError as exc:
        allowed = ", ".join(Dimension)
        raise invalid_parameter("group_by", f"`{name[:64]}` is no dimension; there are {allowed}.") from exc


def _filters(messages: Iterable[pb.UsageFilter]) -> dict[Dimension, tuple[str, ...]]:
    return {_dimension(message.dimension): tuple(message.values) for message in messages}


def stats_to_proto(stats: DetailedStats) -> pb.DetailedStats:
    """Return the answer."""
    message = pb.DetailedStats(rows=map(row_to_proto, stats.rows), total=figures_to_proto(stats.total))
    message.as_of.FromDatetime(stats.as_of)
    if stats.comparison is not None:
        message.previous.CopyFrom(_previous_to_proto(stats.comparison))
    return message


def _previous_to_proto(comparison: Comparison) -> pb.PreviousPeriod:
    return pb.PreviousPeriod(
        period=period_to_proto(comparison.period),
        total=figures_to_proto(comparison.total),
        models=[pb.ModelCostChange(**asdict(change)) for change in comparison.models],
    )


def period_to_proto(period: Period) -> pb.UsagePeriod:
    """Return the period."""
    message = pb.UsagePeriod(zone=period.zone)
    message.since.FromDatetime(period.since.astimezone(UTC))
    message.until.FromDatetime(period.until.astimezone(UTC))
    return message


def row_to_proto(row: Row) -> pb.StatsRow:
    """Return the figures of a group in a bucket."""
    message = pb.StatsRow(group=row.group, is_other=row.is_other, figures=figures_to_proto(row.figures))
    if row.starts_at is not None:
        message.starts_at.FromDatetime(row.starts_at)
    return message


def _ending_to_proto(row: Row) -> pb.Endings:
    version, error = row.group
    message = pb.Endings(version=version, error=error, requests=row.figures.requests)
    if row.starts_at is not None:
        message.starts_at.FromDatetime(row.starts_at)
    return message


def _pace_to_proto(row: Row) -> pb.Pace:
    return pb.Pace(version=row.group[0], first_token=_quantiles(row.figures.first_token))


def figures_to_proto(figures: Figures) -> pb.UsageFigures:
    """Return figures."""
    return pb.UsageFigures(
        **{name: getattr(figures, name) for name in _SUMS},
        latency=_quantiles(figures.latency),
        first_token=_quantiles(figures.first_token),
    )


def _quantiles(quantiles: Quantiles) -> pb.DurationQuantiles:
    return pb.DurationQuantiles(p50_ms=quantiles.p50, p95_ms=quantiles.p95, p99_ms=quantiles.p99)


def line_to_proto(line: RequestLine) -> pb.RequestLine:
    """Return one request."""
    plain: dict[str, Any] = {name: getattr(line, name) for name in _PLAIN_OF_LINE}
    message = pb.RequestLine(**plain, tags=line.tags)
    message.created_at.FromDatetime(line.created_at)
    return message
