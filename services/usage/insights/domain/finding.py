"""A finding: a pattern in somebody's usage, with its figures and a query that shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.usage.insights.domain.texts import TEXTS
from services.usage.insights.domain.values import LOCALES, Locale, Raw, Value


class Pattern(StrEnum):
    """The kinds of patterns. Values are stable: clients see them."""

    PEAK_HOURS = "peak_hours"
    WEEKDAY_PROFILE = "weekday_profile"
    BURSTINESS = "burstiness"
    MIX_SHIFT = "mix_shift"
    DRIVER_SPLIT = "driver_split"
    IO_RATIO = "io_ratio"
    ERROR_HOTSPOT = "error_hotspot"
    CACHEABLE = "cacheable"
    CHEAPER_MODEL = "cheaper_model"
    DEPRECATED = "deprecated"
    OVERSIZE_CTX = "oversize_ctx"
    MAX_TOKENS_WASTE = "max_tokens_waste"
    IDLE_KEY = "idle_key"
    RETRY_STORM = "retry_storm"
    LIMIT_ETA = "limit_eta"
    PROVIDER_GAP = "provider_gap"
    ANOMALY = "anomaly"


@dataclass(frozen=True, slots=True)
class Saving:
    """The monthly saving of a recommendation in micro-roubles, and its certainty (0 to 1)."""

    min_micro_rub: int
    max_micro_rub: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Found:
    """A finding as it is stored and shown.

    Attributes:
        subject: the model, key or name that it is about; empty: the whole usage.
        texts: by language.
        evidence: its figures by name; money is in micro-roubles, shares are parts of one.
        query: parameters of `GET /v1/usage/timeseries` that show the figures.
    """

    pattern: Pattern
    subject: str
    texts: Mapping[Locale, str]
    evidence: Mapping[str, Raw]
    query: Mapping[str, str]
    saving: Saving | None = None


def found(
    pattern: Pattern,
    subject: str,
    values: Mapping[str, Value],
    query: Mapping[str, str],
    *,
    saving: Saving | None = None,
    wording: str = "",
) -> Found:
    """Return a finding, put into words; `wording` names the text where the pattern has several."""
    return Found(
        pattern,
        subject,
        {locale: _text(wording or pattern.value, values, locale) for locale in LOCALES},
        {name: value.raw for name, value in values.items()},
        query,
        saving,
    )


def _text(wording: str, values: Mapping[str, Value], locale: Locale) -> str:
    return TEXTS[wording][locale].format(nbsp="\u00a0", **{name: value.text(locale) for name, value in values.items()})


@dataclass(frozen=True, slots=True)
class UsagePatterns:
    """The findings in a user's usage, as of a moment."""

    user_id: str
    analysed_at: datetime
    zone: str
    findings: tuple[Found, ...]
