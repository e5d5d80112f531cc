"""One usage record: what the gateway measured about one request, and how each of its fields is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, TypeAlias

from services.usage.domain.columns import Bounds, Column, annotations_of, columns_of

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# NUMERIC(10,6) roubles: four digits before the point.
MAX_COST_MICRO_RUB: Final = 9_999_999_999
MAX_INTEGER: Final = 2**31 - 1
# Everything here is an identifier or a code; a longer one would not fit into an index either (2,704 bytes).
MAX_TEXT: Final = 256
MAX_ATTEMPTS: Final = 64
# As OpenAI bounds `metadata`.
MAX_TAGS: Final = 16
MAX_TAG_NAME: Final = 64
MAX_TAG_VALUE: Final = 512
DIGEST_BYTES: Final = 16
# A gateway whose clock is ahead must not book into months that have not begun.
MAX_DAYS_AHEAD: Final = 2


class Status(StrEnum):
    """How a request ended."""

    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class Source(StrEnum):
    """Who counted the tokens. An estimate for a vanished gateway is replaced by any other record of the request."""

    PROVIDER = "provider"
    ESTIMATED = "estimated"
    REAPED = "reaped"
    DISPUTED = "disputed"
    IMPORTED = "imported"
    """Brought over from release 1.0, which measured no latency."""


# Fields that are bounded alike.
_TEXT: Final = Bounds(max_length=MAX_TEXT)
_NEEDED: Final = Bounds(required=True)
_NUMBER: Final = Bounds(max_value=MAX_INTEGER)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one provider."""

    provider: Annotated[str, _TEXT]
    model: Annotated[str, _TEXT]
    reason: Annotated[str, _TEXT]
    latency_ms: Annotated[int, Bounds()]


Id: TypeAlias = Annotated[
    str,
    Column(
        sql_type="uuid", stored_as="id", read="{}::text", bounds=Bounds(uuid_v7=True, max_days_ahead=MAX_DAYS_AHEAD)
    ),
]
Text: TypeAlias = Annotated[str, Column(sql_type="text", bounds=_TEXT)]
NeededText: TypeAlias = Annotated[str, Column(sql_type="text", bounds=Bounds(required=True, max_length=MAX_TEXT))]
Number: TypeAlias = Annotated[int, Column(sql_type="integer", bounds=_NUMBER)]
SummedNumber: TypeAlias = Annotated[int, Column(sql_type="integer", summed=True, bounds=_NUMBER)]
# Money is a whole number of micro-roubles until the row; the product is exact, a division would round.
SummedMoney: TypeAlias = Annotated[
    int,
    Column(
        sql_type="bigint",
        stored_as="cost",
        write="{} * 0.000001",
        read="({} * 1000000)::bigint",
        summed=True,
        bounds=Bounds(max_value=MAX_COST_MICRO_RUB),
    ),
]
Money: TypeAlias = Annotated[int, Column(sql_type="bigint", bounds=Bounds(max_value=MAX_COST_MICRO_RUB))]
SummedPlainMoney: TypeAlias = Annotated[
    int, Column(sql_type="bigint", summed=True, bounds=Bounds(max_value=MAX_COST_MICRO_RUB))
]
Flag: TypeAlias = Annotated[bool, Column(sql_type="boolean", bounds=Bounds())]
Moment: TypeAlias = Annotated[
    datetime | None, Column(sql_type="timestamptz", bounds=Bounds(max_days_ahead=MAX_DAYS_AHEAD))
]
Attempts: TypeAlias = Annotated[
    tuple[Attempt, ...],
    Column(sql_type="text", write="{}::jsonb", read="{}::text", is_json=True, bounds=Bounds(max_items=MAX_ATTEMPTS)),
]
Tags: TypeAlias = Annotated[
    Mapping[str, str],
    Column(
        sql_type="text",
        write="{}::jsonb",
        read="{}::text",
        is_json=True,
        bounds=Bounds(max_items=MAX_TAGS, max_name_length=MAX_TAG_NAME, max_length=MAX_TAG_VALUE),
    ),
]
Digest: TypeAlias = Annotated[bytes, Column(sql_type="bytea", bounds=Bounds(max_bytes=DIGEST_BYTES))]


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """What one request used. `request_id` is lower case; `None` marks a status or source that nobody knows.

    A field's type says how it is stored: SQL, rollups, checks, validation and the mapping from and to protobuf follow.
    """

    request_id: Id
    user_id: NeededText
    key_id: Text
    grant_id: Text
    client_id: Text
    provider: Text
    model: NeededText
    requested_model: Text
    resolved_model: Text
    endpoint: Text
    cost_micro_rub: SummedMoney
    tokens_input: SummedNumber
    tokens_output: SummedNumber
    tokens_cached: SummedNumber
    tokens_reasoning: SummedNumber
    price_version: Text
    status: Annotated[Status | None, Column(sql_type="text", bounds=_NEEDED)]
    source: Annotated[Source | None, Column(sql_type="text", bounds=_NEEDED)]
    finish_reason: Text
    error_code: Text
    stream: Flag
    http_status: Number
    latency_ms: Number
    first_token_ms: Number
    trace_id: Text
    attempts: Attempts
    started_at: Moment
    flags: Text
    over_hold_micro_rub: Money
    dropped_params: Text
    cache_status: Text
    metadata: Tags
    queue_ms: Number
    fallbacks: SummedNumber
    saved_micro_rub: SummedPlainMoney
    prompt_digest: Digest
    traits: Number

    @property
    def time_ms(self) -> int:
        """Return the Unix milliseconds inside the request id."""
        return id_time_ms(self.request_id)

    @property
    def created_at(self) -> datetime:
        """Return the time inside the request id, which picks the partition."""
        return EPOCH + timedelta(milliseconds=self.time_ms)

    @property
    def errors(self) -> int:
        """Return 1 of a request that failed."""
        return 1 if self.status is Status.FAILED else 0

    @property
    def output_ms(self) -> int:
        """Return the milliseconds from the first token to the end of a stream that a provider made."""
        return max(0, self.latency_ms - self.first_token_ms) if self._was_streamed else 0

    @property
    def tokens_streamed(self) -> int:
        """Return the tokens that were seen in `output_ms`: over it they are a speed."""
        return max(0, self.tokens_output - self.tokens_reasoning) if self._was_streamed else 0

    @property
    def _was_streamed(self) -> bool:
        return self.first_token_ms > 0 and self.cache_status != "hit"


COLUMNS: Final = columns_of(UsageRecord)
ATTEMPT_BOUNDS: Final = annotations_of(Attempt, Bounds)
# What a row does not keep because it follows from what it keeps; `column_sql` says the same of stored rows.
DERIVED: Final = ("errors", "output_ms", "tokens_streamed")
SUMMED: Final = (*[column.name for column in COLUMNS if column.summed], *DERIVED)


def id_time_ms(request_id: str) -> int:
    """Return the Unix milliseconds inside a UUIDv7."""
    return int(request_id[:8] + request_id[9:13], 16)
