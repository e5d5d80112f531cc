"""Metrics of circuits. Labels come from the catalogue and from closed sets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import Counter, Gauge

STATE: Final = Gauge(
    "razvilka_router_circuit_state",
    "Circuit of a model as this replica sees it: 0 closed, 1 half-open, 2 open; an empty model is the credential.",
    ["provider", "credential", "model"],
)
OPENINGS: Final = Counter(
    "razvilka_router_circuit_openings_total",
    "Circuits that this replica opened, by cause (failures, slow, refused, spent, probe).",
    ["provider", "model", "cause"],
)
SKIPPED: Final = Counter(
    "razvilka_router_skipped_candidates_total",
    "Candidates that were not asked, by reason (SKIPPED_...).",
    ["provider", "model", "reason"],
)
NO_HEALTHY: Final = Counter(
    "razvilka_router_no_healthy_provider_total", "Requests refused at once: no candidate could be asked.", ["model"]
)
LAST_RESORTS: Final = Counter(
    "razvilka_router_last_resorts_total",
    "Calls of a target whose circuit was open: nobody else was left.",
    ["provider", "model"],
)
RETRIES_DENIED: Final = Counter(
    "razvilka_router_retries_denied_total", "Retries that were not made: the provider's budget was spent.", ["provider"]
)
SHARED: Final = Counter(
    "razvilka_router_circuit_news_total",
    "Changes of circuits by direction (sent, heard, read) and outcome (ok, failed).",
    ["direction", "outcome"],
)


def begin(provider: str, model: str, causes: Iterable[str]) -> None:
    """Let the counters of a target be there before they count.

    Of a counter that begins with 1 Prometheus sees no increase, and the first refusal of a credential rings an alarm.
    """
    for cause in causes:
        OPENINGS.labels(provider, model, cause)
    if model:
        NO_HEALTHY.labels(model)


DRAINED: Final = Gauge("razvilka_router_drains", "Drains that an administrator has ordered.")
