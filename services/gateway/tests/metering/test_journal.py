"""The journal: what is appended is read back, whatever is cut off."""

from __future__ import annotations

import os
import resource
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.gateway.metering.journal.frames import HEADER, Frame, frame, frames, walk
from services.gateway.metering.journal.journal import Journal, JournalFull, JournalLocked
from services.gateway.metering.journal.reader import DeadJournal, JournalReader
from services.gateway.metering.journal.segments import DirectoryLock, segment_numbers, segment_path


def written(payloads: list[bytes]) -> bytes:
    """Return the payloads as they stand in a file."""
    return b"".join(frame(payload, ordinal) for ordinal, payload in enumerate(payloads))


def read_dead(directory: Path) -> list[bytes]:
    """Return every payload that a dead journal still has."""
    return [payload for _, payload in DeadJournal(directory).read()]


payloads = st.lists(st.binary(min_size=1, max_size=300), max_size=40)


@given(payloads=payloads, cut=st.integers(0, 20_000))
def test_every_whole_frame_before_a_cut_is_returned_and_none_is_invented(payloads, cut):
    """Truncate anywhere: a prefix of what was written comes back."""
    data = written(payloads)[:cut]

    read = [found.payload for found in frames(data)]

    assert read == payloads[: len(read)]
    whole = sum(len(payload) + HEADER.size for payload in payloads[: len(read) + 1])
    assert len(read) == len(payloads) or whole > len(data)


@given(payloads=payloads.filter(bool), flip=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_flipped_bit_costs_the_frame_it_is_in_and_no_other(payloads, flip, bit):
    """Reading goes on behind the damage, and the ordinals tell what is missing."""
    data = bytearray(written(payloads))
    data[flip % len(data)] ^= 1 << bit

    found = walk(lambda size, offset: bytes(data[offset : offset + size]), 0, len(data))
    read = {each.ordinal: each.payload for each in found if isinstance(each, Frame)}

    assert len(read) == len(payloads) - 1
    assert all(payloads[ordinal] == payload for ordinal, payload in read.items())


def test_a_run_of_zero_bytes_is_no_frame():
    """A file system may leave zeros after a power cut."""
    assert [found.payload for found in frames(frame(b"x", 0) + bytes(100))] == [b"x"]


@settings(max_examples=40, deadline=None)
@given(payloads=payloads.filter(bool), segment_bytes=st.integers(20, 2000), cut=st.integers(0, 400))
def test_a_dead_journal_is_read_up_to_its_torn_tail(payloads, segment_bytes, cut):
    """Over any number of segments, with the end of the last one missing."""
    with tempfile.TemporaryDirectory() as root:
        journal = Journal.open(Path(root), "boot", segment_bytes=segment_bytes)
        for payload in payloads:
            journal.append(payload)
        last = segment_path(journal.directory, segment_numbers(journal.directory)[-1])
        in_last = len([*frames(last.read_bytes())])
        os.truncate(last, max(0, journal.end.offset - cut))
        kept_in_last = len([*frames(last.read_bytes())])

        with capture_logs():
            read = read_dead(journal.directory)

        assert read == payloads[: len(payloads) - in_last + kept_in_last]
        journal.close(remove=False)


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.one_of(st.binary(min_size=1, max_size=100), st.none()), max_size=60),
    segment_bytes=st.integers(20, 500),
)
def test_a_reader_follows_the_writer(steps, segment_bytes):
    """Reading between appends yields everything once, in order, and acknowledged segments disappear."""
    with tempfile.TemporaryDirectory() as root:
        journal = Journal.open(Path(root), "boot", segment_bytes=segment_bytes)
        reader = JournalReader(journal)
        read: list[bytes] = []

        for step in [*steps, None]:
            if step is not None:
                journal.append(step)
                continue
            until = journal.end
            read += [payload for _, payload in reader.read(until)]
            reader.place = until
            journal.acknowledge(until)

        assert read == [step for step in steps if step is not None]
        assert segment_numbers(journal.directory) == ([journal.end.segment] if read else [])
        journal.close(remove=True)
        assert list(Path(root).iterdir()) == []


def test_a_segment_with_an_open_request_is_kept_with_all_after_it(tmp_path):
    """Deleting in order keeps a DISPATCHED from outliving its SETTLED."""
    journal = Journal.open(tmp_path, "boot", segment_bytes=100)
    first = journal.begin_request(b"x" * 80)
    for _ in range(3):
        journal.append(b"y" * 80)

    journal.acknowledge(journal.end)
    kept = segment_numbers(journal.directory)
    journal.end_request(first, b"z" * 80)
    journal.acknowledge(journal.end)

    assert kept == [1, 2, 3, 4]
    assert segment_numbers(journal.directory) == [5]
    journal.close(remove=True)


def test_a_boot_directory_has_one_owner(tmp_path):
    """Another process with the same boot id is refused; a free lock is a dead owner."""
    journal = Journal.open(tmp_path, "boot")
    assert DirectoryLock.take(journal.directory) is None

    with pytest.raises(JournalLocked):
        Journal.open(tmp_path, "boot")

    journal.close(remove=False)
    assert DirectoryLock.take(journal.directory) is not None


def test_files_are_for_their_owner_only(tmp_path):
    """Usage is nobody else's business."""
    journal = Journal.open(tmp_path, "boot")
    journal.append(b"x")

    assert stat.S_IMODE(segment_path(journal.directory, 1).stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.directory.stat().st_mode) == 0o700
    journal.close(remove=True)


@contextmanager
def files_no_larger_than(size: int):
    """A full disk, as far as a write can tell."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_makes_the_journal_not_ready_and_leaves_no_torn_frame(tmp_path):
    """The record that did not fit is reported; when there is room again everything goes on."""
    journal = Journal.open(tmp_path, "boot")
    journal.append(b"before")
    with capture_logs(), files_no_larger_than(40):
        with pytest.raises(JournalFull):
            journal.append(b"x" * 100)
        was_ready = journal.is_ready

    journal.append(b"after")

    assert not was_ready
    assert journal.check_room()
    assert read_dead(journal.directory) == [b"before", b"after"]
    journal.close(remove=True)


@pytest.mark.parametrize("payload", [b"", b"x" * ((1 << 20) + 1)], ids=["empty", "huge"])
def test_a_frame_that_could_not_be_read_back_is_not_written(payload):
    """The reader's bounds hold for the writer."""
    with pytest.raises(ValueError, match="a frame holds"):
        frame(payload, 0)
