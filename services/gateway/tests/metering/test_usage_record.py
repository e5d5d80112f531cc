"""The usage row at the edge: the same fields as the message, and nothing lost on any of its ways."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from razvilka.usage.v1 import usage_pb2 as pb

from services.gateway.clients.usage import record_from_proto, records_to_proto
from services.gateway.metering.hold import Hold, decode_facts, encode_facts
from services.gateway.metering.journal.records import Settled, decode, encode
from services.gateway.metering.settle import reaped_record, usage_record
from services.gateway.metering.usage_record import (
    Attempt,
    Outcome,
    Price,
    RequestFacts,
    Source,
    Status,
    TokenUsage,
    UsageRecord,
)
from services.gateway.tests.metering_kit import completed, facts, ticket

# A value of each type, no two fields alike: what is forgotten or swapped shows.
BY_TYPE: dict[str, Any] = {
    "status": Status.INTERRUPTED,
    "attempts": (Attempt("gigachat", "gigachat-pro", "timeout", 7), Attempt("yandexgpt", "yandexgpt", "", 9)),
}


def sample(kind: Any, at: int) -> Any:
    """Return a value of a type, another one at each place; None of a type that has none here."""
    samples = {str: f"text-{at}", int: 1000 + at, bool: True, bytes: b"%d" % at, dict[str, str]: {"team": str(at)}}
    return samples.get(kind)


def full_record() -> UsageRecord:
    """Return a record with a value of its own in every field."""
    values: dict[str, Any] = {
        field.name: sample(field.type, at) for at, field in enumerate(msgspec.structs.fields(UsageRecord))
    }
    return UsageRecord(**(values | BY_TYPE | {"source": Source.ESTIMATED}))


def test_the_row_has_the_fields_of_the_message_and_no_others():
    """A field added on one side only is noticed here."""
    ours = {"started_at" if name == "started_at_us" else name for name in UsageRecord.__struct_fields__}

    assert ours == set(pb.UsageRecord.DESCRIPTOR.fields_by_name)
    assert set(Attempt.__struct_fields__) == set(pb.Attempt.DESCRIPTOR.fields_by_name)
    assert set(pb.Rejected.DESCRIPTOR.fields_by_name) == {"request_id", "field", "message"}


@pytest.mark.parametrize(("ours", "theirs", "prefix"), [(Status, pb.Status, "STATUS_"), (Source, pb.Source, "SOURCE_")])
def test_the_numbers_are_those_of_the_message(ours, theirs, prefix):
    """Each named value and no other; 0 is nobody's."""
    named = {name.removeprefix(prefix): number for name, number in theirs.items() if number}

    assert {each.name: each.value for each in ours} == named


def test_a_row_survives_the_wire():
    """Every field, there and back, from a message in which every field is present."""
    message = records_to_proto([full_record()]).records[0]

    assert {field.name for field, _ in message.ListFields()} == set(pb.UsageRecord.DESCRIPTOR.fields_by_name)
    assert record_from_proto(pb.UsageRecord.FromString(message.SerializeToString())) == full_record()


def test_a_row_survives_the_journal():
    """Every field, and what admission needs."""
    settled = Settled(full_record(), ticket("r1"), 5)

    assert decode(encode(settled)) == settled


def test_facts_survive_the_hold_and_the_journal():
    """One form for both."""
    given = facts(idempotent=True)

    assert [name for name in RequestFacts.__struct_fields__ if not getattr(given, name)] == []
    assert decode_facts(encode_facts(given)) == given


@pytest.mark.parametrize("kept", range(UsageRecord.FIELDS_OF_A_BILL, len(UsageRecord.__struct_fields__)))
def test_a_row_of_an_earlier_version_is_billed_all_the_same(kept):
    """An upgrade finds journals without the later columns: they are zeros, the money is whole."""
    record = full_record()
    older = [Settled.__struct_config__.tag, list(msgspec.structs.astuple(record))[:kept], ticket("r1"), 5]

    found = decode(encode(older))

    assert isinstance(found, Settled)
    read = msgspec.structs.astuple(found.record)
    assert read[:kept] == msgspec.structs.astuple(record)[:kept]
    assert [value for value in read[kept:] if value] == []
    assert (found.ticket, found.settled_at_us) == (ticket("r1"), 5)


def test_an_earlier_version_that_knew_no_bill_is_refused():
    """Less than the fields of a bill is no row."""
    values = list(msgspec.structs.astuple(full_record()))[: UsageRecord.FIELDS_OF_A_BILL - 1]

    with pytest.raises(msgspec.DecodeError):
        decode(encode(["S", values, ticket("r1"), 5]))


def test_facts_of_an_earlier_version_are_read():
    """A hold that was made before the upgrade."""
    whole = msgspec.json.decode(encode_facts(facts()))
    least = RequestFacts.FIELDS_OF_A_BILL

    found = decode_facts(msgspec.json.encode(whole[:least]).decode())

    assert (found.boot_id, found.input_tokens, found.price) == ("boot", 10, facts().price)
    assert (found.trace_id, found.stream) == ("", False)
    with pytest.raises(msgspec.DecodeError):
        decode_facts(msgspec.json.encode(whole[: least - 1]).decode())
    with pytest.raises(msgspec.DecodeError):
        decode_facts("[")


def test_what_every_bill_needs_is_the_money_and_whose_it_is():
    """Only what follows these may be missing in a journal of an earlier version."""
    bill = UsageRecord.__struct_fields__[: UsageRecord.FIELDS_OF_A_BILL]

    assert {"request_id", "user_id", "model", "status", "source", "cost_micro_rub", "tokens_input"} <= set(bill)
    assert {"boot_id", "price", "input_tokens"} <= set(RequestFacts.__struct_fields__[: RequestFacts.FIELDS_OF_A_BILL])


@pytest.mark.parametrize("kind", [RequestFacts, Outcome, UsageRecord])
def test_no_field_has_a_default(kind):
    """Who forgets a field is told, not given a zero."""
    assert [field.name for field in msgspec.structs.fields(kind) if not field.required] == []


def test_every_fact_and_every_part_of_the_outcome_reaches_the_row():
    """By name: what is known of a request is in its row."""
    values: dict[str, Any] = {
        field.name: sample(field.type, at) for at, field in enumerate(msgspec.structs.fields(Outcome))
    }
    ended = Outcome(**(values | {"usage": TokenUsage(11, 12, 3, 4), "price": Price("v9", 1000, 2000, 500)} | BY_TYPE))

    row = usage_record(ticket("r1"), facts(), ended)

    same = set(UsageRecord.__struct_fields__)
    parts = {name: getattr(ended, name) for name in same & set(Outcome.__struct_fields__)}
    known = {name: getattr(facts(), name) for name in same & set(RequestFacts.__struct_fields__) - parts.keys()}
    assert {name: getattr(row, name) for name in parts | known} == parts | known
    unusual = {"flags", "over_hold_micro_rub"}
    assert {name for name in UsageRecord.__struct_fields__ if not getattr(row, name)} == unusual
    assert (row.tokens_input, row.tokens_output, row.tokens_cached, row.tokens_reasoning) == (11, 12, 3, 4)


def test_a_hold_that_nobody_explains_becomes_a_row_with_all_its_facts():
    """The input estimate at its price, and everything that the hold kept."""
    row = reaped_record(Hold("user-1", "r1", 1, facts(input_tokens=2500)))

    assert (row.request_id, row.user_id, row.status, row.source) == ("r1", "user-1", Status.INTERRUPTED, Source.REAPED)
    assert (row.tokens_input, row.tokens_output, row.cost_micro_rub, row.error_code) == (2500, 0, 1000, "gateway_lost")
    kept = set(RequestFacts.__struct_fields__) & set(UsageRecord.__struct_fields__)
    assert {name: getattr(row, name) for name in kept} == {name: getattr(facts(), name) for name in kept}
    assert len(kept) > 8


def broken_bounds(message: pb.UsageRecord) -> list[str]:
    """Return the numbers beyond what usage.proto says can be stored."""
    bounds = {field.name: field.GetOptions().Extensions[pb.bounds] for field in message.DESCRIPTOR.fields}
    numbers = [name for name, bound in bounds.items() if bound.max_value]
    assert "cost_micro_rub" in numbers
    return [name for name in numbers if not 0 <= getattr(message, name) <= bounds[name].max_value]


tokens = st.integers(0, 2_000_000)


@given(tokens_input=tokens, tokens_output=tokens, latency_ms=st.integers(0, 86_400_000))
def test_a_believable_request_makes_a_row_that_can_be_stored(tokens_input, tokens_output, latency_ms):
    """Windows of two million tokens at the prices of today stay within the bounds of the message."""
    ended = completed(tokens_input, tokens_output, latency_ms=latency_ms)

    assert broken_bounds(records_to_proto([usage_record(ticket("r1"), facts(), ended)]).records[0]) == []
