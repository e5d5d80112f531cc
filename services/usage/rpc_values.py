"""Conversions between protobuf messages and values that several rooms share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from servicekit.errors import invalid_parameter

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# What a datetime can hold; a Timestamp can hold more.
_FIRST_S: Final = -62_135_596_800
_LAST_S: Final = 253_402_300_799


def moment_from_proto(timestamp: Timestamp) -> datetime:
    """Return the moment, to the microsecond; one beyond the calendar becomes its first or last second."""
    seconds = min(max(timestamp.seconds, _FIRST_S), _LAST_S)
    return EPOCH + timedelta(seconds=seconds, microseconds=min(max(timestamp.nanos, 0), 999_999_999) // 1000)


def checked_moment(timestamp: Timestamp, param: str) -> datetime:
    """Return the moment.

    Raises:
        InvalidRequest: it is beyond the calendar; the field is named.
    """
    try:
        return timestamp.ToDatetime(UTC)
    except (ValueError, OverflowError) as exc:
        raise invalid_parameter(param, f"`{param}` is beyond the calendar.") from exc


def moment_if_set(message: Message, field: str) -> datetime | None:
    """Return the moment of a field, None where it is not set."""
    return moment_from_proto(getattr(message, field)) if message.HasField(field) else None


def stamp(moment: datetime | None) -> Timestamp | None:
    """Return the moment on the wire; None: it is left out."""
    if moment is None:
        return None
    message = Timestamp()
    message.FromDatetime(moment)
    return message
