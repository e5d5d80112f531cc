"""One validation: what the usage service would refuse never leaves the gateway."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from razvilka.usage.v1 import usage_pb2 as pb

from services.gateway.clients.usage import records_to_proto
from services.gateway.inference.marking.prompt_marks import DIGEST_BYTES
from services.gateway.metering.journal.records import Settled, decode, encode
from services.gateway.metering.settle import usage_record
from services.gateway.metering.storable import (
    MAX_ATTEMPTS,
    MAX_INTEGER,
    MAX_TAG_NAME,
    MAX_TAG_VALUE,
    MAX_TAGS,
    MAX_TEXT,
    NUMBER_BOUNDS,
    TEXTS,
    joined,
    storable,
)
from services.gateway.metering.usage_record import Attempt, Flag, Outcome, Price, RequestFacts, Status, TokenUsage
from services.gateway.tests.metering.test_metering import metering_in
from services.gateway.tests.metering.test_usage_record import full_record
from services.gateway.tests.metering_kit import Settlements, Sink, completed, facts, outcome, ticket

NOW = datetime(2026, 11, 28, tzinfo=UTC)
ID = "01a22390-3f23-7c27-b8c6-c2afb294285b"

figures = st.integers(-(2**70), 2**70) | st.integers(-5, 50)
usages = st.builds(TokenUsage, figures, figures, figures, figures)
texts = st.text(st.characters(), max_size=600) | st.just("x\0y\ud800z")
prices = st.builds(Price, st.just("v1"), st.integers(0, 10**18), st.integers(0, 10**18), st.none() | st.integers(0, 9))
attempts = st.lists(st.builds(Attempt, texts, texts, texts, figures), max_size=3)


def bounds_of(kind: Any) -> dict[str, Any]:
    """Return what usage.proto says of each field."""
    return {field.name: field.GetOptions().Extensions[pb.bounds] for field in kind.DESCRIPTOR.fields}


def test_the_bounds_are_those_of_the_message() -> None:
    """They stand in usage.proto for both sides, and the service compares its own table with it too."""
    told = bounds_of(pb.UsageRecord)

    assert {name: bound.max_value for name, bound in told.items() if bound.max_value} == NUMBER_BOUNDS
    assert {name for name, bound in told.items() if bound.max_length} - {"metadata"} == set(TEXTS)
    assert {told[name].max_length for name in TEXTS} == {MAX_TEXT}
    assert {bound.max_length for bound in bounds_of(pb.Attempt).values()} == {MAX_TEXT, 0}
    assert told["attempts"].max_items == MAX_ATTEMPTS
    tags = told["metadata"]
    assert (tags.max_items, tags.max_name_length, tags.max_length) == (MAX_TAGS, MAX_TAG_NAME, MAX_TAG_VALUE)
    assert told["prompt_digest"].max_bytes == DIGEST_BYTES


def refused(message: pb.UsageRecord) -> list[str]:
    """Return the fields that the usage service would refuse, by the bounds of the message."""
    wrong = []
    for name, bound in bounds_of(pb.UsageRecord).items():
        value = getattr(message, name)
        if bound.max_value and not 0 <= value <= bound.max_value:
            wrong.append(name)
        texts = list(value.values()) if bound.max_name_length else [value]
        if bound.max_length and any(len(text) > bound.max_length or "\0" in text for text in texts):
            wrong.append(name)
        if bound.max_items and len(value) > bound.max_items:
            wrong.append(name)
    return wrong


@given(usages | st.none(), figures, figures, prices, texts, attempts, st.sampled_from(Status))
def test_whatever_a_provider_says_becomes_a_row_that_is_stored(
    usage: TokenUsage | None,
    latency_ms: int,
    delivered: int,
    price: Price,
    text: str,
    tried: list[Attempt],
    status: Status,
) -> None:
    """Negatives, numbers that no column holds, texts that no store takes: journal and wire carry the row."""
    ended = outcome(
        status,
        usage=usage,
        latency_ms=latency_ms,
        delivered_tokens=delivered,
        price=price,
        finish_reason=text,
        resolved_model=text,
        attempts=tuple(tried * 40),
    )

    row = usage_record(ticket(ID), facts(), ended)

    settled = Settled(row, ticket(ID), 1)
    assert decode(encode(settled)) == settled
    assert refused(pb.UsageRecord.FromString(records_to_proto([row]).records[0].SerializeToString())) == []
    assert row.tokens_cached <= row.tokens_input
    assert row.tokens_reasoning <= row.tokens_output


@given(usages, st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**6))
def test_no_claim_costs_more_than_its_bound(usage: TokenUsage, price: int, bound_in: int, bound_out: int) -> None:
    """Whatever is claimed, the bill stays within the hold that those bounds make, or the row says that it does not."""
    rate = Price("v1", price, price)
    hold = -(-(bound_in + bound_out) * price // 1000)
    asked = facts(price=rate, input_bound=bound_in, output_bound=bound_out, hold_micro_rub=hold)

    row = usage_record(ticket(ID), asked, outcome(Status.COMPLETED, usage=usage))

    known = bound_in and bound_out
    assert not known or row.cost_micro_rub <= hold or Flag.OVER_HOLD in row.flags.split(",")


@pytest.mark.parametrize(
    "ended",
    [
        completed(price=cast(Price, "no price")),
        outcome(Status.COMPLETED, usage=cast(TokenUsage, "no usage")),
        outcome(Status.COMPLETED, usage=TokenUsage(cast(int, float("nan")), 1)),
    ],
    ids=["no price", "no usage", "not a number"],
)
async def test_a_bill_that_cannot_be_computed_gives_back_what_was_held(tmp_path, redis_client, ended: Outcome) -> None:
    """A fault of ours: the row says that somebody must look, and nobody's slot hangs on it."""
    sink, admission = Sink(), Settlements()
    async with metering_in(tmp_path, redis_client, sink, admission) as metering:
        cost = await metering.dispatched(ticket("r1"), facts()).settle(ended)

    assert admission.settled == [("r1", sink.rows["r1"].tokens_input + sink.rows["r1"].tokens_output, cost)]
    assert metering.open_requests == 0
    assert sink.rows["r1"].flags


def test_facts_without_bounds_believe_what_is_said() -> None:
    """A hold of an earlier version knew none: its claims are billed as they are."""
    older: RequestFacts = msgspec.structs.replace(facts(), input_bound=0, output_bound=0, hold_micro_rub=0)

    row = usage_record(ticket(ID), older, completed(10**6, 10**6))

    assert (row.tokens_input, row.tokens_output, row.flags, row.over_hold_micro_rub) == (10**6, 10**6, "", 0)


@pytest.mark.parametrize("name", NUMBER_BOUNDS)
def test_a_number_beyond_its_bound_becomes_the_bound(name: str) -> None:
    """And says so; the bounds themselves are stored as they are."""
    most = NUMBER_BOUNDS[name]
    record = msgspec.structs.replace(full_record(), flags="")
    flag = Flag.COST_CLAMPED if name.endswith("_micro_rub") else Flag.FIGURES_CLAMPED

    for value, stored in ((-1, 0), (0, 0), (most, most), (most + 1, most)):
        row = storable(msgspec.structs.replace(record, **{name: value}))

        assert row == msgspec.structs.replace(record, **{name: stored}, flags="" if value == stored else flag)


TEXT_CASES = {
    "as long as may be": ("x" * 256, "x" * 256),
    "one longer": ("x" * 257, "x" * 256),
    "zero bytes": ("\0a\0b", "ab"),
    "first surrogate": ("я\ud800b", "яb"),
    "last surrogate": ("я\udfffb", "яb"),
    "beside the surrogates": ("\ud7ff\ue000", "\ud7ff\ue000"),
    "much to leave out": ("\0" * 1023 + "ab", "a"),
}


@pytest.mark.parametrize("name", [name for name in TEXTS if name != "flags"])
@pytest.mark.parametrize(("text", "stored"), TEXT_CASES.values(), ids=TEXT_CASES.keys())
def test_a_text_that_no_store_takes_loses_what_is_not_taken(name: str, text: str, stored: str) -> None:
    """Of a text that is far too long only the first part is looked at."""
    record = msgspec.structs.replace(full_record(), flags="unbilled")

    row = storable(msgspec.structs.replace(record, **{name: text}))

    flags = "unbilled" if text == stored else "text_clamped,unbilled"
    assert row == msgspec.structs.replace(record, **{name: stored, "flags": flags})


def test_flags_that_are_none_of_ours_are_left_out() -> None:
    """However long they are: what stays says that something was changed."""
    row = storable(msgspec.structs.replace(full_record(), flags="unbilled," + "x" * 300))

    assert row == msgspec.structs.replace(full_record(), flags="text_clamped,unbilled")


ATTEMPTS = {
    "too long a provider": (Attempt("p" * 257, "m", "r", 1), Attempt("p" * 256, "m", "r", 1)),
    "a model with a zero": (Attempt("p", "m\0", "r", 1), Attempt("p", "m", "r", 1)),
    "half a character": (Attempt("p", "m", "r\ud800", 1), Attempt("p", "m", "r", 1)),
    "before it began": (Attempt("p", "m", "r", -1), Attempt("p", "m", "r", 0)),
    "for ever": (Attempt("p", "m", "r", MAX_INTEGER + 1), Attempt("p", "m", "r", MAX_INTEGER)),
}


@pytest.mark.parametrize(("attempt", "stored"), ATTEMPTS.values(), ids=ATTEMPTS.keys())
def test_an_attempt_that_cannot_be_stored_is_made_fit(attempt: Attempt, stored: Attempt) -> None:
    """Beside those that can."""
    fine = Attempt("p" * 256, "m", "", MAX_INTEGER)
    record = msgspec.structs.replace(full_record(), flags="", attempts=(fine, attempt))

    row = storable(record)

    assert row == msgspec.structs.replace(record, attempts=(fine, stored), flags="text_clamped")


def test_a_row_that_can_be_stored_is_returned_as_it_is() -> None:
    """With as many attempts as there may be; of more the first are kept."""
    tried = tuple(Attempt("p", str(number), "", 0) for number in range(MAX_ATTEMPTS + 1))
    most = msgspec.structs.replace(full_record(), attempts=tried[:MAX_ATTEMPTS], flags="")

    assert storable(most) is most
    assert storable(msgspec.structs.replace(most, attempts=tried)) == msgspec.structs.replace(
        most, flags="text_clamped"
    )


def test_flags_are_joined_once_each_in_their_order() -> None:
    """Those of the row and those that are new."""
    assert joined("over_hold,input_disputed", [Flag.UNBILLED, Flag.OVER_HOLD]) == "input_disputed,over_hold,unbilled"
    assert joined("", []) == ""
