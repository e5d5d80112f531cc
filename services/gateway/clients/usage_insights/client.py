"""What usage found in a user's rows: patterns, incidents, advice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import grpc
from razvilka.usage.v1 import insights_pb2 as pb
from razvilka.usage.v1 import insights_pb2_grpc

from servicekit.call import CallContext
from servicekit.timestamps import timestamp_to_proto
from services.gateway.clients.account_views import KeyView
from services.gateway.clients.timestamps import moment
from services.gateway.clients.usage_insights.values import Finding, Incident, Limit, Recommendation, Saving
from services.gateway.clients.user_contexts import InWhoseName, UserCalls, of_nobody

# Mostly what was kept is read; somebody's first question is scans of all their rows of four weeks.
DEADLINE_S: Final = 30.0

FEEDBACKS: Final = {"expected": pb.FEEDBACK_EXPECTED, "unexpected": pb.FEEDBACK_UNEXPECTED}
STATES: Final = {
    "new": pb.ADVICE_STATE_NEW,
    "accepted": pb.ADVICE_STATE_ACCEPTED,
    "dismissed": pb.ADVICE_STATE_DISMISSED,
    "done": pb.ADVICE_STATE_DONE,
}
_FEEDBACK_NAMES: Final = {number: name for name, number in FEEDBACKS.items()}
_STATE_NAMES: Final = {number: name for name, number in STATES.items()}
_GRAIN_NAMES: Final = {pb.GRAIN_DAY: "day", pb.GRAIN_HOUR: "hour"}


class InsightsClient:
    """Asks for what was found. `in_whose_name` tells whom it is asked for; keys are those that are active."""

    def __init__(self, channel: grpc.aio.Channel, in_whose_name: InWhoseName = of_nobody) -> None:
        self._ask = UserCalls(in_whose_name, DEADLINE_S)
        self._stub = insights_pb2_grpc.InsightsServiceStub(channel)

    async def patterns(
        self, user_id: str, zone: str, keys: Sequence[KeyView], limits: Sequence[Limit], call: CallContext
    ) -> tuple[datetime, list[Finding]]:
        """Return when rows were looked through last, and what shows.

        Raises:
            InvalidRequest: there is no such time zone.
        """
        request = pb.GetPatternsRequest(
            user_id=user_id, zone=zone, keys=map(_key, keys), limits=[_limit(limit) for limit in limits]
        )
        answer = await self._ask(self._stub.GetPatterns, request, call)
        return answer.analysed_at.ToDatetime(tzinfo=UTC), [_finding(message) for message in answer.findings]

    async def incidents(
        self, user_id: str, since: datetime, until: datetime, limit: int, call: CallContext
    ) -> list[Incident]:
        """Return the incidents that touch a span, the newest first."""
        request = pb.ListIncidentsRequest(
            user_id=user_id, since=timestamp_to_proto(since), until=timestamp_to_proto(until), limit=limit
        )
        answer = await self._ask(self._stub.ListIncidents, request, call)
        return [_incident(message) for message in answer.incidents]

    async def give_feedback(self, user_id: str, incident_id: str, feedback: str, call: CallContext) -> Incident:
        """Say of an incident whether it was `expected` or `unexpected`.

        Raises:
            NotFound: absent, or someone else's.
        """
        request = pb.GiveFeedbackRequest(user_id=user_id, incident_id=incident_id, feedback=FEEDBACKS[feedback])
        return _incident((await self._ask(self._stub.GiveFeedback, request, call)).incident)

    async def recommendations(
        self, user_id: str, states: Sequence[str], keys: Sequence[KeyView], call: CallContext
    ) -> list[Recommendation]:
        """Return advice in these states; of what is new, the five pieces that are worth most."""
        request = pb.ListRecommendationsRequest(
            user_id=user_id, states=[STATES[state] for state in states], keys=map(_key, keys)
        )
        answer = await self._ask(self._stub.ListRecommendations, request, call)
        return [_recommendation(message) for message in answer.recommendations]

    async def decide(
        self, user_id: str, recommendation_id: str, state: str, reason: str, call: CallContext
    ) -> Recommendation:
        """Keep what the user decides.

        Raises:
            NotFound: absent, or someone else's.
            InvalidRequest: dismissed without a reason.
            Conflict: it may not become that any more.
        """
        request = pb.DecideRecommendationRequest(
            user_id=user_id, recommendation_id=recommendation_id, state=STATES[state], reason=reason
        )
        return _recommendation((await self._ask(self._stub.DecideRecommendation, request, call)).recommendation)


def _key(key: KeyView) -> pb.KeyUse:
    return pb.KeyUse(
        key_id=key.id,
        name=key.name,
        created_at=timestamp_to_proto(key.created_at),
        last_used_at=timestamp_to_proto(key.last_used_at),
    )


def _limit(limit: Limit) -> pb.LimitUse:
    return pb.LimitUse(
        name=limit.name,
        limit_micro_rub=limit.limit_micro_rub,
        spent_micro_rub=limit.spent_micro_rub,
        ends_at=timestamp_to_proto(limit.ends_at),
    )


def _finding(message: pb.Finding) -> Finding:
    saving = message.saving if message.HasField("saving") else None
    return Finding(
        message.pattern,
        message.subject,
        _texts(message.text),
        {figure.name: getattr(figure, figure.WhichOneof("value") or "text") for figure in message.evidence},
        dict(message.query),
        Saving(saving.min_micro_rub, saving.max_micro_rub, saving.confidence) if saving else None,
    )


def _texts(text: pb.Text) -> dict[str, str]:
    return {"ru": text.ru, "en": text.en}


def _incident(message: pb.Incident) -> Incident:
    return Incident(
        id=message.id,
        grain=_GRAIN_NAMES.get(message.grain, ""),
        begins_at=message.begins_at.ToDatetime(tzinfo=UTC),
        ends_at=message.ends_at.ToDatetime(tzinfo=UTC),
        expected_micro_rub=message.expected_micro_rub,
        actual_micro_rub=message.actual_micro_rub,
        cause_dimension=message.cause_dimension,
        cause_value=message.cause_value,
        cause_expected_micro_rub=message.cause_expected_micro_rub,
        cause_actual_micro_rub=message.cause_actual_micro_rub,
        feedback=_FEEDBACK_NAMES.get(message.feedback, ""),
        found_at=message.found_at.ToDatetime(tzinfo=UTC),
        texts=_texts(message.text),
    )


def _recommendation(message: pb.Recommendation) -> Recommendation:
    return Recommendation(
        id=message.id,
        finding=_finding(message.finding),
        state=_STATE_NAMES.get(message.state, ""),
        reason=message.reason,
        first_seen=message.first_seen.ToDatetime(tzinfo=UTC),
        last_seen=message.last_seen.ToDatetime(tzinfo=UTC),
        decided_at=moment(message, "decided_at"),
        realised_micro_rub=message.realised_micro_rub if message.HasField("realised_micro_rub") else None,
        realised_at=moment(message, "realised_at"),
    )
