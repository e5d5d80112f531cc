"""The status of a model: from its calls, unless its circuit or an administrator says worse."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.router.circuits.domain.circuit import State
from services.router.circuits.domain.news import CircuitView
from services.router.status.domain.health import DEGRADED, DOWN, UNKNOWN, ModelHealth


def judged(seen: ModelHealth, circuit: CircuitView) -> ModelHealth:
    """Return the health with the status that counts."""
    ruling = _ruling(circuit)
    if ruling is None:
        return seen
    status, reason = ruling
    worse = DOWN if DOWN in (status, seen.status) else status
    return replace(seen, status=worse, reason=reason)


def begun(health: ModelHealth, before: ModelHealth | None, now: datetime) -> ModelHealth:
    """Return the health with the time its status began, given what was known before."""
    if health.status == UNKNOWN:
        return health
    if before is None or before.status != health.status:
        # What has been well since we first looked may have been so for ever.
        return replace(health, since=now)
    return replace(health, since=before.since)


def _ruling(circuit: CircuitView) -> tuple[str, str] | None:
    if circuit.drained:
        return DOWN, "drained"
    if circuit.state is State.OPEN:
        return DOWN, "circuit_open"
    if circuit.state is State.HALF_OPEN:
        return DEGRADED, "circuit_probing"
    if circuit.cooling_until is not None:
        return DEGRADED, "cooling"
    return None
