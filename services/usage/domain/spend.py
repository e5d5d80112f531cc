"""The spending of a subject: which requests count, and from when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from servicekit.errors import invalid_parameter

# No row is older, and the day after the latest moment must still be a date.
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Subject:
    """One user, or one of this user's keys or grants; an empty key or grant does not narrow.

    `is_unkeyed`: only what names neither, as release 1.0 did.
    """

    user_id: str
    key_id: str = ""
    grant_id: str = ""
    is_unkeyed: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A period, as the rows of its first partial day, plus whole UTC days, less the rows after its end.

    The last day is counted whole and what follows the end is taken off again: of the day that is running, for which
    most questions are asked, that is nothing or a few rows.

    Attributes:
        rows_from: where it begins.
        first_whole_day: the UTC day from which on rollups are summed.
        ends_at: its end, itself excluded.
        first_day_after: the first UTC day of which nothing is in it.
    """

    rows_from: datetime
    first_whole_day: date
    ends_at: datetime
    first_day_after: date

    @property
    def rows_until(self) -> datetime:
        """Return the start of the first whole day."""
        return start_of(self.first_whole_day)

    @property
    def last_day_ends(self) -> datetime:
        """Return the end of the last UTC day that is counted whole."""
        return start_of(self.first_day_after)


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
    """Return whose spending `subject` ("user:…", "key:…", "grant:…" or "unkeyed:…") of `user_id` means.

    Raises:
        InvalidRequest: the user is missing, the subject is of no known kind or names another user.
    """
    kind, _, name = subject.replace("\0", "").partition(":")
    if not user_id or "\0" in user_id:
        raise invalid_parameter("user_id", "user_id is missing or malformed.")
    if kind == "user" and name == user_id:
        return Subject(user_id)
    if kind == "unkeyed" and name == user_id:
        return Subject(user_id, is_unkeyed=True)
    if kind == "key" and name:
        return Subject(user_id, key_id=name)
    if kind == "grant" and name:
        return Subject(user_id, grant_id=name)
    raise invalid_parameter("subject", "subject must be user:<user_id>, key:<id>, grant:<id> or unkeyed:<user_id>.")


def span_of(since: datetime | None, until: datetime | None = None) -> Span:
    """Return the span from `since` (None: the beginning of time) until before `until` (None: the end of time)."""
    begin = min(max(since or _EARLIEST, _EARLIEST), _LATEST)
    end = min(max(until or _LATEST, begin), _LATEST)
    return Span(begin, _first_day_from(begin), end, max(_first_day_from(end), _first_day_from(begin)))


def _first_day_from(moment: datetime) -> date:
    day = moment.date()
    return day if moment == start_of(day) else day + timedelta(days=1)
