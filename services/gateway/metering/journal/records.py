"""What the journal says of a request. No prompts, no answers, no secrets."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from services.gateway.metering.hold import Ticket
from services.gateway.metering.older_versions import with_zeros
from services.gateway.metering.usage_record import UsageRecord


class Dispatched(msgspec.Struct, frozen=True, array_like=True, tag="D"):
    """It goes to a provider: `facts` are what its hold keeps too, in the same form (`hold.encode_facts`)."""

    ticket: Ticket
    facts: str


class Progress(msgspec.Struct, frozen=True, array_like=True, tag="P"):
    """So many output tokens have been delivered in all."""

    request_id: str
    delivered_tokens: int


class Settled(msgspec.Struct, frozen=True, array_like=True, tag="S"):
    """It ended: the whole row, and what admission needs to settle."""

    record: UsageRecord
    ticket: Ticket
    settled_at_us: int

    @property
    def tokens(self) -> int:
        """Return the tokens that count against the limits."""
        return self.record.tokens_input + self.record.tokens_output


class Voided(msgspec.Struct, frozen=True, array_like=True, tag="V"):
    """It never reached a provider: no row."""

    request_id: str


JournalRecord = Dispatched | Progress | Settled | Voided

encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(JournalRecord).decode
_SETTLED_TAG: Final = b"\xa1S"


def decode(payload: bytes) -> JournalRecord:
    """Return the record, also one that an earlier version wrote.

    Raises:
        msgspec.DecodeError: it is not one of ours.
    """
    try:
        record: JournalRecord = _decode(payload)
    except msgspec.ValidationError:
        if not is_settled(payload):
            raise
        return _decode_older_settled(payload)
    return record


def _decode_older_settled(payload: bytes) -> Settled:
    tag, record, *rest = msgspec.msgpack.decode(payload, type=tuple[str, list[Any], Any, Any])
    return msgspec.convert((tag, with_zeros(record, UsageRecord), *rest), Settled)


def is_settled(payload: bytes) -> bool:
    """Tell a SETTLED record by its first bytes: the shipper skips the others without decoding them."""
    return payload[1:3] == _SETTLED_TAG
