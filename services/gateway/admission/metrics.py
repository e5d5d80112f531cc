"""What admission counts. Children are bound once: a label lookup costs more than the increment."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from services.gateway.admission.caps import CapMode
from services.gateway.admission.dimensions import Dimension
from services.gateway.admission.request import ReachedCap

_HIT = Counter("razvilka_gateway_limits_hit_total", "Requests refused, by the limit that was hit.", ["dimension"])
_HIT_OF = {dimension: _HIT.labels(dimension.value) for dimension in Dimension}
_SHADOWED = Counter(
    "razvilka_gateway_limits_shadowed_total",
    "Admitted requests that a limit which only watches would have refused.",
    ["dimension"],
)
_SHADOWED_BY = {dimension: _SHADOWED.labels(dimension.value) for dimension in Dimension}
SOFT_REACHED = Counter(
    "razvilka_gateway_soft_budgets_exceeded_total", "Admitted requests beyond a budget that does not refuse."
)
WAITING = Gauge("razvilka_gateway_budget_waiting", "Requests that wait for room in a budget.")
_WAITED = Counter(
    "razvilka_gateway_budget_waits_total",
    "Requests that waited for room in a budget until others of it were settled, by how that ended.",
    ["outcome"],
)
_WAITED_WELL, _WAITED_IN_VAIN = _WAITED.labels("admitted"), _WAITED.labels("refused")
DEGRADED = Gauge("razvilka_gateway_limits_degraded", "1 while Redis is lost and limits are enforced locally.")
DEGRADED_REQUESTS = Counter(
    "razvilka_gateway_limits_degraded_requests_total", "Requests decided by local limits because Redis was lost."
)
ADMIT_SECONDS = Histogram(
    "razvilka_gateway_admission_seconds",
    "Time to decide whether a request may pass.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25),
)
LATE_SETTLES = Gauge("razvilka_gateway_admission_late_settles", "Settles that wait for Redis to come back.")
LOST_SETTLES = Counter(
    "razvilka_gateway_admission_lost_settles_total",
    "Settles given up because too many waited; the reaper repairs them.",
)
REBUILT = Counter("razvilka_gateway_budget_rebuilt_total", "Budget counters rebuilt from stored usage.")
RECOUNTED = Counter(
    "razvilka_gateway_budget_recounted_total",
    "Rebuilt budget counters raised by rows that were still on their way when they were rebuilt.",
)
RECONCILED = Counter(
    "razvilka_gateway_budget_reconciled_total",
    "Budget counters at rest that differed from stored usage and were corrected.",
)
RESTORED = Counter(
    "razvilka_gateway_holds_restored_total", "Holds of running requests written again after Redis lost them."
)


def count_refusal(violated: Dimension | None, *, waited: bool) -> None:
    """Count a request that was refused in the end, by the limit that it hit."""
    if violated is not None:
        _HIT_OF[violated].inc()
    if waited:
        _WAITED_IN_VAIN.inc()


def count_told(reached: Iterable[ReachedCap]) -> None:
    """Count the soft and watching caps that an admitted request ran into."""
    for cap in reached:
        (_SHADOWED_BY[cap.dimension] if cap.mode is CapMode.SHADOW else SOFT_REACHED).inc()


def count_wait(*, waited: bool) -> None:
    """Count a request that was admitted, if it had to wait."""
    if waited:
        _WAITED_WELL.inc()
