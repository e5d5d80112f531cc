"""Validates records against the bounds of their columns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.usage.domain.record import ATTEMPT_BOUNDS, COLUMNS, EPOCH, MAX_TEXT, UsageRecord, id_time_ms

_UUID7: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}").fullmatch

Problem = tuple[str, str]
"""The field, and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that can never be stored, and why."""

    request_id: str
    field: str
    message: str


def check(record: UsageRecord, *, now: datetime) -> Rejected | None:
    """Return why `record` can never be stored, or None when it can."""
    problem = (
        _bad_id(record)
        or _from_the_future(record, now)
        or _missing(record)
        or _bad_number(record)
        or _bad_text(record)
        or _bad_list(record)
        or _bad_map(record)
        or _bad_bytes(record)
    )
    return Rejected(record.request_id[:MAX_TEXT], *problem) if problem else None


_IDS: Final = tuple([column.name for column in COLUMNS if column.bounds.uuid_v7])
_AHEAD: Final = [(column.name, days) for column in COLUMNS if (days := column.bounds.max_days_ahead) is not None]
_NEEDED: Final = tuple([column.name for column in COLUMNS if column.bounds.required])
_NUMBERS: Final = [(column.name, most) for column in COLUMNS if (most := column.bounds.max_value) is not None]
_MAPS: Final = [column for column in COLUMNS if column.bounds.max_name_length is not None]
_TEXTS: Final = [
    (column.name, most) for column in COLUMNS if (most := column.bounds.max_length) is not None and column not in _MAPS
]
_LISTS: Final = [(column.name, most) for column in COLUMNS if (most := column.bounds.max_items) is not None]
_BYTES: Final = [(column.name, most) for column in COLUMNS if (most := column.bounds.max_bytes) is not None]
_ATTEMPT_TEXTS: Final = [
    (name, most) for name, bounds in ATTEMPT_BOUNDS.items() if (most := bounds.max_length) is not None
]


def _bad_id(record: UsageRecord) -> Problem | None:
    for name in _IDS:
        if _UUID7(getattr(record, name)) is None:
            return name, "is not a UUIDv7"
    return None


def _from_the_future(record: UsageRecord, now: datetime) -> Problem | None:
    for name, days in _AHEAD:
        value = getattr(record, name)
        if isinstance(value, str):
            if id_time_ms(value) > (now + timedelta(days=days) - EPOCH) / timedelta(milliseconds=1):
                return name, f"holds a time more than {days} days ahead"
        elif value is not None and value > now + timedelta(days=days):
            return name, f"is more than {days} days ahead"
        elif value is not None and value < EPOCH:
            return name, "is before 1970"
    return None


def _missing(record: UsageRecord) -> Problem | None:
    for name in _NEEDED:
        value = getattr(record, name)
        if not value:
            return name, "is missing or unknown" if value is None else "is missing"
    return None


def _bad_number(record: UsageRecord) -> Problem | None:
    for name, most in _NUMBERS:
        if not 0 <= getattr(record, name) <= most:
            return name, f"is not within 0 and {most}"
    return None


def _bad_text(record: UsageRecord) -> Problem | None:
    for name, most in _TEXTS:
        problem = _text_problem(getattr(record, name), most)
        if problem:
            return name, problem
    return None


def _bad_list(record: UsageRecord) -> Problem | None:
    for name, most in _LISTS:
        if len(getattr(record, name)) > most:
            return name, f"has more than {most} entries"
    for attempt in record.attempts:
        for name, most in _ATTEMPT_TEXTS:
            problem = _text_problem(getattr(attempt, name), most)
            if problem:
                return "attempts", problem
    return None


def _bad_map(record: UsageRecord) -> Problem | None:
    for column in _MAPS:
        bounds = column.bounds
        for name, value in getattr(record, column.name).items():
            problem = _text_problem(name, bounds.max_name_length or 0) or _text_problem(value, bounds.max_length or 0)
            if problem:
                return column.name, problem
    return None


def _bad_bytes(record: UsageRecord) -> Problem | None:
    for name, most in _BYTES:
        if len(getattr(record, name)) > most:
            return name, f"is longer than {most} bytes"
    return None


def _text_problem(text: str, most: int) -> str | None:
    if len(text) > most:
        return f"is longer than {most} characters"
    # PostgreSQL stores every character but this one.
    return "contains a NUL character" if "\0" in text else None
