"""The service over real gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from razvilka.usage.v1 import usage_pb2 as pb
from razvilka.usage.v1.usage_pb2_grpc import UsageServiceStub

from servicekit.errors import ErrorReason, InvalidRequest, NotFound
from servicekit.rpc_client import unary
from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from servicekit.timestamps import nearest_from_proto
from services.usage.domain.record import COLUMNS, Attempt, Source, Status, UsageRecord
from services.usage.rpc import record_from_proto, record_to_proto
from services.usage.server import running
from services.usage.settings import UsageSettings
from services.usage.tests.records import LONG_S, record
from tools.testing.patience import postgres_settings
from tools.testing.plugin import MakeDatabaseDsn


@pytest.fixture
async def stub(make_database_dsn: MakeDatabaseDsn, clock: FakeClock) -> AsyncIterator[Any]:
    """Yield a stub of the running service."""
    settings = UsageSettings(postgres=postgres_settings(await make_database_dsn("usage")))
    async with running(settings, clock=clock) as port, ready_channel(port) as channel:
        yield UsageServiceStub(channel)


async def test_records_and_tells_what_became_of_each(stub: Any) -> None:
    """New, again and unfit records in one call."""
    await unary(stub.Record, pb.RecordRequest(records=[record_to_proto(record(1))]), deadline_s=LONG_S)
    unfit = record_to_proto(replace(record(3), cost_micro_rub=10**10))
    batch = [record_to_proto(record(1)), record_to_proto(record(2)), unfit]

    answer = await unary(stub.Record, pb.RecordRequest(records=batch), deadline_s=LONG_S)

    assert (answer.inserted, answer.duplicates, answer.replaced) == (1, 1, 0)
    assert [(problem.request_id, problem.field) for problem in answer.rejected] == [
        (unfit.request_id, "cost_micro_rub")
    ]


async def test_an_empty_message_is_rejected_not_an_error(stub: Any) -> None:
    """All fields at their defaults: unfit, and no reason to fail the batch."""
    answer = await unary(stub.Record, pb.RecordRequest(records=[pb.UsageRecord()]), deadline_s=LONG_S)

    assert [problem.field for problem in answer.rejected] == ["request_id"]


async def test_an_upper_case_id_is_the_same_request(stub: Any) -> None:
    """Two spellings of one UUID are stored once."""
    loud = record_to_proto(record(1))
    loud.request_id = loud.request_id.upper()

    answer = await unary(stub.Record, pb.RecordRequest(records=[record_to_proto(record(1)), loud]), deadline_s=LONG_S)

    assert (answer.inserted, answer.duplicates) == (1, 1)


async def test_a_timestamp_beyond_the_calendar_is_rejected(stub: Any) -> None:
    """A hostile Timestamp names its field instead of failing the batch."""
    odd = record_to_proto(record(1))
    odd.started_at.seconds = 2**62

    answer = await unary(stub.Record, pb.RecordRequest(records=[odd]), deadline_s=LONG_S)

    assert [problem.field for problem in answer.rejected] == ["started_at"]


async def test_tells_what_was_spent(stub: Any) -> None:
    """By subject, since a moment."""
    await unary(stub.Record, pb.RecordRequest(records=[record_to_proto(record(1))]), deadline_s=LONG_S)
    request = pb.GetSpendRequest(user_id="user-1", subject="key:key-1")
    request.since.FromDatetime(datetime(2026, 11, 1, tzinfo=UTC))

    spend = await unary(stub.GetSpend, request, deadline_s=LONG_S)

    assert spend == pb.GetSpendResponse(cost_micro_rub=30_000, requests=1, tokens_input=100, tokens_output=50)


async def test_a_malformed_subject_is_an_invalid_request(stub: Any) -> None:
    """The error names the field."""
    with pytest.raises(InvalidRequest) as caught:
        await unary(stub.GetSpend, pb.GetSpendRequest(user_id="user-1", subject="me"), deadline_s=LONG_S)

    assert caught.value.param == "subject"


async def test_returns_a_stored_request_to_its_user_only(stub: Any) -> None:
    """Someone else's is NOT_FOUND."""
    await unary(stub.Record, pb.RecordRequest(records=[record_to_proto(record(1))]), deadline_s=LONG_S)
    request_id = record(1).request_id

    mine = await unary(
        stub.GetRequest, pb.GetRequestRequest(user_id="user-1", request_id=request_id), deadline_s=LONG_S
    )

    assert record_from_proto(mine.record) == record(1)
    with pytest.raises(NotFound) as caught:
        await unary(stub.GetRequest, pb.GetRequestRequest(user_id="user-2", request_id=request_id), deadline_s=LONG_S)
    assert caught.value.reason is ErrorReason.NOT_FOUND


async def test_checks_the_invariants(stub: Any) -> None:
    """Nothing broken, one row checked."""
    await unary(stub.Record, pb.RecordRequest(records=[record_to_proto(record(1))]), deadline_s=LONG_S)

    answer = await unary(stub.CheckInvariants, pb.CheckInvariantsRequest(), deadline_s=LONG_S)

    assert (list(answer.broken), answer.rows_checked) == ([], 1)


text = st.text(max_size=20)
counts = st.integers(-(2**63), 2**63 - 1)
BY_SQL_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "uuid": text.map(str.lower).filter(lambda drawn: drawn == drawn.lower()),
    "text": text,
    "integer": counts,
    "bigint": counts,
    "boolean": st.booleans(),
    "bytea": st.binary(max_size=20),
    "timestamptz": st.none() | st.datetimes(timezones=st.just(UTC)),
}
SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "http_status": st.integers(-(2**31), 2**31 - 1),
    "attempts": st.lists(st.builds(Attempt, text, text, text, counts), max_size=3).map(tuple),
    "metadata": st.dictionaries(text, text, max_size=3),
    "status": st.none() | st.sampled_from(Status),
    "source": st.none() | st.sampled_from(Source),
}
RECORDS = st.builds(UsageRecord, **{column.name: BY_SQL_TYPE[column.sql_type] for column in COLUMNS} | SPECIAL)


@given(sent=RECORDS)
def test_a_record_survives_the_wire(sent: UsageRecord) -> None:
    """There and back without loss, whatever is in it."""
    wire = record_to_proto(sent).SerializeToString()

    assert record_from_proto(pb.UsageRecord.FromString(wire)) == sent


@given(seconds=counts, nanos=st.integers(-(2**31), 2**31 - 1))
def test_every_timestamp_is_some_moment(seconds: int, nanos: int) -> None:
    """Nothing on the wire can overflow the calendar."""
    message = pb.UsageRecord()
    message.started_at.seconds = seconds
    message.started_at.nanos = nanos

    assert nearest_from_proto(message.started_at).tzinfo is UTC
