"""What a subject spent: whose requests count, and from when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from servicekit.errors import ErrorReason, InvalidRequest

# No row is older, and the day after the latest moment must still be a date.
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Subject:
    """One user, or one of this user's keys or grants; an empty key or grant does not narrow."""

    user_id: str
    key_id: str = ""
    grant_id: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """Everything since a moment: the rest of its day, to be summed from rows, then whole UTC days."""

    rows_from: datetime
    first_whole_day: date

    @property
    def rows_until(self) -> datetime:
        """Return the start of the first whole day."""
        return start_of(self.first_whole_day)


@dataclass(frozen=True, slots=True)
class Spend:
    """Sums over requests."""

    cost_micro_rub: int
    requests: int
    tokens_input: int
    tokens_output: int


def start_of(day: date) -> datetime:
    """Return the UTC midnight at which `day` begins."""
    return datetime.combine(day, time(), UTC)


def parse_subject(user_id: str, subject: str) -> Subject:
    """Return whose spending `subject` ("user:…", "key:…" or "grant:…") of `user_id` means.

    Raises:
        InvalidRequest: the user is missing, the subject is of no known kind or names another user.
    """
    kind, _, name = subject.replace("\0", "").partition(":")
    if not user_id or "\0" in user_id:
        raise InvalidRequest(ErrorReason.INVALID_PARAMETERS, "user_id is missing or malformed.", param="user_id")
    if kind == "user" and name == user_id:
        return Subject(user_id)
    if kind == "key" and name:
        return Subject(user_id, key_id=name)
    if kind == "grant" and name:
        return Subject(user_id, grant_id=name)
    raise InvalidRequest(
        ErrorReason.INVALID_PARAMETERS,
        "subject must be user:<user_id>, key:<id> or grant:<id>.",
        param="subject",
    )


def span_since(since: datetime | None) -> Span:
    """Return the span that begins at `since`; None is the beginning of time."""
    begin = min(max(since or _EARLIEST, _EARLIEST), _LATEST)
    day = begin.date()
    return Span(begin, day if begin == start_of(day) else day + timedelta(days=1))
