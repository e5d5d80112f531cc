"""Whose requests a question means, and which days and rows it is answered from."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.errors import ErrorReason, InvalidRequest
from services.usage.domain.spend import Span, Subject, parse_subject, span_of, start_of

UNKNOWN_KIND = "subject must be user:<user_id>, key:<id>, grant:<id> or unkeyed:<user_id>."
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("subject", "meant"),
    [
        ("user:u", Subject("u")),
        ("key:k", Subject("u", key_id="k")),
        ("key:k:1", Subject("u", key_id="k:1")),
        ("grant:g", Subject("u", grant_id="g")),
        ("key:\0k", Subject("u", key_id="k")),
        ("unkeyed:u", Subject("u", is_unkeyed=True)),
    ],
)
def test_a_subject_is_the_user_or_narrower(subject: str, meant: Subject) -> None:
    """A key and a grant are always those of the user who asks."""
    assert parse_subject("u", subject) == meant


@pytest.mark.parametrize(
    "subject", ["", "u", "user", "user:", "user:v", "key:", "key", "grant:", "grant", "unkeyed:v", "team:t"]
)
def test_what_is_no_subject_of_the_user_is_named(subject: str) -> None:
    """Another user's, a kind without a name, and a kind that nobody knows: the field and what it should be."""
    with pytest.raises(InvalidRequest) as refused:
        parse_subject("u", subject)

    assert (refused.value.reason, refused.value.param) == (ErrorReason.INVALID_PARAMETERS, "subject")
    assert refused.value.message == UNKNOWN_KIND


@pytest.mark.parametrize("user_id", ["", "u\0", "\0"])
def test_a_user_that_cannot_be_stored_is_named(user_id: str) -> None:
    """PostgreSQL would fail over the character; the answer says which field is wrong."""
    with pytest.raises(InvalidRequest) as refused:
        parse_subject(user_id, "key:k")

    assert (refused.value.reason, refused.value.param) == (ErrorReason.INVALID_PARAMETERS, "user_id")
    assert refused.value.message == "user_id is missing or malformed."


def test_a_day_begins_at_midnight_utc() -> None:
    """An aware moment, so that it compares with what rows have."""
    assert start_of(date(2026, 11, 23)) == datetime(2026, 11, 23, tzinfo=UTC)


def test_a_span_is_the_rest_of_its_first_day_and_whole_days() -> None:
    """Both ends within a day: rows until the first midnight, days until the one after the end."""
    since, until = datetime(2026, 11, 21, 7, 30, tzinfo=UTC), datetime(2026, 11, 23, 1, tzinfo=UTC)

    span = span_of(since, until)

    assert span == Span(since, date(2026, 11, 22), until, date(2026, 11, 24))
    assert (span.rows_until, span.last_day_ends) == (start_of(date(2026, 11, 22)), start_of(date(2026, 11, 24)))


def test_a_span_between_midnights_needs_no_rows() -> None:
    """Its days are whole."""
    since, until = datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)

    assert span_of(since, until) == Span(since, date(2026, 11, 21), until, date(2026, 11, 23))


def test_a_span_without_ends_is_the_calendar() -> None:
    """No row is older than 1970, and there is a day after the last one."""
    first, last = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)

    assert span_of(None) == span_of(None, None) == Span(first, first.date(), last, last.date())


@given(MOMENTS, MOMENTS)
def test_a_span_covers_what_is_between_its_ends_and_nothing_before(since: datetime, until: datetime) -> None:
    """Rows, then days, without a gap; an end before the beginning makes an empty span."""
    span = span_of(since, until)

    assert (span.rows_from, span.ends_at) == (since, max(since, until))
    assert timedelta(0) <= span.rows_until - since < timedelta(days=1)
    assert timedelta(0) <= span.last_day_ends - span.ends_at < timedelta(days=1)
    assert span.rows_until <= span.last_day_ends
