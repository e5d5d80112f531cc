"""The living journal: what it says of itself, what it keeps, and what it lets go."""

from __future__ import annotations

import shutil

import pytest
from structlog.testing import capture_logs

from services.gateway.metering import metrics
from services.gateway.metering.journal.journal import Journal, JournalFull
from services.gateway.metering.journal.place import BEGINNING, Place, read_marks
from services.gateway.metering.journal.segments import Fault, segment_numbers, segment_path
from services.gateway.tests.metering.journal.test_readers import SIZE, journal_of, parts, payload
from services.gateway.tests.metering.test_journal import files_no_larger_than

FAULT = Fault(0, SIZE, 2, "damaged")


def test_a_new_journal_is_empty_and_ready(tmp_path):
    """With room for the first request, and no segment yet."""
    journal = journal_of(tmp_path, 0)

    assert (journal.is_ready, journal.has_room, journal.check_room()) == (True, True, True)
    assert (parts(journal.end), journal.oldest, journal.segments, journal.missing) == ((1, 0, 0), 1, 0, 0)
    assert metrics.READY._value.get() == 1
    assert len([*journal.directory.glob("*.spare")]) >= 1


def test_every_record_has_its_segment(tmp_path):
    """Three frames fit in one here."""
    journal = Journal.open(tmp_path, "boot", segment_bytes=3 * SIZE)

    assert [journal.append(payload(number)) for number in range(7)] == [1, 1, 1, 2, 2, 2, 3]
    assert (parts(journal.end), journal.oldest, journal.segments) == ((3, SIZE, 7), 1, 3)
    assert (journal.segments_from(1, 2), journal.segments_from(2, 9)) == ([1, 2], [2, 3])
    assert (journal.segment_after(1), journal.segment_after(2), journal.segment(2).number) == (2, 3, 2)


def test_what_is_stored_elsewhere_is_let_go_up_to_the_segment_of_its_end(tmp_path):
    """Its place is marked for who comes after."""
    journal = journal_of(tmp_path, 7)

    journal.acknowledge(Place(2, SIZE, 4))

    marks = read_marks(journal.directory)
    assert segment_numbers(journal.directory) == [2, 3]
    assert journal.oldest == 2
    assert marks is not None
    assert (parts(marks.confirmed), parts(marks.written)) == ((2, SIZE, 4), (3, SIZE, 7))


def test_open_requests_keep_their_segments_until_they_end_or_move(tmp_path):
    """Each segment counts its own."""
    journal = journal_of(tmp_path, 0)
    first = journal.begin_request(payload(0))
    second = journal.begin_request(payload(1))
    for number in (2, 3):
        journal.append(payload(number))
    open_before = journal.segment(first).open_requests

    moved = journal.move_request(first, payload(4))
    journal.end_request(second, payload(5))
    counts = {number: journal.segment(number).open_requests for number in journal.segments_from(1, 9)}
    journal.append(payload(6))
    journal.acknowledge(journal.end)
    kept = segment_numbers(journal.directory)
    journal.end_request(moved, payload(7))
    journal.acknowledge(journal.end)

    assert (first, second, moved, open_before) == (1, 1, 2, 2)
    assert counts == {1: 0, 2: 1}
    assert kept == [2, 3]
    assert segment_numbers(journal.directory) == [3]


def test_a_damaged_segment_makes_the_journal_not_ready_and_is_never_deleted(tmp_path):
    """The same fault counts once."""
    journal = journal_of(tmp_path, 7)
    corrupt, missing = metrics.CORRUPT._value.get(), metrics.MISSING._value.get()

    with capture_logs() as logged:
        journal.set_aside(1, FAULT)
        journal.set_aside(1, FAULT)
        journal.acknowledge(journal.end)

    assert (journal.is_ready, journal.has_room, journal.missing) == (False, True, 2)
    assert (metrics.CORRUPT._value.get() - corrupt, metrics.MISSING._value.get() - missing) == (1, 2)
    said = {each["event"]: each for each in logged}
    assert list(said) == ["journal.damaged", "journal.quarantined"]
    damaged = said["journal.damaged"]
    assert (damaged["segment"], damaged["offset"], damaged["reason"]) == ("00000001.seg", 0, "damaged")
    assert [path.name for path in (tmp_path / "quarantine").glob("*.seg")] == ["boot-00000001.seg"]
    assert segment_numbers(journal.directory) == [3]
    journal.check_room()
    assert metrics.READY._value.get() == 0


def test_a_segment_that_the_quarantine_cannot_take_stays_with_all_behind_it(tmp_path):
    """It is tried again with the next that is let go."""
    journal = journal_of(tmp_path, 7)
    (tmp_path / "quarantine").write_text("a file")

    with capture_logs() as logged:
        journal.set_aside(1, FAULT)
        journal.acknowledge(journal.end)
        kept = segment_numbers(journal.directory)
        (tmp_path / "quarantine").unlink()
        journal.acknowledge(journal.end)

    failed = [each for each in logged if each["event"] == "journal.quarantine_failed"]
    assert kept == [1, 2, 3]
    assert [(each["segment"], each["error"]) for each in failed] == [("00000001.seg", "File exists")]
    assert segment_numbers(journal.directory) == [3]


def test_a_journal_whose_records_are_all_stored_leaves_only_its_damage(tmp_path):
    """In the quarantine; its folder is gone."""
    journal = journal_of(tmp_path, 7)

    with capture_logs():
        journal.set_aside(3, FAULT)
        journal.close(remove=True)

    assert [path.name for path in tmp_path.iterdir()] == ["quarantine"]
    assert [path.name for path in (tmp_path / "quarantine").glob("*.seg")] == ["boot-00000003.seg"]


def test_a_journal_that_is_kept_has_no_spare_files_and_says_how_far_it_was_written(tmp_path):
    """What was not confirmed is sent by the next start."""
    journal = journal_of(tmp_path, 7)
    journal.acknowledge(Place(1, SIZE, 1))

    journal.close(remove=False)

    marks = read_marks(journal.directory)
    assert sorted(path.name for path in journal.directory.iterdir()) == [
        *[f"0000000{number}.seg" for number in (1, 2, 3)],
        "lock",
        "marks",
    ]
    assert segment_path(journal.directory, 3).stat().st_size == SIZE
    assert marks is not None
    assert (parts(marks.confirmed), parts(marks.written)) == ((1, SIZE, 1), (3, SIZE, 7))


def test_a_file_that_was_taken_away_is_followed_by_a_new_one(tmp_path):
    """It is said once; what was in it is still read."""
    journal = journal_of(tmp_path, 4)
    displaced = metrics.DISPLACED._value.get()
    assert journal.return_to_place() == []
    for number in (1, 2):
        segment_path(journal.directory, number).unlink()

    with capture_logs() as logged:
        lost = journal.return_to_place()
        again = journal.return_to_place()

    assert (lost, again) == ([1, 2], [1, 2])
    assert metrics.DISPLACED._value.get() == displaced + 2
    files = [str(segment_path(journal.directory, number)) for number in (1, 2)]
    assert [(each["event"], each["files"]) for each in logged] == [("journal.files_taken_away", files)]
    assert journal.append(payload(4)) > 2
    assert journal.segment(2).read(SIZE, 0)[-20:] == payload(3)


def test_a_folder_that_was_taken_away_is_made_and_locked_again(tmp_path):
    """With its marks, for its owner only."""
    journal = journal_of(tmp_path, 4)
    shutil.rmtree(journal.directory)

    with capture_logs():
        lost = journal.return_to_place()

    assert lost == [1, 2]
    assert journal.append(payload(4)) > 2
    assert journal.directory.stat().st_mode & 0o777 == 0o700
    assert (journal.directory / "marks").exists()
    assert (journal.directory / "lock").exists()
    assert journal.check_room()


def test_a_full_disk_is_said_once(tmp_path):
    """With the reason and the folder; a record that did not fit is not in the journal."""
    journal = journal_of(tmp_path, 1)

    with capture_logs() as logged, files_no_larger_than(10):
        for _ in range(2):
            with pytest.raises(JournalFull, match="File too large"):
                journal.append(payload(1))

    full = [each for each in logged if each["event"] == "journal.full"]
    assert [(each["error"], each["directory"]) for each in full] == [("File too large", str(journal.directory))]
    assert (journal.has_room, parts(journal.end)) == (False, (1, SIZE, 1))
    assert metrics.READY._value.get() == 0


async def test_a_sync_marks_how_far_the_journal_is_written(tmp_path):
    """A cut below that is no torn tail. Before the first record there is nothing to do."""
    journal = journal_of(tmp_path, 0)
    await journal.sync()
    first = read_marks(journal.directory)
    for number in range(4):
        journal.append(payload(number))

    await journal.sync()

    second = read_marks(journal.directory)
    assert first is not None
    assert second is not None
    assert parts(first.written) == parts(BEGINNING)
    assert parts(second.written) == parts(journal.end) == (2, SIZE, 4)
