"""A small statistics service behind real gRPC: it keeps what it is asked and answers what a test tells it."""

from __future__ import annotations

from typing import Any

from razvilka.usage.v1 import statistics_pb2 as pb
from razvilka.usage.v1 import statistics_pb2_grpc

from servicekit.errors import ServiceError
from services.gateway.tests.identity_backends import shown_context


class FakeStatistics(statistics_pb2_grpc.StatisticsServiceServicer):
    """Answers `stats`, and pages of `lines` in the order in which they stand."""

    def __init__(self) -> None:
        self.stats = pb.DetailedStats()
        self.stats.previous.SetInParent()
        self.health = pb.GetPlatformHealthResponse()
        self.lines: list[pb.RequestLine] = []
        self.asked: list[Any] = []
        self.shown: list[bytes] = []
        self.failure: ServiceError | None = None

    async def GetStats(self, request: Any, context: Any) -> pb.GetStatsResponse:
        self._note(request, context)
        return pb.GetStatsResponse(stats=self._answer(request.question))

    async def GetStatsOfOthers(self, request: Any, context: Any) -> pb.GetStatsOfOthersResponse:
        self._note(request, context)
        return pb.GetStatsOfOthersResponse(stats=self._answer(request.question))

    async def ListRequests(self, request: Any, context: Any) -> pb.ListRequestsResponse:
        self._note(request, context)
        return pb.ListRequestsResponse(lines=self._page(request.question))

    async def ListRequestsOfOthers(self, request: Any, context: Any) -> pb.ListRequestsOfOthersResponse:
        self._note(request, context)
        return pb.ListRequestsOfOthersResponse(lines=self._page(request.question))

    async def GetPlatformHealth(self, request: Any, context: Any) -> pb.GetPlatformHealthResponse:
        self._note(request, context)
        return self.health

    def _note(self, request: Any, context: Any) -> None:
        self.asked.append(request)
        self.shown.append(shown_context(context))
        if self.failure is not None:
            raise self.failure

    def _answer(self, question: pb.StatsQuestion) -> pb.DetailedStats:
        """Return `stats`; as the service does, without durations where nobody asked for them."""
        told = pb.DetailedStats()
        told.CopyFrom(self.stats)
        for figures in [] if question.quantiles else [told.total, *[row.figures for row in told.rows]]:
            figures.ClearField("latency")
            figures.ClearField("first_token")
        return told

    def _page(self, question: pb.RequestsQuestion) -> list[pb.RequestLine]:
        ids = [line.request_id for line in self.lines]
        start = ids.index(question.after_request_id) + 1 if question.after_request_id else 0
        return self.lines[start : start + question.limit]
