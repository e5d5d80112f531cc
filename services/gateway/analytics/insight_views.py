"""Patterns, anomalies and recommendations as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from services.gateway.analytics.views import rfc3339
from services.gateway.clients.usage_insights.values import Finding, Incident, Recommendation, Saving
from services.gateway.edge.money import money


def finding_body(finding: Finding) -> dict[str, Any]:
    """Return a finding."""
    return {
        "pattern": finding.pattern,
        "subject": finding.subject or None,
        "text": finding.texts,
        "evidence": finding.evidence,
        "query": finding.query,
        "saving": _saving(finding.saving) if finding.saving else None,
    }


def _saving(saving: Saving) -> dict[str, Any]:
    return {
        **money("min", saving.min_micro_rub),
        **money("max", saving.max_micro_rub),
        "confidence": saving.confidence,
    }


def anomaly_body(incident: Incident) -> dict[str, Any]:
    """Return an anomaly; nothing is its cause where nothing is known."""
    cause = {
        "dimension": incident.cause_dimension,
        "value": incident.cause_value,
        **money("expected", incident.cause_expected_micro_rub),
        **money("actual", incident.cause_actual_micro_rub),
    }
    return {
        "object": "usage.anomaly",
        "id": incident.id,
        "grain": incident.grain,
        "begins_at": rfc3339(incident.begins_at),
        "ends_at": rfc3339(incident.ends_at),
        **money("expected", incident.expected_micro_rub),
        **money("actual", incident.actual_micro_rub),
        "cause": cause if incident.cause_dimension else None,
        "feedback": incident.feedback or None,
        "found_at": rfc3339(incident.found_at),
        "text": incident.texts,
    }


def recommendation_body(advice: Recommendation) -> dict[str, Any]:
    """Return a piece of advice."""
    saved = advice.realised_micro_rub
    realised = {"realised_rub": None, "realised_micro_rub": None} if saved is None else money("realised", saved)
    return {
        "object": "usage.recommendation",
        "id": advice.id,
        **finding_body(advice.finding),
        "state": advice.state,
        "reason": advice.reason or None,
        "first_seen": rfc3339(advice.first_seen),
        "last_seen": rfc3339(advice.last_seen),
        "decided_at": _moment_if(advice.decided_at),
        **realised,
        "realised_at": _moment_if(advice.realised_at),
    }


def _moment_if(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
