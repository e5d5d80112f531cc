"""The table of all patterns: the function that finds each, and whether its result can be kept for a day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from services.usage.insights.domain.expiry_patterns import deprecated, idle_key, limit_eta
from services.usage.insights.domain.faults import error_hotspot, max_tokens_waste, oversize_ctx, retry_storm
from services.usage.insights.domain.finding import Found, Pattern
from services.usage.insights.domain.material import Material
from services.usage.insights.domain.mix import driver_split, io_ratio, mix_shift
from services.usage.insights.domain.provider_gap import provider_gap
from services.usage.insights.domain.spending import cacheable, cheaper_model
from services.usage.insights.domain.time_patterns import burstiness, peak_hours, weekday_profile

Finds: TypeAlias = Callable[[Material], Iterable[Found]]


def anomaly(material: Material) -> Iterator[Found]:
    """Show the incidents."""
    return (incident.as_finding() for incident in material.incidents)


# From rows and rollups alone; raw scans are among them, so they are looked for once a day.
FROM_ROWS: Final[Mapping[Pattern, Finds]] = {
    Pattern.BURSTINESS: burstiness,
    Pattern.MIX_SHIFT: mix_shift,
    Pattern.DRIVER_SPLIT: driver_split,
    Pattern.IO_RATIO: io_ratio,
    Pattern.ERROR_HOTSPOT: error_hotspot,
    Pattern.CACHEABLE: cacheable,
    Pattern.CHEAPER_MODEL: cheaper_model,
    Pattern.DEPRECATED: deprecated,
    Pattern.OVERSIZE_CTX: oversize_ctx,
    Pattern.MAX_TOKENS_WASTE: max_tokens_waste,
    Pattern.RETRY_STORM: retry_storm,
    Pattern.PROVIDER_GAP: provider_gap,
}
# With what is known when somebody asks: their time zone, keys, limits, and incidents.
WHEN_ASKED: Final[Mapping[Pattern, Finds]] = {
    Pattern.PEAK_HOURS: peak_hours,
    Pattern.WEEKDAY_PROFILE: weekday_profile,
    Pattern.IDLE_KEY: idle_key,
    Pattern.LIMIT_ETA: limit_eta,
    Pattern.ANOMALY: anomaly,
}


def look_for(patterns: Mapping[Pattern, Finds], material: Material) -> tuple[Found, ...]:
    """Return everything that these patterns find, in their order."""
    return tuple([finding for finds in patterns.values() for finding in finds(material)])
