"""Segments, their spare files, their lock and their marks, as they lie on the disk."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.gateway.metering.journal.place import BEGINNING, Marks, MarksFile, Place, read_marks
from services.gateway.metering.journal.segment_files import RESERVED_BYTES, SegmentFiles
from services.gateway.metering.journal.segments import (
    DirectoryLock,
    Segment,
    remove_directory,
    segment_numbers,
    segment_path,
)
from services.gateway.tests.metering.test_journal import files_no_larger_than


def opened_in(folder: Path) -> list[str]:
    """Return what this process has open there; other threads open and close files elsewhere."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.append(str(each.readlink()))
    return [path for path in found if path.startswith(f"{folder}/")]


def test_a_spare_file_has_its_space_and_no_content(tmp_path):
    """What lay there under its name is gone."""
    (tmp_path / "00000007.spare").write_bytes(b"x" * 9000)

    spare = Segment.reserve(tmp_path, 7, 5000)

    found = spare.path.stat()
    assert (spare.path, spare.number, spare.end, spare.next_ordinal) == (tmp_path / "00000007.spare", 7, 0, 0)
    assert (spare.open_requests, spare.is_displaced, spare.faults) == (0, False, [])
    assert found.st_size == 5000
    assert found.st_blocks * 512 >= 5000
    assert spare.read(10, 0) == bytes(10)
    assert segment_numbers(tmp_path) == []


def test_a_spare_file_without_room_leaves_nothing(tmp_path):
    """No name, no descriptor."""
    with files_no_larger_than(1000), pytest.raises(OSError, match="File too large"):
        Segment.reserve(tmp_path, 1, 5000)

    assert list(tmp_path.iterdir()) == []
    assert opened_in(tmp_path) == []


def test_a_segment_is_what_was_appended_and_nothing_behind_it(tmp_path):
    """Reserved space is given back when it is sealed."""
    segment = Segment.reserve(tmp_path, 12, 5000)
    segment.begin(40)
    segment.write(b"abc")
    segment.write(b"defg")
    size_before = segment.path.stat().st_size

    segment.seal()

    assert segment.path == segment_path(tmp_path, 12) == tmp_path / "00000012.seg"
    assert (segment.end, segment.next_ordinal, size_before) == (7, 42, 5000)
    assert segment.path.read_bytes() == b"abcdefg"
    assert (segment.read(3, 2), segment.read(100, 5)) == (b"cde", b"fg")
    assert [path.name for path in tmp_path.iterdir()] == ["00000012.seg"]


def test_half_a_write_is_none(tmp_path):
    """What of it reached the file is overwritten by the next."""
    segment = Segment.reserve(tmp_path, 1, 100)
    segment.begin(0)
    segment.write(b"abc")

    with files_no_larger_than(5), pytest.raises(OSError, match="no space left on device") as refused:
        segment.write(b"defg")
    segment.write(b"xy")

    assert refused.value.errno == errno.ENOSPC
    assert (segment.end, segment.next_ordinal) == (5, 2)
    assert segment.read(5, 0) == b"abcxy"


def test_a_segment_that_cannot_be_sealed_is_named(tmp_path):
    """Its descriptor is gone: nothing is lost by it, and somebody should know."""
    segment = Segment.reserve(tmp_path, 1, 100)
    segment.close()

    with capture_logs() as logged:
        segment.seal()

    [said] = logged
    assert (said["event"], said["segment"]) == ("journal.not_sealed", "00000001.spare")
    assert said["error"] == os.strerror(errno.EBADF)


def test_a_file_is_in_place_while_its_name_is_its_own(tmp_path):
    """Removed, and replaced by another of the same name."""
    segment = Segment.reserve(tmp_path, 1, 100)
    first = segment.is_in_place()
    segment.path.unlink()
    removed = segment.is_in_place()
    segment.path.write_bytes(b"another")

    assert (first, removed, segment.is_in_place()) == (True, False, False)


def test_a_discarded_segment_leaves_neither_name_nor_descriptor(tmp_path):
    """Also when somebody has removed it before."""
    first, second = Segment.reserve(tmp_path, 1, 100), Segment.reserve(tmp_path, 2, 100)
    second.path.unlink()

    before = len(opened_in(tmp_path))
    first.discard()
    second.discard()

    assert before == 2
    assert list(tmp_path.iterdir()) == []
    assert opened_in(tmp_path) == []


def test_segments_are_listed_by_their_numbers(tmp_path):
    """Oldest first, also where the names have become longer; what is none of ours is not one."""
    for name in ("100000000.seg", "00000009.seg", "00000010.seg", "notes.seg", "00000011.spare", "00000012.txt"):
        (tmp_path / name).touch()

    assert segment_numbers(tmp_path) == [9, 10, 100_000_000]


def test_a_lock_is_one_process_and_one_file(tmp_path):
    """A folder that is gone cannot be locked, and a lock whose file is gone locks nothing."""
    lock = DirectoryLock.take(tmp_path)
    assert lock is not None
    assert DirectoryLock.take(tmp_path) is None
    assert DirectoryLock.take(tmp_path / "gone") is None
    assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600
    assert lock.is_in_place()

    (tmp_path / "lock").unlink()
    second = DirectoryLock.take(tmp_path)

    assert not lock.is_in_place()
    assert second is not None
    assert second.is_in_place()
    second.free()
    third = DirectoryLock.take(tmp_path)
    assert third is not None


def test_who_does_not_get_a_lock_keeps_no_descriptor(tmp_path):
    """A gateway looks at its neighbours every minute."""
    lock = DirectoryLock.take(tmp_path)

    others = [DirectoryLock.take(tmp_path) for _ in range(5)]

    assert lock is not None
    assert others == [None] * 5
    assert opened_in(tmp_path) == [str(tmp_path / "lock")]


def test_a_journal_that_has_nothing_to_tell_is_removed(tmp_path):
    """With its spare files, its marks and its lock; what is not ours stays, and the folder with it."""
    for name in ("own", "kept"):
        (tmp_path / name).mkdir()
        for file in ("00000002.spare", "marks", "lock"):
            (tmp_path / name / file).touch()
    (tmp_path / "kept" / "note").touch()

    for name in ("own", "kept", "gone"):
        remove_directory(tmp_path / name)

    assert [path.relative_to(tmp_path) for path in tmp_path.rglob("*")] == [Path("kept"), Path("kept/note")]


def spares_for(tmp_path: Path, segment_bytes: int, size: int, requests: int) -> list[int]:
    """Return the sizes of the spare files that are taken for a frame and the ends of so many requests."""
    files = SegmentFiles(tmp_path, segment_bytes)
    files.reserve(size, requests)
    return [spare.path.stat().st_size for spare in files.spares]


@pytest.mark.parametrize(
    ("segment_ends", "size", "requests", "spares"),
    [(4, 0, 4, 1), (4, 1, 4, 2), (4, RESERVED_BYTES, 3, 1), (4, RESERVED_BYTES + 1, 3, 2), (4, 0, 0, 0), (1, 0, 3, 3)],
    ids=["just", "one byte more", "one end", "more than one end", "nothing", "an end each"],
)
def test_room_is_taken_for_a_frame_and_for_every_end(tmp_path, segment_ends, size, requests, spares):
    """In whole files."""
    segment_bytes = segment_ends * RESERVED_BYTES

    assert spares_for(tmp_path, segment_bytes, size, requests) == [segment_bytes] * spares


def test_a_spare_file_holds_an_end_however_small_segments_are(tmp_path):
    """Each of them one."""
    assert spares_for(tmp_path, 100, 10, 2) == [RESERVED_BYTES] * 3


def test_segments_are_numbered_on_and_a_full_one_is_sealed(tmp_path):
    """Numbers are never used twice; what is reserved is used first."""
    files = SegmentFiles(tmp_path, 2 * RESERVED_BYTES)
    files.reserve(0, 4)
    first = files.segment_for(10, 5)
    first.write(b"x" * 10)
    same = files.segment_for(2 * RESERVED_BYTES - 10, 6)
    next_one = files.segment_for(2 * RESERVED_BYTES - 9, 6)
    sealed = first.path.stat().st_size
    third = files.next_segment(6)

    assert same is first
    assert files.current is third
    assert (first.number, next_one.number, third.number) == (1, 2, 3)
    assert (first.next_ordinal, next_one.next_ordinal) == (6, 6)
    assert sealed == 10
    assert list(files.segments) == [1, 2, 3]
    assert files.spares == []


def test_a_frame_larger_than_a_segment_has_one_of_its_own(tmp_path):
    """An empty one takes it; the next begins another."""
    files = SegmentFiles(tmp_path, 100)
    first = files.segment_for(500, 0)
    first.write(b"x" * 500)

    assert files.segment_for(500, 1) is not first
    assert first.number == 1


def test_what_is_written_to_counts_as_far_as_it_is_free(tmp_path):
    """The rest of the current segment is room for ends, as whole ends."""
    files = SegmentFiles(tmp_path, 4 * RESERVED_BYTES)
    current = files.next_segment(0)
    current.write(b"x")
    files.reserve(0, 3)
    enough = list(files.spares)
    files.reserve(0, 4)

    assert enough == []
    assert len(files.spares) == 1
    files.forget()
    assert (files.segments, files.spares, files.current) == ({}, [], None)


def test_marks_are_read_back_as_they_were_written(tmp_path):
    """The later over the earlier, each number in its place."""
    file = MarksFile(tmp_path)
    marks = Marks(Place(1, 20, 300), Place(4000, 50_000, 2**40))

    file.write(Marks(BEGINNING, Place(9, 9, 9)))
    file.write(marks)
    file.close()

    found = read_marks(tmp_path)
    assert found is not None
    assert found == marks
    assert (found.confirmed.ordinal, found.written.ordinal) == (300, 2**40)
    assert stat.S_IMODE((tmp_path / "marks").stat().st_mode) == 0o600
    # The lowest free number is the next one's: the file that was closed must not write to it.
    (tmp_path / "another").write_bytes(b"")
    with (tmp_path / "another").open("r+b"), pytest.raises(OSError, match="Bad file descriptor"):
        file.write(marks)
    assert (tmp_path / "another").read_bytes() == b""


def test_marks_that_are_damaged_say_nothing(tmp_path):
    """Absent, cut, too long, or with one bit turned."""
    assert read_marks(tmp_path) is None
    MarksFile(tmp_path).write(Marks(BEGINNING, Place(3, 4, 5)))
    path = tmp_path / "marks"
    whole = path.read_bytes()

    for damaged in (b"", whole[:-1], whole + b"x", bytes([whole[0] ^ 1]) + whole[1:], whole[:-1] + b"?"):
        path.write_bytes(damaged)
        assert read_marks(tmp_path) is None


def test_a_place_is_behind_another_by_segment_and_offset():
    """Ordinals only count."""
    assert Place(1, 9, 9) < Place(2, 0, 0)
    assert Place(1, 1, 9) < Place(1, 2, 0)
    assert Place(1, 1, 9) == Place(1, 1, 0)
    assert (BEGINNING.segment, BEGINNING.offset, BEGINNING.ordinal) == (1, 0, 0)
