"""What the journal says of a request. No prompts, no answers, no secrets."""

from __future__ import annotations

from typing import Final

import msgspec

from services.gateway.metering.outcome import Dispatched
from services.gateway.metering.usage_record import Ticket, UsageRecord


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


class Probe(msgspec.Struct, frozen=True, array_like=True, tag="N"):
    """Nothing: written to see whether the disk takes records again."""

    at_us: int


JournalRecord = Dispatched | Progress | Settled | Voided | Probe

encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(JournalRecord).decode
_SETTLED_TAG: Final = b"\xa1S"


def decode(payload: bytes) -> JournalRecord:
    """Return the record.

    Raises:
        msgspec.DecodeError: it is not one of ours.
    """
    record: JournalRecord = _decode(payload)
    return record


def is_settled(payload: bytes) -> bool:
    """Tell a SETTLED record by its first bytes: the shipper skips the others without decoding them."""
    return payload[1:3] == _SETTLED_TAG
