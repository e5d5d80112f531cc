"""Timestamps at the border: absent means None."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp


def moment(message: Message, field: str) -> datetime | None:
    """Return the timestamp of this field, aware, in UTC; None when it was not set."""
    if not message.HasField(field):
        return None
    stamp: Timestamp = getattr(message, field)
    return stamp.ToDatetime(tzinfo=UTC)


def to_timestamp(unix_us: int) -> Timestamp:
    """Return microseconds of Unix time as a Timestamp."""
    return Timestamp(seconds=unix_us // 1_000_000, nanos=unix_us % 1_000_000 * 1000)


def to_unix_us(stamp: Timestamp) -> int:
    """Return a Timestamp as microseconds of Unix time."""
    return stamp.seconds * 1_000_000 + stamp.nanos // 1000
