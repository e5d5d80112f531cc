"""Statistics of the usage service, as the gateway needs them."""

from __future__ import annotations

import asyncio
from dataclasses import fields
from datetime import UTC
from operator import attrgetter
from typing import Final

import grpc
from google.protobuf.message import Message
from razvilka.usage.v1 import statistics_pb2 as pb
from razvilka.usage.v1 import statistics_pb2_grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from servicekit.timestamps import timestamp_to_proto
from services.gateway.clients.timestamps import moment
from services.gateway.clients.usage_statistics.values import (
    Ending,
    Figures,
    Filters,
    LogQuestion,
    ModelChange,
    Period,
    PlatformHealth,
    Previous,
    Quantiles,
    Question,
    RequestLine,
    Row,
    Stats,
    Whose,
)
from services.gateway.clients.user_contexts import InWhoseName, UserCalls, of_nobody

# The biggest user's answer takes a tenth of a second; this bounds a database that is ill.
DEADLINE_S: Final = 10.0
# More rows are read aside: of a hundred thousand that takes seconds, in which others have their turns.
MOST_AT_ONCE: Final = 1000


class StatisticsClient:
    """Asks for figures and for lines. `in_whose_name` tells whom it is asked for."""

    def __init__(self, channel: grpc.aio.Channel, in_whose_name: InWhoseName = of_nobody) -> None:
        self._ask = UserCalls(in_whose_name, DEADLINE_S)
        self._stub = statistics_pb2_grpc.StatisticsServiceStub(channel)

    async def stats(self, whose: Whose, question: Question, call: CallContext) -> Stats:
        """Return figures.

        Raises:
            InvalidRequest: names the parameter.
            PermissionDenied: they are another's, and who asks is no administrator.
        """
        asked = _question(question)
        if whose.of is None:
            answer = await self._ask(self._stub.GetStats, pb.GetStatsRequest(user_id=whose.asker, question=asked), call)
        else:
            request = pb.GetStatsOfOthersRequest(admin_user_id=whose.asker, of_user_id=whose.of, question=asked)
            answer = await self._ask(self._stub.GetStatsOfOthers, request, call)
        if len(answer.stats.rows) <= MOST_AT_ONCE:
            return _stats(answer.stats)
        return await asyncio.to_thread(_stats, answer.stats)

    async def lines(self, whose: Whose, question: LogQuestion, call: CallContext) -> list[RequestLine]:
        """Return a page of requests.

        Raises:
            InvalidRequest: names the parameter.
            PermissionDenied: they are another's, and who asks is no administrator.
        """
        asked = _log_question(question)
        if whose.of is None:
            request: Message = pb.ListRequestsRequest(user_id=whose.asker, question=asked)
            answer = await self._ask(self._stub.ListRequests, request, call)
        else:
            request = pb.ListRequestsOfOthersRequest(admin_user_id=whose.asker, of_user_id=whose.of, question=asked)
            answer = await self._ask(self._stub.ListRequestsOfOthers, request, call)
        return [_line(line) for line in answer.lines]

    async def platform_health(self, period: Period, bucket: str, call: CallContext) -> PlatformHealth:
        """Return how requests of everybody ended, in nobody's name."""
        request = pb.GetPlatformHealthRequest(period=_period(period), bucket=_bucket(bucket))
        answer = await rpc_client.unary(self._stub.GetPlatformHealth, request, deadline_s=DEADLINE_S, call=call)
        return PlatformHealth(
            tuple([_ending(each) for each in answer.endings]),
            {pace.version: _quantiles(pace.first_token) for pace in answer.paces},
        )


_CONVERTED: Final = {"latency", "first_token", "created_at", "tags"}
_SUMS: Final = tuple([each.name for each in fields(Figures) if each.name not in _CONVERTED])
_sums: Final = attrgetter(*_SUMS)
_PLAIN: Final = tuple([each.name for each in fields(RequestLine) if each.name not in _CONVERTED])
_plain: Final = attrgetter(*_PLAIN)
_change: Final = attrgetter(*[each.name for each in fields(ModelChange)])


def _question(question: Question) -> pb.StatsQuestion:
    after = None
    if question.after is not None:
        starts_at, group = question.after
        after = pb.StatsPosition(starts_at=timestamp_to_proto(starts_at), group=group)
    return pb.StatsQuestion(
        period=_period(question.period),
        bucket=_bucket(question.bucket),
        group_by=question.group_by,
        filters=_filters(question.filters),
        top=question.top,
        quantiles=question.quantiles,
        compared=question.compared,
        limit=question.limit,
        after=after,
    )


def _bucket(name: str) -> pb.Bucket.ValueType:
    return pb.Bucket.Value(f"BUCKET_{name.upper() or 'UNSPECIFIED'}")


def _ending(message: pb.Endings) -> Ending:
    return Ending(message.starts_at.ToDatetime(UTC), message.version, message.error, message.requests)


def _log_question(question: LogQuestion) -> pb.RequestsQuestion:
    created_at, request_id = question.after or (None, "")
    return pb.RequestsQuestion(
        period=_period(question.period),
        filters=_filters(question.filters),
        after_created_at=timestamp_to_proto(created_at),
        after_request_id=request_id,
        oldest_first=question.oldest_first,
        limit=question.limit,
    )


def _period(period: Period) -> pb.UsagePeriod:
    return pb.UsagePeriod(
        since=timestamp_to_proto(period.since), until=timestamp_to_proto(period.until), zone=period.zone
    )


def _filters(filters: Filters) -> list[pb.UsageFilter]:
    return [pb.UsageFilter(dimension=dimension, values=values) for dimension, values in filters.items()]


def _stats(message: pb.DetailedStats) -> Stats:
    rows = [
        Row(moment(row, "starts_at"), tuple(row.group), row.is_other, _figures(row.figures)) for row in message.rows
    ]
    previous = _previous(message.previous) if message.HasField("previous") else None
    return Stats(tuple(rows), _figures(message.total), previous, message.as_of.ToDatetime(UTC))


def _previous(message: pb.PreviousPeriod) -> Previous:
    period = message.period
    return Previous(
        Period(period.since.ToDatetime(UTC), period.until.ToDatetime(UTC), period.zone),
        _figures(message.total),
        tuple([ModelChange(*_change(model)) for model in message.models]),
    )


def _figures(message: pb.UsageFigures) -> Figures:
    sums: dict[str, int] = dict(zip(_SUMS, _sums(message), strict=True))
    return Figures(**sums, latency=_quantiles(message.latency), first_token=_quantiles(message.first_token))


def _quantiles(message: pb.DurationQuantiles) -> Quantiles:
    return Quantiles(
        message.p50_ms if message.HasField("p50_ms") else None,
        message.p95_ms if message.HasField("p95_ms") else None,
        message.p99_ms if message.HasField("p99_ms") else None,
    )


def _line(message: pb.RequestLine) -> RequestLine:
    plain = dict(zip(_PLAIN, _plain(message), strict=True))
    return RequestLine(**plain, created_at=message.created_at.ToDatetime(UTC), tags=dict(message.tags))
