"""Frames byte by byte: what is one, where reading goes on, and what is said of the rest."""

from __future__ import annotations

import zlib

import pytest

from services.gateway.metering.journal.frames import (
    CHUNK,
    HEADER,
    MAGIC,
    MAX_PAYLOAD,
    Frame,
    Unreadable,
    frame,
    frames,
    walk,
)

HIGH = 5 << 32 | 7


def walked(data: bytes, start: int = 0, end: int | None = None) -> list[Frame | Unreadable]:
    """Return what is found between two offsets of a file."""
    return [*walk(lambda size, offset: data[offset : offset + size], start, len(data) if end is None else end)]


def test_a_frame_is_its_magic_its_ordinal_its_length_its_sum_and_its_payload():
    """In this order, little-endian; the sum covers both halves of the ordinal."""
    whole = frame(b"abc", HIGH)

    assert whole[:14] == b"\xf5J" + HIGH.to_bytes(8, "little") + (3).to_bytes(4, "little")
    assert whole[14:] == zlib.crc32(b"abc", 5 ^ 7).to_bytes(4, "little") + b"abc"
    assert walked(whole) == [Frame(0, 21, HIGH, b"abc")]


@pytest.mark.parametrize("size", [1, MAX_PAYLOAD])
def test_the_shortest_and_the_longest_frame_are_read_back(size):
    """The bounds are the same on both sides."""
    payload = b"x" * size

    assert walked(frame(payload, 3)) == [Frame(0, HEADER.size + size, 3, payload)]


def test_a_payload_without_a_frame_is_told_the_bounds():
    """And how long it is."""
    with pytest.raises(ValueError, match=r"^a frame holds 1 to 1048576 bytes, not 0$"):
        frame(b"", 0)


@pytest.mark.parametrize("size", [0, MAX_PAYLOAD + 1], ids=["empty", "too long"])
def test_what_no_writer_writes_is_no_frame_even_if_its_sum_is_right(size):
    """Zeros after a power cut must not look like an endless run of empty frames."""
    payload = b"x" * size
    forged = HEADER.pack(MAGIC, 0, size, zlib.crc32(payload)) + payload

    assert walked(forged) == [Unreadable(0, len(forged))]
    assert [*frames(forged)] == []


def test_reading_begins_where_it_is_told_to():
    """Offsets are those of the file, wherever reading began and ends."""
    data = b"".join(frame(bytes([65 + at]) * 10, at) for at in range(4))
    one = HEADER.size + 10
    expected = [Frame(at * one, (at + 1) * one, at, bytes([65 + at]) * 10) for at in range(4)]

    assert [*frames(data)] == expected
    assert [*frames(data, one)] == expected[1:]
    assert walked(data, one, 3 * one) == expected[1:3]
    assert walked(data, 2 * one, 2 * one) == []


def test_a_frame_that_is_cut_is_no_frame():
    """Whether in its payload or in its header."""
    data = frame(b"first", 0) + frame(b"second", 1)
    whole = HEADER.size + 5

    for end in (len(data) - 1, whole + HEADER.size, whole + HEADER.size - 1, whole + 1):
        assert walked(data, 0, end) == [Frame(0, whole, 0, b"first"), Unreadable(whole, end)]


def test_reading_goes_on_at_the_next_frame_behind_damage():
    """What lies between is reported once, with its bytes; a magic that begins no frame is part of it."""
    damage = bytearray(frame(b"x" + MAGIC + b"x" * 40, 0))
    damage[-1] ^= 1
    behind = frame(b"behind", 1)
    data = bytes(damage) + behind + b"tail"
    starts = len(damage)

    assert walked(data) == [
        Unreadable(0, starts),
        Frame(starts, starts + len(behind), 1, b"behind"),
        Unreadable(starts + len(behind), len(data)),
    ]
    assert walked(b"?" + behind) == [Unreadable(0, 1), Frame(1, 1 + len(behind), 1, b"behind")]


@pytest.mark.parametrize("byte", range(2, HEADER.size))
def test_every_byte_of_the_header_counts(byte):
    """One that is changed makes no frame of another kind."""
    data = bytearray(frame(b"payload", HIGH))
    data[byte] ^= 1

    assert walked(bytes(data)) == [Unreadable(0, len(data))]


@pytest.mark.parametrize(
    "size", [1000, CHUNK - HEADER.size, CHUNK, 3 * CHUNK], ids=["small", "chunk", "more", "far more"]
)
def test_a_file_longer_than_what_is_read_at_once_has_no_seams(size):
    """Frames that lie across the border of two chunks, and frames longer than one."""
    payloads = [bytes([at % 256]) * size for at in range(3 + 2 * CHUNK // size)]

    found = walked(b"".join(frame(payload, at) for at, payload in enumerate(payloads)))

    whole = HEADER.size + size
    assert found == [Frame(at * whole, (at + 1) * whole, at, payload) for at, payload in enumerate(payloads)]


def test_no_more_is_read_at_once_than_is_needed():
    """A chunk where frames are small, a frame where one is large, and never beyond the end."""
    data = frame(b"x" * 2 * CHUNK, 0) + frame(b"y" * 10, 1) + b"behind the end"
    asked: list[tuple[int, int]] = []

    def read(size: int, offset: int) -> bytes:
        asked.append((size, offset))
        return data[offset : offset + size]

    large, small = HEADER.size + 2 * CHUNK, HEADER.size + 10
    found = [*walk(read, 0, large + small)]

    assert [each.end for each in found] == [large, large + small]
    assert asked == [(CHUNK, 0), (large, 0), (small, large)]
