"""Which part of the requests was answered: of each model version, over a span and in each of its bars."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.gateway.availability.spans import Span
from services.gateway.clients.usage_statistics.values import Ending, PlatformHealth, Quantiles
from services.gateway.edge.cancellation import SHUTDOWN
from services.gateway.edge.problems import RENDERING

# What users feel as an outage. What is wrong with a request itself, and leaving early, is none.
OURS: Final = frozenset(
    {SHUTDOWN, *[reason.value.lower() for reason, rendering in RENDERING.items() if rendering.status >= 500]}
)

ALMOST_ALL: Final = 0.9999
UNMEASURED: Final = Quantiles(None, None, None)


@dataclass(frozen=True, slots=True)
class VersionShares:
    """One version: shares of requests that were answered, None where nobody asked; how soon answers began."""

    availability: float | None
    bars: tuple[float | None, ...]
    first_token: Quantiles


class _Count:
    __slots__ = ("all", "failed")

    def __init__(self) -> None:
        self.all = self.failed = 0

    def add(self, ending: Ending) -> None:
        self.all += ending.requests
        self.failed += ending.requests * (ending.error in OURS)

    @property
    def share(self) -> float | None:
        if not self.all:
            return None
        # Four places, and none that failed is rounded away: a share of 99.99 % is not one of 100.
        share = round(1 - self.failed / self.all, 4)
        return min(share, ALMOST_ALL) if self.failed else share


def shares_of(health: PlatformHealth, span: Span, begins_at: datetime) -> dict[str, VersionShares]:
    """Return the shares of each version that was asked in the span."""
    counts = _counts(health.endings, span, begins_at)
    return {
        version: VersionShares(
            _total(bars.values()),
            tuple([bars[at].share if at in bars else None for at in range(span.bars)]),
            health.first_tokens.get(version, UNMEASURED),
        )
        for version, bars in counts.items()
    }


def _counts(endings: Iterable[Ending], span: Span, begins_at: datetime) -> Mapping[str, dict[int, _Count]]:
    counts: dict[str, dict[int, _Count]] = defaultdict(lambda: defaultdict(_Count))
    for ending in endings:
        counts[ending.version][(ending.starts_at - begins_at) // span.step].add(ending)
    return counts


def _total(bars: Iterable[_Count]) -> float | None:
    total = _Count()
    for bar in bars:
        total.all += bar.all
        total.failed += bar.failed
    return total.share
