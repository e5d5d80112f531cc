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


def test_each_rollup_has_its_own_keys() -> None:
    """Day and account; hour and model; account and hour; hour, model and how long it took."""
    at = datetime(2026, 11, 23, 23, 59, 59, 999_000, tzinfo=UTC)
    hour = datetime(2026, 11, 23, 23, tzinfo=UTC)
    one = replace(record(1, at), key_id="k", grant_id="g", provider="p", model="m", latency_ms=900, first_token_ms=1)

    changes = rollups([one, one])

    sums = [2, *[2 * getattr(one, name) for name in SUMMED]]
    call = ("p", "m", "completed", "chat.completions", "")
    assert changes.day == ((("user-1", hour.date(), "k", "g", "", *call), sums),)
    assert changes.platform == (((hour, *call), sums),)
    assert changes.platform_day == (((hour.date(), *call), sums),)
    assert changes.user_hour == ((("user-1", hour, *call[:3]), sums),)
    assert changes.user_day == (((hour.date(), "user-1"), sums),)
    assert changes.latency == (((hour, "p", "m", "first_token", 0), 2), ((hour, "p", "m", "latency", 89), 2))
    assert latency_bucket(900) == 89


def test_every_hour_has_its_own_rows() -> None:
    """Also when the records of two hours come mixed."""
    early, late = datetime(2026, 11, 22, 23, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)

    changes = rollups([record(number, (early, late)[number % 2]) for number in range(5)])

    assert [(key[:2], sums[0]) for key, sums in changes.user_hour] == [(("user-1", early), 3), (("user-1", late), 2)]


def test_a_guess_takes_its_own_latency_with_it() -> None:
    """What is added and what is taken back lie in different buckets."""
    slow, quick = (
        replace(record(1), first_token_ms=0, latency_ms=5_000),
        replace(record(1), first_token_ms=0, latency_ms=2),
    )

    changes = rollups([slow], [quick])

    assert {key[4]: count for key, count in changes.latency} == {latency_bucket(5_000): 1, latency_bucket(2): -1}
