"""Findings, incidents and advice as messages, and back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from google.protobuf.message import Message
from razvilka.usage.v1 import insights_pb2 as pb

from servicekit.timestamps import nearest_from_proto
from services.usage.insights.domain.advice import Recommendation, State
from services.usage.insights.domain.finding import Found
from services.usage.insights.domain.incident import Feedback, Grain, Incident
from services.usage.insights.domain.material import KeyUse, LimitUse
from services.usage.insights.domain.values import Locale, Raw
from services.usage.rpc_values import moment_if_set

GRAIN_TO_PROTO: Final = {Grain.DAY: pb.GRAIN_DAY, Grain.HOUR: pb.GRAIN_HOUR}
FEEDBACK_TO_PROTO: Final = {
    Feedback.NONE: pb.FEEDBACK_UNSPECIFIED,
    Feedback.EXPECTED: pb.FEEDBACK_EXPECTED,
    Feedback.UNEXPECTED: pb.FEEDBACK_UNEXPECTED,
}
FEEDBACK_FROM_PROTO: Final = {number: feedback for feedback, number in FEEDBACK_TO_PROTO.items()}
STATE_TO_PROTO: Final = {
    State.NEW: pb.ADVICE_STATE_NEW,
    State.ACCEPTED: pb.ADVICE_STATE_ACCEPTED,
    State.DISMISSED: pb.ADVICE_STATE_DISMISSED,
    State.DONE: pb.ADVICE_STATE_DONE,
}
STATE_FROM_PROTO: Final = {number: state for state, number in STATE_TO_PROTO.items()}


def key_from_proto(message: pb.KeyUse) -> KeyUse:
    """Return what the gateway knows of a key."""
    return KeyUse(
        message.key_id, message.name, nearest_from_proto(message.created_at), moment_if_set(message, "last_used_at")
    )


def limit_from_proto(message: pb.LimitUse) -> LimitUse:
    """Return what the gateway knows of a limit."""
    return LimitUse(message.name, message.limit_micro_rub, message.spent_micro_rub, nearest_from_proto(message.ends_at))


def finding_to_proto(found: Found) -> pb.Finding:
    """Return a finding as a message."""
    message = pb.Finding(
        pattern=found.pattern.value,
        subject=found.subject,
        text=_text(found.texts),
        evidence=[_figure(name, value) for name, value in found.evidence.items()],
        query=found.query,
    )
    if found.saving is not None:
        saving = found.saving
        message.saving.CopyFrom(pb.Saving(min_micro_rub=saving.min_micro_rub, max_micro_rub=saving.max_micro_rub))
        message.saving.confidence = saving.confidence
    return message


def _text(texts: Mapping[Locale, str]) -> pb.Text:
    return pb.Text(ru=texts["ru"], en=texts["en"])


def _figure(name: str, value: Raw) -> pb.Figure:
    if isinstance(value, int):
        return pb.Figure(name=name, integer=value)
    return pb.Figure(name=name, number=value) if isinstance(value, float) else pb.Figure(name=name, text=value)


def incident_to_proto(incident: Incident) -> pb.Incident:
    """Return an incident as a message."""
    cause = incident.cause
    message = pb.Incident(
        id=incident.id,
        grain=GRAIN_TO_PROTO[incident.grain],
        expected_micro_rub=incident.expected_micro_rub,
        actual_micro_rub=incident.actual_micro_rub,
        cause_dimension=cause.dimension,
        cause_value=cause.value,
        cause_expected_micro_rub=cause.expected_micro_rub,
        cause_actual_micro_rub=cause.actual_micro_rub,
        feedback=FEEDBACK_TO_PROTO[incident.feedback],
        text=_text(incident.as_finding().texts),
    )
    _set_moments(message, begins_at=incident.begins_at, ends_at=incident.ends_at, found_at=incident.found_at)
    return message


def recommendation_to_proto(advice: Recommendation) -> pb.Recommendation:
    """Return a piece of advice as a message."""
    message = pb.Recommendation(
        id=advice.id,
        finding=finding_to_proto(advice.found),
        state=STATE_TO_PROTO[advice.state],
        reason=advice.reason,
        realised_micro_rub=advice.realised_micro_rub,
    )
    _set_moments(message, first_seen=advice.first_seen, last_seen=advice.last_seen)
    _set_moments(message, decided_at=advice.decided_at, realised_at=advice.realised_at)
    return message


def _set_moments(message: Message, **moments: datetime | None) -> None:
    for field, moment in moments.items():
        if moment is not None:
            getattr(message, field).FromDatetime(moment)
