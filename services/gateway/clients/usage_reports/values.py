"""Reports and schedules, in the words of the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ReportWishes:
    """What a report is to be, in the words of the API."""

    format: str
    report: str
    tz: str
    lang: str
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    csv_separator: str = ","
    csv_decimal_comma: bool = False
    csv_byte_order_mark: bool = False
    csv_titles: bool = False
    key_names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReportLink:
    """Opens one report without a credential until it expires (Unix seconds)."""

    expires: int
    signature: str


@dataclass(frozen=True, slots=True)
class ReportView:
    """A report; `link` is there when it is done, `schedule_id` is empty when its owner ordered it."""

    id: str
    wishes: ReportWishes
    since: datetime
    until: datetime
    status: str
    progress: float
    rows: int
    error: str
    size_bytes: int
    sha256: bytes
    file_name: str
    schedule_id: str
    snapshot_at: datetime | None
    created_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    link: ReportLink | None


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When a schedule's reports come: `at` (09:00) of the clock in the zone of the report; `paused`: none does."""

    every: str
    at: str
    when_empty: str
    paused: bool = False


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """A schedule. `maker` is what it ends with; "": its owner made it."""

    id: str
    wishes: ReportWishes
    rhythm: Rhythm
    next_at: datetime | None
    created_at: datetime | None
    maker: str = ""


@dataclass(frozen=True, slots=True)
class ReportContent:
    """A report and its bytes, which are read while they are sent."""

    report: ReportView
    pieces: AsyncIterator[bytes]
