"""A small forecast service behind real gRPC: it keeps what it is asked and answers what a test tells it."""

from __future__ import annotations

from typing import Any

from razvilka.usage.v1 import forecasts_pb2 as pb
from razvilka.usage.v1 import forecasts_pb2_grpc

from services.gateway.tests.identity_backends import shown_context


class FakeForecasts(forecasts_pb2_grpc.ForecastServiceServicer):
    """Answers `answer`."""

    def __init__(self) -> None:
        self.answer = pb.GetForecastResponse()
        self.asked: list[pb.GetForecastRequest] = []
        self.shown: list[bytes] = []

    async def GetForecast(self, request: pb.GetForecastRequest, context: Any) -> pb.GetForecastResponse:
        self.asked.append(request)
        self.shown.append(shown_context(context))
        return self.answer
