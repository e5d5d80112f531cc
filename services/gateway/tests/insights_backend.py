"""A small insights service behind real gRPC: it keeps what it is asked and answers what a test tells it."""

from __future__ import annotations

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.usage.v1 import insights_pb2 as pb
from razvilka.usage.v1 import insights_pb2_grpc

from servicekit.errors import ErrorReason, NotFound
from services.gateway.tests.identity_backends import shown_context

AT = Timestamp(seconds=1_795_435_200)
INCIDENT = "7f1f0b52-5e39-5c7e-9f53-000000000001"
ADVICE = "7f1f0b52-5e39-5c7e-9f53-000000000002"


class FakeInsights(insights_pb2_grpc.InsightsServiceServicer):
    """Has one finding, one incident and one piece of advice."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.shown: list[bytes] = []
        self.finding = pb.Finding(
            pattern="cheaper_model",
            subject="yandexgpt:latest",
            text=pb.Text(ru="Дорого.", en="Dear."),
            evidence=[
                pb.Figure(name="share", number=0.68),
                pb.Figure(name="saving", integer=-4_120_000_000),
                pb.Figure(name="other", text="yandexgpt-lite:latest"),
            ],
            query={"from": "2026-10-27", "group_by": "version"},
            saving=pb.Saving(min_micro_rub=2_060_000_000, max_micro_rub=4_120_000_000, confidence=0.6),
        )
        self.incident = pb.Incident(
            id=INCIDENT,
            grain=pb.GRAIN_DAY,
            begins_at=AT,
            ends_at=Timestamp(seconds=AT.seconds + 86_400),
            expected_micro_rub=300_000_000,
            actual_micro_rub=900_000_001,
            cause_dimension="key",
            cause_value="key-2",
            cause_actual_micro_rub=600_000_000,
            found_at=AT,
            text=pb.Text(ru="Много.", en="Much."),
        )
        self.advice = pb.Recommendation(
            id=ADVICE, finding=self.finding, state=pb.ADVICE_STATE_NEW, first_seen=AT, last_seen=AT
        )

    async def GetPatterns(self, request: Any, context: Any) -> pb.GetPatternsResponse:
        self._note(request, context)
        return pb.GetPatternsResponse(analysed_at=AT, findings=[self.finding, pb.Finding(pattern="peak_hours")])

    async def ListIncidents(self, request: Any, context: Any) -> pb.ListIncidentsResponse:
        self._note(request, context)
        return pb.ListIncidentsResponse(incidents=[self.incident])

    async def GiveFeedback(self, request: Any, context: Any) -> pb.GiveFeedbackResponse:
        self._note(request, context)
        if request.incident_id != INCIDENT:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such anomaly.", param="id")
        self.incident.feedback = request.feedback
        return pb.GiveFeedbackResponse(incident=self.incident)

    async def ListRecommendations(self, request: Any, context: Any) -> pb.ListRecommendationsResponse:
        self._note(request, context)
        return pb.ListRecommendationsResponse(recommendations=[self.advice])

    async def DecideRecommendation(self, request: Any, context: Any) -> pb.DecideRecommendationResponse:
        self._note(request, context)
        self.advice.state, self.advice.reason = request.state, request.reason
        self.advice.decided_at.CopyFrom(AT)
        return pb.DecideRecommendationResponse(recommendation=self.advice)

    def _note(self, request: Any, context: Any) -> None:
        self.asked.append(request)
        self.shown.append(shown_context(context))
