"""Which records can be stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from servicekit.testing.fake_clock import MIDDAY
from services.usage.domain.record import MAX_COST_MICRO_RUB, MAX_INTEGER, Attempt
from services.usage.domain.validation import Rejected, check
from services.usage.tests.records import record, request_id


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("request_id", ""),
        ("request_id", "not-a-uuid"),
        ("request_id", "9b2e0c35-5a8d-4c59-9d38-0f6f1ad6c0aa"),
        ("request_id", request_id(1, MIDDAY + timedelta(days=2, seconds=1))),
        ("request_id", request_id(1) + "\0"),
        ("user_id", ""),
        ("user_id", "u" * 257),
        ("model", ""),
        ("provider", "yandex\0gpt"),
        ("status", None),
        ("source", None),
        ("tokens_input", -1),
        ("tokens_output", MAX_INTEGER + 1),
        ("latency_ms", -1),
        ("http_status", 2**40),
        ("cost_micro_rub", -1),
        ("cost_micro_rub", MAX_COST_MICRO_RUB + 1),
        ("started_at", MIDDAY + timedelta(days=3)),
        ("started_at", datetime(1, 1, 1, tzinfo=UTC)),
        ("attempts", (Attempt("gigachat", "m", "\0", 1),)),
        ("attempts", (Attempt("gigachat", "m", "", 1),) * 65),
        ("metadata", {str(number): "v" for number in range(17)}),
        ("metadata", {"n" * 65: "v"}),
        ("metadata", {"name": "v" * 513}),
        ("metadata", {"name": "\0"}),
        ("prompt_digest", b"d" * 17),
        ("queue_ms", -1),
        ("saved_micro_rub", MAX_COST_MICRO_RUB + 1),
    ],
)
def test_names_the_field_of_an_unfit_record(field: str, value: Any) -> None:
    """What can never be stored is named, so that the gateway can set it aside."""
    unfit = replace(record(), **{field: value})

    rejected = check(unfit, now=MIDDAY)

    assert rejected is not None
    assert rejected.field == field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cost_micro_rub", 0),
        ("cost_micro_rub", MAX_COST_MICRO_RUB),
        ("metadata", {f"{number:064}": "v" * 512 for number in range(16)}),
        ("metadata", {"name": ""}),
        ("prompt_digest", b"d" * 16),
        ("tokens_output", 0),
        ("tokens_input", MAX_INTEGER),
        ("provider", ""),
        ("key_id", ""),
        ("started_at", None),
        ("attempts", ()),
        ("request_id", request_id(1, MIDDAY + timedelta(days=2))),
        ("request_id", request_id(1, datetime(2024, 2, 29, tzinfo=UTC))),
    ],
)
def test_accepts_the_edges(field: str, value: Any) -> None:
    """Zero is a value, a failed request has no provider, an old journal is still worth its money."""
    assert check(replace(record(), **{field: value}), now=MIDDAY) is None


def test_created_at_is_the_time_inside_the_id() -> None:
    """To the millisecond, whatever the clock says now."""
    moment = datetime(2025, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)

    assert record(5, moment).created_at == moment


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("request_id", "not-a-uuid", "is not a UUIDv7"),
        ("request_id", request_id(1, MIDDAY + timedelta(days=2, seconds=1)), "holds a time more than 2 days ahead"),
        ("started_at", MIDDAY + timedelta(days=2, seconds=1), "is more than 2 days ahead"),
        ("started_at", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), "is before 1970"),
        ("user_id", "", "is missing"),
        ("status", None, "is missing or unknown"),
        ("tokens_input", -1, f"is not within 0 and {MAX_INTEGER}"),
        ("model", "m" * 257, "is longer than 256 characters"),
        ("provider", "a\0b", "contains a NUL character"),
        ("attempts", (Attempt("gigachat", "m", "", 1),) * 65, "has more than 64 entries"),
        (
            "attempts",
            (Attempt("gigachat", "m", "", 1), Attempt("g", "m" * 257, "", 1)),
            "is longer than 256 characters",
        ),
    ],
)
def test_says_what_is_wrong_with_an_unfit_record(field: str, value: Any, message: str) -> None:
    """It stands in the gateway's dead letters, where an operator reads it."""
    unfit = replace(record(), **{field: value})

    assert check(unfit, now=MIDDAY) == Rejected(unfit.request_id, field, message)


def test_an_id_of_any_length_is_named_within_bounds() -> None:
    """What came instead of an id is cut: the answer about it is not larger than it may be."""
    rejected = check(replace(record(), request_id="x" * 1000), now=MIDDAY)

    assert rejected is not None
    assert rejected.request_id == "x" * 256


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", "m" * 256),
        ("attempts", (Attempt("g" * 256, "m", "", 1),) * 64),
        ("started_at", MIDDAY + timedelta(days=2)),
        ("started_at", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_accepts_what_is_as_long_or_as_late_as_it_may_be(field: str, value: Any) -> None:
    """The bound itself is within."""
    assert check(replace(record(), **{field: value}), now=MIDDAY) is None
