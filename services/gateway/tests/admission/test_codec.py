"""What the scripts are told, and what callers hear of their answers: field by field, without Redis."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import structs

from servicekit.errors import ErrorReason
from services.gateway.admission.codec import admit_payload, refusal_of, report_of, settle_payload
from services.gateway.admission.dimensions import Dimension, Limits
from services.gateway.admission.headers import duration, rate_limit_headers
from services.gateway.admission.keys import details_key, parse_budget_key, user_of_holds
from services.gateway.admission.periods import BudgetPeriod, id_time_ms
from services.gateway.admission.request import Admitted, Figure, LimitReport
from services.gateway.admission.wire import (
    NEVER_US,
    AdmitAnswer,
    AdmitCall,
    BudgetWire,
    FigureWire,
    Mode,
    SettleCall,
    SubjectWire,
    Verdict,
    Violation,
)
from services.gateway.metering.hold import Ticket, encode_facts
from services.gateway.tests.admission_kit import KEY, MODEL, USER, budget, request

ID = "01932f5a-7c00-7000-8000-000000000001"
MADE_MS = 0x01932F5A7C00
DAY_KEY = f"gw:{{{USER}}}:b:user:{USER}:d100-86500"


def test_each_subject_with_limits_is_named_to_the_script() -> None:
    """Those without are left out; 0 is no limit."""
    user, key, model = Limits(requests_per_minute=1), Limits(tokens_per_minute=2), Limits(concurrent_requests=3)

    assert [*request(user=user, key=key, model=model).subjects] == [
        SubjectWire("user", {"rpm": 1}),
        SubjectWire(f"key:{KEY}", {"tpm": 2}),
        SubjectWire(f"model:{MODEL}", {"concurrency": 3}),
    ]
    assert request().subjects == ()


def test_admission_tells_everything_that_the_script_decides_by() -> None:
    """Budgets with their counters' names; only an endless one says so."""
    budgets = (budget(7_000, BudgetPeriod.TOTAL), budget(9_000, BudgetPeriod.DAY, "key:k"))
    asked = request(user=Limits(requests_per_day=4), budgets=budgets, tokens=321, hold=654, request_id=ID)

    payload = admit_payload(asked, mode=Mode.RESTORE, lease_us=22)

    assert msgspec.msgpack.decode(payload, type=AdmitCall) == AdmitCall(
        request_id=ID,
        mode=Mode.RESTORE,
        lease_us=22,
        tokens=321,
        hold=654,
        subjects=[SubjectWire("user", {"rpd": 4})],
        budgets=[
            BudgetWire(f"user:{USER}", asked.budget_keys[0], 7_000, True),
            BudgetWire("key:k", asked.budget_keys[1], 9_000, False, ends_s=1_731_715_200),
        ],
        facts=encode_facts(asked.facts),
    )


def test_a_settlement_tells_when_the_request_was_made() -> None:
    """By its id, as the row will be booked."""
    payload = settle_payload(Ticket(USER, ID, 33, (DAY_KEY,)), 10, 20, 44)

    assert msgspec.msgpack.decode(payload, type=SettleCall) == SettleCall(
        request_id=ID, made_ms=MADE_MS, tokens=10, cost=20, settled_us=44, admitted_us=33, budget_keys=(DAY_KEY,)
    )


@pytest.mark.parametrize(("text", "milliseconds"), [(ID, MADE_MS), ("", 0), ("unknown", 0), ("z" * 36, 0)])
def test_an_id_that_is_none_has_no_time(text: str, milliseconds: int) -> None:
    """Settling must not fail over it."""
    assert id_time_ms(text) == milliseconds


def test_figures_are_told_in_seconds() -> None:
    """As the script gives them, in its order."""
    figures = (
        FigureWire(Dimension.REQUESTS_PER_MINUTE, 60, 59, 1_500_000),
        FigureWire(Dimension.TOKENS_PER_MINUTE, 1_000, 1, 0),
    )

    assert report_of(AdmitAnswer(Verdict.ADMITTED, 1, figures)) == LimitReport(
        (Figure(Dimension.REQUESTS_PER_MINUTE, 60, 59, 1.5), Figure(Dimension.TOKENS_PER_MINUTE, 1_000, 1, 0.0))
    )


def refused(violation: Violation, figures: tuple[FigureWire, ...] = (), **changes: Any) -> AdmitAnswer:
    """Return the answer of a script at Redis time 200 s."""
    return AdmitAnswer(Verdict.REFUSED, 200_000_000, figures, violated=violation, **changes)


def test_a_spent_limit_is_told_with_whose_it_is_and_for_how_long() -> None:
    """Message, details, report and seconds say the same."""
    answer = refused(
        Violation(Dimension.REQUESTS_PER_MINUTE, f"key:{KEY}", 60, 2_500_000.9),
        (FigureWire(Dimension.REQUESTS_PER_MINUTE, 60, 0, 9_000_000),),
    )

    error = refusal_of(request(), answer)

    assert error.reason is ErrorReason.RATE_LIMIT_EXCEEDED
    assert error.message == "Too many requests a minute for this key: the limit is 60."
    assert error.retry_after_s == 2.5
    assert error.details == {
        "dimension": "rpm",
        "subject": "key",
        "owner": "key",
        "owner_id": KEY,
        "limit": "60",
        "unit": "requests",
        "resets_at": "1970-01-01T00:03:23+00:00",
    }
    assert error.report == LimitReport(
        (Figure(Dimension.REQUESTS_PER_MINUTE, 60, 0, 9.0),), 2.5, error.report.violated, error.report.reached
    )
    assert error.report.violated is Dimension.REQUESTS_PER_MINUTE
    assert error.budget_left_micro_rub is None


def test_a_request_above_a_minutes_tokens_is_told_its_size() -> None:
    """And what to do about it."""
    error = refusal_of(request(tokens=500), refused(Violation(Dimension.TOKENS_PER_MINUTE, "user", 100, 0)))

    assert error.details == {
        "dimension": "tpm",
        "subject": "user",
        "owner": "user",
        "owner_id": USER,
        "limit": "100",
        "unit": "tokens",
        "resets_at": "1970-01-01T00:03:20+00:00",
        "estimated_tokens": "500",
        "note": "The request may use more than a minute's tokens: it waits for all of them. Lower max_tokens.",
    }


def test_many_tokens_are_no_reason_why_requests_are_refused() -> None:
    """The size is told only where tokens are counted."""
    error = refusal_of(request(tokens=500), refused(Violation(Dimension.REQUESTS_PER_MINUTE, "user", 100, 0)))

    assert {"estimated_tokens", "note"}.isdisjoint(error.details)


@pytest.mark.parametrize(
    ("least", "period", "ends_s"),
    [(5_000, BudgetPeriod.DAY, 1_731_715_200), (5_001, BudgetPeriod.DAY, 0), (0, BudgetPeriod.TOTAL, 0)],
    ids=["a whole budget covers it", "no budget covers it", "endless"],
)
def test_a_spent_budget_is_worth_waiting_for_only_if_it_comes_back_and_suffices(
    least: int, period: BudgetPeriod, ends_s: int
) -> None:
    """Until the period ends; the script compares that with how long other limits last."""
    asked = structs.replace(request(budgets=(budget(5_000, period),), request_id=ID), least_hold_micro_rub=least)

    payload = admit_payload(asked, mode=Mode.DECIDE, lease_us=22)

    assert [each.ends_s for each in msgspec.msgpack.decode(payload, type=AdmitCall).budgets] == [ends_s]


@pytest.mark.parametrize(("retry_us", "retry_after_s"), [(86_300e6, 86_300.0), (NEVER_US, None)])
def test_a_spent_budget_says_when_to_come_again_where_that_helps(retry_us: float, retry_after_s: float | None) -> None:
    """What is left is told to whoever may shorten the answer."""
    asked, key = request(hold=9_000), DAY_KEY

    error = refusal_of(asked, refused(Violation(Dimension.BUDGET, f"user:{USER}", 5_000, retry_us, key, left=77)))

    assert error.reason is ErrorReason.BUDGET_EXCEEDED
    assert (error.retry_after_s, error.report.retry_after_s) == (retry_after_s, retry_after_s)
    assert error.budget_left_micro_rub == 77
    assert {
        "dimension": "budget",
        "subject": "user",
        "owner": "user",
        "owner_id": USER,
        "limit": "5000",
        "unit": "micro_rub",
        "estimated_cost_micro_rub": "9000",
    }.items() <= error.details.items()


def test_a_refusal_without_a_limit_is_an_error_of_ours() -> None:
    """It must not look like one of the caller's."""
    with pytest.raises(ValueError, match=r"^a refusal names no limit$"):
        refusal_of(request(), AdmitAnswer(Verdict.REFUSED, 1))


def test_keys_of_a_user_lie_in_one_slot_and_name_it() -> None:
    """What is parsed is what was built."""
    assert details_key("u") == "gw:{u}:d"
    assert user_of_holds("gw:{u:h}:h") == "u:h"
    with pytest.raises(ValueError, match="x"):
        parse_budget_key("gw:{u}:b:user:u:x1-2")


def test_an_admission_is_whole_unless_it_says_otherwise() -> None:
    """Without Redis it is a share."""
    assert not Admitted(Ticket(USER, ID), LimitReport()).degraded


REQUESTS = Figure(Dimension.REQUESTS_PER_MINUTE, 60, 50, 10.2)
TOKENS = Figure(Dimension.TOKENS_PER_MINUTE, 1_000, 100, 0.7)
SLOTS = Figure(Dimension.CONCURRENCY, 5, 0, 0.0)


def headers(*figures: Figure, now_s: float = 0.0, **changes: Any) -> dict[bytes, bytes]:
    """Return the headers of a report of these figures."""
    return dict(rate_limit_headers(LimitReport(figures, **changes), now_s=now_s))


def test_a_caller_with_a_limit_of_tokens_hears_of_tokens_only() -> None:
    """No header speaks of requests that nobody counts."""
    assert headers(TOKENS) == {
        b"x-ratelimit-limit-tokens": b"1000",
        b"x-ratelimit-remaining-tokens": b"100",
        b"x-ratelimit-reset-tokens": b"700ms",
        b"ratelimit-policy": b'"tpm";q=1000;w=60;qu="tokens"',
        b"ratelimit": b'"tpm";r=100;t=1',
    }


def test_slots_have_no_time_at_which_they_come_back() -> None:
    """They do when requests end; after a second it may be worth trying."""
    told = headers(SLOTS, retry_after_s=1.0, violated=Dimension.CONCURRENCY)

    assert told == {
        b"ratelimit-policy": b'"concurrency";q=5;qu="concurrent-requests"',
        b"ratelimit": b'"concurrency";r=0',
        b"retry-after": b"1",
    }


def test_the_limit_that_refused_speaks_first_and_says_how_long() -> None:
    """In each dialect, in place of when it is whole; other limits keep their own time."""
    told = headers(REQUESTS, TOKENS, now_s=1_000.5, retry_after_s=90.0, violated=Dimension.TOKENS_PER_MINUTE)

    assert told[b"ratelimit"] == b'"tpm";r=100;t=90'
    assert told[b"x-ratelimit-reset-tokens"] == b"1m30s"
    assert (told[b"x-ratelimit-reset-requests"], told[b"x-ratelimit-reset"]) == (b"10.2s", b"1011")
    assert told[b"retry-after"] == b"90"


def test_a_budget_that_refused_leaves_the_other_limits_as_they_are() -> None:
    """It has no figure: the tightest of the others is named; one that never ends has no Retry-After."""
    told = headers(REQUESTS, TOKENS, violated=Dimension.BUDGET)

    assert told[b"ratelimit"] == b'"tpm";r=100;t=1'
    assert b"retry-after" not in told
    assert headers(violated=Dimension.BUDGET, retry_after_s=0.0) == {b"retry-after": b"1"}


def test_of_two_equally_tight_limits_the_one_that_is_whole_last_speaks() -> None:
    """Whoever waits for the other one would be refused."""
    day = Figure(Dimension.REQUESTS_PER_DAY, 200, 50, 3_600.0)

    for figures in ((REQUESTS, day), (day, REQUESTS)):
        assert headers(*figures)[b"x-ratelimit-limit"] == b"200"
        assert headers(*figures)[b"x-ratelimit-reset-requests"] == b"1h0m0s"


def test_the_requests_of_the_limit_that_refused_are_told() -> None:
    """A minute's were spent too: `X-RateLimit-Reset` said a minute where `Retry-After` said an hour."""
    minute = Figure(Dimension.REQUESTS_PER_MINUTE, 60, 0, 7_200.0)
    day = Figure(Dimension.REQUESTS_PER_DAY, 200, 0, 3_600.0)

    told = headers(minute, day, retry_after_s=3_600.0, violated=Dimension.REQUESTS_PER_DAY)

    assert (told[b"x-ratelimit-limit"], told[b"x-ratelimit-reset"]) == (b"200", told[b"retry-after"])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, b"0ms"),
        (0.0001, b"1ms"),
        (0.9991, b"1s"),
        (1, b"1s"),
        (59.9, b"59.9s"),
        (61.25, b"1m1.25s"),
        (3_599, b"59m59s"),
        (3_600, b"1h0m0s"),
        (90_000, b"25h0m0s"),
    ],
)
def test_durations_are_rounded_up_to_milliseconds(seconds: float, text: bytes) -> None:
    """Nobody comes back too early; the past is now."""
    assert duration(seconds) == text
