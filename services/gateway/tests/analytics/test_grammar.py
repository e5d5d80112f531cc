"""The grammar of questions: what is meant, and what a refusal says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from servicekit.errors import InvalidRequest, PermissionDenied
from services.gateway.analytics.cursor import decode_cursor, encode_cursor
from services.gateway.analytics.grammar import (
    BucketParams,
    period_of,
    question_of,
    whose_of,
)
from services.gateway.clients.caller import Caller
from services.gateway.clients.usage_statistics.values import Period, Whose

# 01:30 in Moscow, still the day before in UTC.
NOW = datetime(2026, 11, 28, 22, 30, tzinfo=UTC)


def caller(*scopes: str) -> Caller:
    return Caller("user-1", "key-1", "laptop", "free", frozenset(scopes), time_zone="Europe/Moscow")


def params(**given: Any) -> BucketParams:
    return BucketParams.model_validate(given)


@pytest.mark.parametrize(
    ("given", "since"),
    [
        ({"period": "today"}, datetime(2026, 11, 28, 21, tzinfo=UTC)),
        ({"period": "7d"}, datetime(2026, 11, 22, 21, tzinfo=UTC)),
        ({}, datetime(2026, 10, 30, 21, tzinfo=UTC)),
        ({"period": "month"}, datetime(2026, 10, 31, 21, tzinfo=UTC)),
        ({"period": "all"}, datetime(2015, 1, 1, tzinfo=UTC)),
        ({"period": "today", "tz": "Asia/Kolkata"}, datetime(2026, 11, 28, 18, 30, tzinfo=UTC)),
        ({"from": "2026-11-01"}, datetime(2026, 10, 31, 21, tzinfo=UTC)),
        ({"from": "2026-11-01", "tz": "UTC"}, datetime(2026, 11, 1, tzinfo=UTC)),
        ({"from": "2026-11-01T09:30:00+05:30"}, datetime(2026, 11, 1, 4, tzinfo=UTC)),
        ({"from": "2026-11-01T09:30:00 05:30"}, datetime(2026, 11, 1, 4, tzinfo=UTC)),
        ({"from": "2026-11-01T04:00:00Z"}, datetime(2026, 11, 1, 4, tzinfo=UTC)),
        ({"from": "2026-11-01T07:00:00"}, datetime(2026, 11, 1, 4, tzinfo=UTC)),
    ],
)
def test_a_period_begins_in_the_zone_of_the_question(given: dict[str, str], since: datetime) -> None:
    """That of the account unless `tz` says another; it lasts until now."""
    period = period_of(params(**given), caller(), NOW)

    assert (period.since, period.until) == (since, NOW)
    assert period.zone == given.get("tz", "Europe/Moscow")


def test_an_end_is_excluded() -> None:
    """A month from its first day to the first day of the next."""
    period = period_of(params(**{"from": "2026-10-01", "to": "2026-11-01"}), caller(), NOW)

    assert period == Period(
        datetime(2026, 9, 30, 21, tzinfo=UTC), datetime(2026, 10, 31, 21, tzinfo=UTC), "Europe/Moscow"
    )


@pytest.mark.parametrize("since", ["1970-01-01", "2014-12-31"])
def test_a_period_from_before_everything_begins_with_everything(since: str) -> None:
    """Nothing is older, so nothing is left out."""
    period = period_of(params(**{"from": since, "to": "2016-01-01"}), caller(), NOW)

    assert (period.since, period.until.year) == (datetime(2015, 1, 1, tzinfo=UTC), 2015)


@pytest.mark.parametrize(
    ("given", "param", "allowed"),
    [
        ({"period": "91d"}, "period", "today, 7d, 30d, 90d, month, all"),
        ({"period": "7d", "from": "2026-11-01"}, "period", "together"),
        ({"to": "2026-11-01"}, "from", "must be given"),
        ({"from": "yesterday"}, "from", "2026-11-01"),
        ({"from": "2026-11-01", "to": "2026-11-01"}, "to", "later than `from`"),
        ({"from": "2010-01-01", "to": "2012-01-01"}, "to", "later than 2015-01-01: no request is older"),
        ({"from": "2030-01-01"}, "from", "in the past where `to` is not given"),
        ({"from": "9999-06-01", "to": "9999-07-01"}, "from", "before 9999-01-01"),
        ({"from": "9999-12-31T23:59:59-23:59"}, "from", "2026-11-01"),
        ({"tz": "MSK+3"}, "tz", "Europe/Moscow"),
        ({"bucket": "minute"}, "bucket", "hour, day, week, month"),
        ({"group_by": ["colour"]}, "group_by", "provider, model, version, key, app, status, endpoint, error, tag"),
        ({"group_by": ["user"]}, "group_by", "provider"),
        ({"group_by": ["model,key", "app"]}, "group_by", "at most two"),
        ({"group_by": ["model", "model"]}, "group_by", "two different"),
        ({"tag": ["team"]}, "tag", "name=value"),
    ],
)
def test_a_bad_parameter_is_named_with_what_is_allowed(given: dict[str, Any], param: str, allowed: str) -> None:
    """Whoever reads the refusal can mend the question."""
    with pytest.raises(InvalidRequest) as refused:
        question_of(params(**given), caller(), NOW)

    assert refused.value.param == param
    assert allowed in refused.value.message


def test_a_question_has_groups_filters_and_a_bucket_that_suits_its_period() -> None:
    """Lists by repetition; groups also with commas."""
    question = question_of(params(group_by=["model, key"], model=["a", "b"], period="7d", top=5), caller(), NOW)

    assert (question.group_by, question.filters, question.top) == (("model", "key"), {"model": ("a", "b")}, 5)
    assert question.bucket == "day"
    assert question_of(params(period="today"), caller(), NOW).bucket == "hour"
    assert question_of(params(period="90d"), caller(), NOW).bucket == "day"
    assert question_of(params(period="all"), caller(), NOW).bucket == "month"


def test_others_take_the_scope_of_an_administrator() -> None:
    """A user, or everybody; one's own id is one's own."""
    assert whose_of(params(user_id="user-1"), caller()) == Whose("user-1")
    assert whose_of(params(user_id="user-2"), caller("admin")) == Whose("user-1", "user-2")
    assert whose_of(params(user_id="*"), caller("admin")) == Whose("user-1", "")
    for other in ("user-2", "*"):
        with pytest.raises(PermissionDenied):
            whose_of(params(user_id=other), caller("usage:read"))


def test_a_cursor_says_where_a_page_ended() -> None:
    """To the microsecond, and nothing else is taken for one."""
    place = (NOW + timedelta(microseconds=1_001), "0198a1b2-0000-7000-8000-000000000001")

    assert decode_cursor(encode_cursor(*place)) == place
    assert decode_cursor("") is None
    for word in ("x", "AAAA", "ж" * 8, "_" * 32, "/" * 32):
        with pytest.raises(InvalidRequest):
            decode_cursor(word)
