"""What rows change in the rollups."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from services.usage.domain.record import SUMMED
from services.usage.domain.rollup import BUCKET_GROWTH, SUMS, latency_bucket, rollups
from services.usage.tests.records import record


@pytest.mark.parametrize("milliseconds", [2, 3, 20, 333, 900, 5_000, 59_999, 2**31 - 1])
def test_a_bucket_holds_values_up_to_its_bound(milliseconds: int) -> None:
    """Bucket b is (1.08**(b-1), 1.08**b]."""
    bucket = latency_bucket(milliseconds)

    assert BUCKET_GROWTH ** (bucket - 1) < milliseconds * (1 + 1e-9)
    assert milliseconds <= BUCKET_GROWTH**bucket * (1 + 1e-9)


def test_nothing_measured_is_the_lowest_bucket() -> None:
    """Zero and one millisecond have no logarithm worth a bucket."""
    assert (latency_bucket(0), latency_bucket(1)) == (0, 0)


def test_sums_by_key_and_sorts_by_key() -> None:
    """Two requests of one hour share a row; keys come in the order that all writers use."""
    late = datetime(2026, 11, 23, 23, 59, tzinfo=UTC)
    records = [record(1, late), record(2, late), replace(record(3, late), user_id="user-0")]

    changes = rollups(records)

    assert [key[:2] for key, _ in changes.day] == [("user-0", date(2026, 11, 23)), ("user-1", date(2026, 11, 23))]
    one = {name: getattr(record(), name) for name in SUMMED} | {"requests": 1}
    assert {"tokens_input", "tokens_output", "tokens_cached", "tokens_reasoning", "cost_micro_rub"} <= one.keys()
    assert [dict(zip(SUMS, sums, strict=True)) for _, sums in changes.day] == [one, times(2, one)]
    assert [dict(zip(SUMS, sums, strict=True)) for _, sums in changes.platform] == [times(3, one)]


def times(factor: int, sums: dict[str, int]) -> dict[str, int]:
    """Return the sums of so many equal requests."""
    return {name: factor * amount for name, amount in sums.items()}


def test_a_request_without_tokens_has_no_first_one() -> None:
    """0 ms to the first token means that none was sent."""
    changes = rollups([replace(record(1), first_token_ms=0)])

    assert [key[3] for key, _ in changes.latency] == ["latency"]


def test_taking_back_what_was_added_leaves_nothing() -> None:
    """A replaced guess takes exactly its own amounts with it."""
    changes = rollups([record(1)], [record(1)])

    assert {tuple(sums) for _, sums in changes.day + changes.platform + changes.user_hour} == {(0,) * len(SUMS)}
    assert {count for _, count in changes.latency} == {0}
