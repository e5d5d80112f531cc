"""Which records can be stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from servicekit.testing.fake_clock import MIDDAY
from services.usage.domain.record import MAX_COST_MICRO_RUB, MAX_INTEGER, Attempt
from services.usage.domain.validation import check
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
