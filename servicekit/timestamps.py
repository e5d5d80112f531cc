"""Moments on the wire: `google.protobuf.Timestamp` can say more than the calendar holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from servicekit.errors import invalid_parameter

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_S: Final = -62_135_596_800
_LAST_S: Final = 253_402_300_799
_MOST_NANOS: Final = 999_999_999


def timestamp_to_proto(timestamp: datetime | None) -> Timestamp | None:
    """Return the moment on the wire, exact to the microsecond; None: it is left out."""
    if timestamp is None:
        return None
    since = timestamp - EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def timestamp_from_proto(stamp: Timestamp, param: str) -> datetime:
    """Return the moment, cut to the microsecond.

    Raises:
        InvalidRequest: it is beyond the calendar; the field is named.
    """
    if not _FIRST_S <= stamp.seconds <= _LAST_S or not 0 <= stamp.nanos <= _MOST_NANOS:
        raise invalid_parameter(param, f"`{param}` is beyond the calendar.")
    return _moment(stamp.seconds, stamp.nanos)


def nearest_from_proto(stamp: Timestamp) -> datetime:
    """Return the moment, cut to the microsecond; one beyond the calendar becomes its first or last second."""
    return _moment(min(max(stamp.seconds, _FIRST_S), _LAST_S), min(max(stamp.nanos, 0), _MOST_NANOS))


def _moment(seconds: int, nanos: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1_000)
