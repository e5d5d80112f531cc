"""Whatever a request is said to have used, there is a bill, and it is counted."""

from __future__ import annotations

from typing import cast

from structlog.testing import capture_logs

from services.gateway.metering import metrics
from services.gateway.metering.bill import bill
from services.gateway.metering.settle import unbilled_record, usage_record
from services.gateway.metering.usage_record import Flag, Price, Source, Status
from services.gateway.tests.metering_kit import completed, facts, outcome, ticket


def unusual(flag: Flag) -> float:
    """Return how many bills had the flag."""
    return float(metrics.UNUSUAL.labels(flag.value)._value.get())


def test_a_bill_is_the_row_of_what_was_asked_and_what_came_back():
    """Nothing is lost between them, and nothing is logged."""
    with capture_logs() as logged:
        row = bill(ticket("r1"), facts(), completed(100, 50))

    assert row == usage_record(ticket("r1"), facts(), completed(100, 50))
    assert logged == []


def test_a_bill_that_cannot_be_computed_says_whose_it_is_and_that_somebody_must_look():
    """The facts stay, nothing is charged, and the log names the request."""
    before = unusual(Flag.UNBILLED)

    with capture_logs() as logged:
        row = bill(ticket("r1"), facts(), completed(price=cast(Price, "no price")))

    assert row == unbilled_record(ticket("r1"), facts())
    assert (row.request_id, row.user_id, row.key_id, row.model) == ("r1", "user-1", "key-1", "yandexgpt:latest")
    assert (row.tokens_input, row.tokens_output, row.cost_micro_rub) == (0, 0, 0)
    assert (row.status, row.source, row.error_code) == (Status.INTERRUPTED, Source.ESTIMATED, "unbilled")
    assert row.flags == Flag.UNBILLED
    assert [(each["event"], each["request_id"]) for each in logged] == [("metering.bill_failed", "r1")]
    assert unusual(Flag.UNBILLED) == before + 1


def test_what_a_disputed_bill_claims_is_logged():
    """The row has the bound that is billed: without the claim nobody could ask the provider about it."""
    with capture_logs() as logged:
        row = bill(ticket("r1"), facts(input_bound=100), completed(1_000_000_000, 50))

    assert (row.source, row.tokens_input) == (Source.DISPUTED, 100)
    assert logged == [
        {
            "event": "metering.bill_disputed",
            "log_level": "warning",
            "request_id": "r1",
            "provider": row.provider,
            "model": row.model,
            "claimed_input": 1_000_000_000,
            "claimed_output": 50,
            "billed_input": 100,
            "billed_output": 50,
        }
    ]


def test_what_is_unusual_about_a_bill_is_counted():
    """A row by our own count, and each flag with what is billed above the hold."""
    estimated, over, flagged = metrics.ESTIMATED._value.get(), metrics.OVER_HOLD._value.get(), unusual(Flag.OVER_HOLD)

    bill(ticket(), facts(hold_micro_rub=15), completed(10, 20))
    bill(ticket(), facts(), outcome(Status.INTERRUPTED))

    assert metrics.ESTIMATED._value.get() == estimated + 1
    assert metrics.OVER_HOLD._value.get() == over + 5
    assert unusual(Flag.OVER_HOLD) == flagged + 1
