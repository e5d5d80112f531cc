"""Places in a journal, and the file that marks how far it is written and how far it is confirmed."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.gateway.metering.journal import descriptors
from services.gateway.metering.journal.segments import MARKS

_FIELDS: Final = struct.Struct("<6Q")
_CHECKSUM: Final = struct.Struct("<I")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a frame ends: segment number and offset; `ordinal` is that of the frame that begins there."""

    segment: int
    offset: int
    ordinal: int = field(default=0, compare=False)


BEGINNING: Final = Place(1, 0, 0)


@dataclass(frozen=True, slots=True)
class Marks:
    """Everything before `confirmed` is stored elsewhere; everything before `written` was in the file once."""

    confirmed: Place
    written: Place


class MarksFile:
    """A small file that is overwritten in place; what a power cut does to it costs a repetition, never a record."""

    def __init__(self, directory: Path) -> None:
        self._descriptor = os.open(directory / MARKS, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(self, marks: Marks) -> None:
        """Remember the marks.

        Raises:
            OSError: those before stay.
        """
        places = (marks.confirmed, marks.written)
        fields = _FIELDS.pack(*[part for place in places for part in (place.segment, place.offset, place.ordinal)])
        os.pwrite(self._descriptor, fields + _CHECKSUM.pack(zlib.crc32(fields)), 0)

    def close(self) -> None:
        """Close the file."""
        self._descriptor = descriptors.close(self._descriptor)


def read_marks(directory: Path) -> Marks | None:
    """Return the marks of a dead journal; None when nobody can say."""
    try:
        data = (directory / MARKS).read_bytes()
    except OSError:
        return None
    if len(data) != _FIELDS.size + _CHECKSUM.size:
        return None
    fields = data[: _FIELDS.size]
    if _CHECKSUM.unpack(data[_FIELDS.size :])[0] != zlib.crc32(fields):
        return None
    values = _FIELDS.unpack(fields)
    return Marks(Place(*values[:3]), Place(*values[3:]))
