"""What is measured of probes. Only the gateway that asks has the gauges, so that nobody tells what is long past."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

VERSION: Final = ["provider", "model"]

PROBES: Final = Counter(
    "razvilka_gateway_probes_total",
    "Probes: answered, failed (as users would have felt), refused (their own key, budget or limits: nobody was asked).",
    [*VERSION, "outcome"],
)
ANSWERED: Final = Gauge("razvilka_gateway_probe_answered", "Whether the last probe was answered: 1 or 0.", VERSION)
FIRST_TOKEN: Final = Gauge(
    "razvilka_gateway_probe_first_token_seconds", "Seconds until the first token of the last probe.", VERSION
)
DURATION: Final = Gauge("razvilka_gateway_probe_seconds", "Seconds until the end of the last probe.", VERSION)
_LAST: Final = (ANSWERED, FIRST_TOKEN, DURATION)


def forget() -> None:
    """Tell nothing of the last probes any more: another gateway asks now."""
    for gauge in _LAST:
        gauge.clear()


def forget_version(provider: str, model: str) -> None:
    """Tell nothing of a version: nobody knows how it is."""
    for gauge in _LAST:
        gauge.remove(provider, model)
