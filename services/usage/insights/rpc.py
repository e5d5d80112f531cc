"""Insights on the wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import grpc
from razvilka.usage.v1 import insights_pb2 as pb
from razvilka.usage.v1 import insights_pb2_grpc as pb_grpc

from servicekit.timestamps import nearest_from_proto
from services.usage.insights.analysis import Asked, check_zone
from services.usage.insights.assembly import Insights
from services.usage.insights.domain.advice import State
from services.usage.insights.domain.finding import UsagePatterns
from services.usage.insights.domain.incident import check_feedback
from services.usage.insights.rpc_messages import (
    FEEDBACK_FROM_PROTO,
    STATE_FROM_PROTO,
    finding_to_proto,
    incident_to_proto,
    key_from_proto,
    limit_from_proto,
    recommendation_to_proto,
)

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
OPEN: Final = (State.NEW, State.ACCEPTED)


class InsightsServicer(pb_grpc.InsightsServiceServicer):
    """Answers about the user in whose name the call is made."""

    def __init__(self, insights: Insights, analyze: Callable[[str, Asked], Awaitable[UsagePatterns]]) -> None:
        self._insights = insights
        self._analyze = analyze

    async def GetPatterns(self, request: pb.GetPatternsRequest, context: Context) -> pb.GetPatternsResponse:
        """Return what shows in the usage."""
        asked = Asked(
            check_zone(request.zone),
            tuple(map(key_from_proto, request.keys)),
            tuple(map(limit_from_proto, request.limits)),
        )
        patterns = await self._analyze(request.user_id, asked)
        answer = pb.GetPatternsResponse(findings=map(finding_to_proto, patterns.findings))
        answer.analysed_at.FromDatetime(patterns.analysed_at)
        return answer

    async def ListIncidents(self, request: pb.ListIncidentsRequest, context: Context) -> pb.ListIncidentsResponse:
        """Return the incidents that touch a span."""
        since, until = nearest_from_proto(request.since), nearest_from_proto(request.until)
        found = await self._insights.anomalies.list_of(request.user_id, since, until, request.limit)
        return pb.ListIncidentsResponse(incidents=map(incident_to_proto, found))

    async def GiveFeedback(self, request: pb.GiveFeedbackRequest, context: Context) -> pb.GiveFeedbackResponse:
        """Keep what the user says of an incident."""
        feedback = check_feedback(FEEDBACK_FROM_PROTO.get(request.feedback))
        incident = await self._insights.anomalies.say(request.user_id, request.incident_id, feedback)
        return pb.GiveFeedbackResponse(incident=incident_to_proto(incident))

    async def ListRecommendations(
        self, request: pb.ListRecommendationsRequest, context: Context
    ) -> pb.ListRecommendationsResponse:
        """Return advice; what is known of keys is looked at first."""
        asked = Asked(keys=tuple(map(key_from_proto, request.keys)))
        await self._analyze(request.user_id, asked)
        states = [STATE_FROM_PROTO[state] for state in request.states if state in STATE_FROM_PROTO] or OPEN
        found = await self._insights.recommending.list_of(request.user_id, states)
        return pb.ListRecommendationsResponse(recommendations=map(recommendation_to_proto, found))

    async def DecideRecommendation(
        self, request: pb.DecideRecommendationRequest, context: Context
    ) -> pb.DecideRecommendationResponse:
        """Keep what the user decides."""
        decided = await self._insights.recommending.decide(
            request.user_id, request.recommendation_id, STATE_FROM_PROTO.get(request.state), request.reason
        )
        return pb.DecideRecommendationResponse(recommendation=recommendation_to_proto(decided))
