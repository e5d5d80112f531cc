"""Invariants between rows and rollups, and how a breach is reported."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Invariant(StrEnum):
    """Names are metric labels: a closed set."""

    EACH_ID_ONCE = "each_id_once"
    ID_TIME_IS_CREATED_AT = "id_time_is_created_at"
    ROWS_EQUAL_DAYS = "rows_equal_days"
    ROWS_EQUAL_USER_HOURS = "rows_equal_user_hours"
    ROWS_EQUAL_USER_DAYS = "rows_equal_user_days"
    ROWS_EQUAL_PLATFORM_HOURS = "rows_equal_platform_hours"
    ROWS_EQUAL_PLATFORM_DAYS = "rows_equal_platform_days"
    ROWS_EQUAL_MODEL_DAYS = "rows_equal_model_days"
    ROWS_EQUAL_KEY_DAYS = "rows_equal_key_days"
    DAYS_EQUAL_KEY_WEEKS = "days_equal_key_weeks"
    ROWS_EQUAL_TAGS = "rows_equal_tags"
    ROWS_EQUAL_LATENCY = "rows_equal_latency"


@dataclass(frozen=True, slots=True)
class Broken:
    """One place where an invariant is broken."""

    invariant: Invariant
    detail: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found. `broken` has a few examples of each; `counts` has how many there are."""

    broken: tuple[Broken, ...]
    counts: dict[Invariant, int]
    rows_checked: int
