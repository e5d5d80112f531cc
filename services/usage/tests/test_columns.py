"""The columns of the record stand in one table; the message, the tables and the rollups are compared with it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Annotated, Any, TypeAlias

import asyncpg
import pytest
from google.protobuf.descriptor import FieldDescriptor
from razvilka.usage.v1 import usage_pb2 as pb

from services.usage.domain.columns import Bounds, Column, columns_of
from services.usage.domain.record import ATTEMPT_BOUNDS, COLUMNS, SUMMED, Attempt, Source, UsageRecord
from services.usage.domain.rollup import SUMS
from services.usage.ingest import Ingest
from services.usage.rpc import record_to_proto
from services.usage.store import UsageStore
from services.usage.store import rollups as store_rollups
from services.usage.store.records import ORDER
from services.usage.tests.records import full_record, record
from services.usage.upkeep import Upkeep

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

WIRE_TYPES = {
    "uuid": {FieldDescriptor.TYPE_STRING},
    "text": {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_ENUM, FieldDescriptor.TYPE_MESSAGE},
    "integer": {FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_INT32},
    "bigint": {FieldDescriptor.TYPE_INT64},
    "boolean": {FieldDescriptor.TYPE_BOOL},
    "bytea": {FieldDescriptor.TYPE_BYTES},
    "timestamptz": {FieldDescriptor.TYPE_MESSAGE},
}

TABLES = (*store_rollups.ROLLUPS, store_rollups.TAGS, store_rollups.WEEK_KEYS)
ROLLUPS = [table.name for table in TABLES]


def bounds_in(message: Any) -> dict[str, dict[str, Any]]:
    """Return what usage.proto says of each field: the bounds it sets."""
    return {
        field.name: {option.name: value for option, value in field.GetOptions().Extensions[pb.bounds].ListFields()}
        for field in message.DESCRIPTOR.fields
    }


def set_in(bounds: Bounds) -> dict[str, Any]:
    """Return the bounds that are set."""
    return {name: value for name, value in asdict(bounds).items() if value}


def test_the_message_has_the_columns_and_no_others() -> None:
    """A field added on one side only is noticed here, and so is one of another type."""
    wire = {field.name: field for field in pb.UsageRecord.DESCRIPTOR.fields}

    assert wire.keys() == {column.name for column in COLUMNS}
    assert {column.name for column in COLUMNS if wire[column.name].type not in WIRE_TYPES[column.sql_type]} == set()
    assert {field.name for field in pb.Attempt.DESCRIPTOR.fields} == {field.name for field in fields(Attempt)}


def test_the_bounds_are_those_of_the_message() -> None:
    """The gateway reads in usage.proto what this service will refuse."""
    assert {column.name: set_in(column.bounds) for column in COLUMNS} == bounds_in(pb.UsageRecord)
    assert {name: set_in(bounds) for name, bounds in ATTEMPT_BOUNDS.items()} == bounds_in(pb.Attempt)
    assert [option.name for option in pb.Bounds.DESCRIPTOR.fields] == [field.name for field in fields(Bounds)]


def test_a_field_that_does_not_say_how_it_is_stored_stops_the_start() -> None:
    """No column is left out silently."""
    with pytest.raises(TypeError, match=r"is not annotated with a Column$"):
        columns_of(Attempt)
    with pytest.raises(TypeError, match=r"^<class 'int'> is not annotated with a Column$"):
        columns_of(Bare)


@dataclass
class Bare:
    """A record whose only field says nothing."""

    number: int


@dataclass
class TwoFields:
    """A record of two fields; what else stands beside a column is somebody else's."""

    number: Annotated[int, "another library's", Column(sql_type="integer", summed=True, bounds=Bounds(max_value=7))]
    text: Annotated[str, Column(sql_type="text", stored_as="words", bounds=Bounds())]


def test_a_column_has_the_name_of_its_field_unless_it_says_another() -> None:
    """Everything else is as it was declared, in the order of the fields."""
    assert columns_of(TwoFields) == (
        Column(name="number", stored_as="number", sql_type="integer", summed=True, bounds=Bounds(max_value=7)),
        Column(name="text", stored_as="words", sql_type="text", bounds=Bounds()),
    )


async def columns_in(pool: Pool, table: str) -> dict[str, str]:
    """Return the columns of a table and their types."""
    rows = await pool.fetch(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = 'usage' AND table_name = $1",
        table,
    )
    return {row["column_name"]: row["data_type"] for row in rows}


async def test_the_table_has_the_columns(pool: Pool) -> None:
    """`created_at` follows from the id; nothing else is there besides."""
    stored = {column.stored_as for column in COLUMNS}

    assert (await columns_in(pool, "usage")).keys() == stored | {"created_at"}


async def test_a_record_is_sent_as_the_composite_type_says(pool: Pool) -> None:
    """Attributes are taken by their place: a column more, or in another place, takes a new type."""
    attributes = await pool.fetch(
        "SELECT attname::text AS name, format_type(atttypid, NULL) AS type FROM pg_attribute"
        " WHERE attrelid = 'usage.record_1'::regclass ORDER BY attnum"
    )

    sent = [(column.name, column.sql_type.replace("timestamptz", "timestamp with time zone")) for column in ORDER]
    assert [(each["name"], each["type"]) for each in attributes] == sent


@pytest.mark.parametrize("table", ROLLUPS)
async def test_the_rollups_sum_what_the_columns_say(pool: Pool, table: str) -> None:
    """Every bigint of a rollup is a sum, and every sum has its bigint."""
    columns = await columns_in(pool, table)

    assert {name for name, sql_type in columns.items() if sql_type == "bigint"} == set(SUMS)


def test_the_sample_has_something_in_every_field() -> None:
    """A round trip of empty values would prove nothing."""
    sample = full_record()

    assert [field.name for field in fields(UsageRecord) if not getattr(sample, field.name)] == []
    sums = [getattr(sample, name) for name in SUMMED]
    assert len(set(sums)) == len(sums), "two alike would hide that they were swapped"


async def test_every_column_is_replaced_with_the_guess(ingest: Ingest, store: UsageStore) -> None:
    """The exact row takes the place of the reaped one in each of its fields."""
    optional = [column for column in COLUMNS if not column.bounds.required and not column.bounds.uuid_v7]
    pairs = [(full_record(number), column.name) for number, column in enumerate(optional)]
    await ingest.record([replace(without(exact, name), source=Source.REAPED) for exact, name in pairs])

    outcome = await ingest.record([exact for exact, _ in pairs])

    assert outcome.replaced == len(optional) > 20
    stored = [await store.find_of_user(exact.user_id, exact.request_id) for exact, _ in pairs]
    assert stored == [exact for exact, _ in pairs]


def without(exact: UsageRecord, name: str) -> UsageRecord:
    """Return the record with nothing in one field."""
    value: Any = getattr(exact, name)
    nothing: Any = None if isinstance(value, datetime) else type(value)()
    return replace(exact, **{name: nothing})


async def test_the_check_notices_a_difference_in_each_sum(ingest: Ingest, upkeep: Upkeep, pool: Pool) -> None:
    """Rollups of days, weeks and hours, of users and of everybody: another amount in any sum is a breach of each."""
    await ingest.record([record(1)])
    before = (await upkeep.check_since(None)).counts
    found = {}
    for name in SUMS:
        for more, table in enumerate(ROLLUPS, 1):
            await pool.execute(f"UPDATE usage.{table} SET {name} = {name} + $1", more)
        counts = (await upkeep.check_since(None)).counts
        found[name] = {invariant for invariant, count in counts.items() if count}
        for more, table in enumerate(ROLLUPS, 1):
            await pool.execute(f"UPDATE usage.{table} SET {name} = {name} - $1", more)

    assert sum(before.values()) == 0
    assert found == {name: {table.invariant for table in TABLES} for name in SUMS}


def test_every_field_of_a_record_reaches_the_message() -> None:
    """By presence, so that a field forgotten on the way out is seen."""
    message = record_to_proto(full_record())

    assert {field.name for field, _ in message.ListFields()} == {
        field.name for field in pb.UsageRecord.DESCRIPTOR.fields
    }
