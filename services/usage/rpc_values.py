"""Conversions between protobuf messages and values that several rooms share."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.message import Message

from servicekit.timestamps import nearest_from_proto


def moment_if_set(message: Message, field: str) -> datetime | None:
    """Return the moment of a field, None where it is not set."""
    return nearest_from_proto(getattr(message, field)) if message.HasField(field) else None
