"""What the readers of a journal say of damage: which bytes of which segment, and how many frames."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.gateway.metering import metrics
from services.gateway.metering.journal.frames import HEADER, MAGIC, MAX_PAYLOAD, frame
from services.gateway.metering.journal.journal import Journal
from services.gateway.metering.journal.place import BEGINNING, Place, read_marks
from services.gateway.metering.journal.reader import DeadJournal, JournalReader, readable
from services.gateway.metering.journal.segments import Fault, segment_path

SIZE = HEADER.size + 20
IN_ONE = 3


def payload(number: int) -> bytes:
    """Return the payload of a frame."""
    return b"%020d" % number


def journal_of(root: Path, count: int) -> Journal:
    """Return a living journal with so many frames, three a segment."""
    journal = Journal.open(root, "boot", segment_bytes=IN_ONE * SIZE)
    for number in range(count):
        journal.append(payload(number))
    return journal


def left(root: Path, count: int = 9, *, damaged: tuple[int, ...] = (), marks: bool = True) -> Path:
    """Return the folder of a dead journal with so many frames, some of them damaged."""
    journal = journal_of(root, count)
    journal.close(remove=False)
    for number in damaged:
        damage(journal.directory, number)
    if not marks:
        (journal.directory / "marks").unlink()
    return journal.directory


def damage(directory: Path, number: int) -> None:
    """Turn a bit of a frame's payload."""
    with segment_path(directory, number // IN_ONE + 1).open("r+b") as file:
        file.seek(number % IN_ONE * SIZE + HEADER.size)
        file.write(b"\xff")


def parts(place: Place) -> tuple[int, int, int]:
    """Return a place with its ordinal, which does not count when places are compared."""
    return place.segment, place.offset, place.ordinal


def place_of(number: int) -> tuple[int, int, int]:
    """Return where a frame ends."""
    return number // IN_ONE + 1, (number % IN_ONE + 1) * SIZE, number + 1


def read(directory: Path) -> tuple[list[int], dict[int, list[Fault]]]:
    """Return the numbers of the frames that are read, and the faults."""
    journal = DeadJournal(directory)
    with capture_logs():
        found = [*journal.read()]
    assert [parts(place) for place, _ in found] == [place_of(int(content)) for _, content in found]
    return [int(content) for _, content in found], journal.faults


def test_a_whole_journal_is_read_without_a_fault(tmp_path):
    """Each frame with the place where it ends; a segment by itself as well."""
    directory = left(tmp_path)

    assert read(directory) == ([*range(9)], {})
    found = [*DeadJournal(directory).read_segment(2)]
    assert [(parts(place), content) for place, content in found] == [(place_of(at), payload(at)) for at in (3, 4, 5)]


@pytest.mark.parametrize(
    ("damaged", "faults"),
    [
        ((0,), {1: [Fault(0, SIZE, 1, "damaged")]}),
        ((1,), {1: [Fault(SIZE, 2 * SIZE, 1, "damaged")]}),
        ((0, 1), {1: [Fault(0, 2 * SIZE, 2, "damaged")]}),
        ((2,), {1: [Fault(2 * SIZE, 3 * SIZE, 1, "damaged")]}),
        ((2, 3), {1: [Fault(2 * SIZE, 3 * SIZE, 2, "damaged")]}),
        ((8,), {3: [Fault(2 * SIZE, 3 * SIZE, 1, "damaged")]}),
        ((1, 7), {1: [Fault(SIZE, 2 * SIZE, 1, "damaged")], 3: [Fault(SIZE, 2 * SIZE, 1, "damaged")]}),
    ],
    ids=["first", "second", "two", "last of a segment", "over a border", "last", "one here, one there"],
)
def test_damage_is_told_by_its_bytes_and_its_frames(tmp_path, damaged, faults):
    """In the segment in which reading ended; the others are read."""
    directory = left(tmp_path, damaged=damaged)
    corrupt, missing = metrics.CORRUPT._value.get(), metrics.MISSING._value.get()

    found = read(directory)

    assert found == ([number for number in range(9) if number not in damaged], faults)
    told = [fault for each in faults.values() for fault in each]
    assert metrics.CORRUPT._value.get() == corrupt + len(told)
    assert metrics.MISSING._value.get() == missing + len(damaged)


def test_without_marks_damage_at_the_beginning_is_seen_all_the_same(tmp_path):
    """How many frames it were nobody knows: one at least."""
    numbers, faults = read(left(tmp_path, damaged=(0, 1), marks=False))

    assert (numbers, faults) == ([*range(2, 9)], {1: [Fault(0, 2 * SIZE, 1, "damaged")]})


@pytest.mark.parametrize(
    ("gone", "faults"),
    [
        (1, {2: [Fault(0, 0, 3, "frames before it are missing")]}),
        (2, {1: [Fault(3 * SIZE, 3 * SIZE, 3, "damaged")]}),
        (3, {2: [Fault(3 * SIZE, 3 * SIZE, 3, "damaged")]}),
    ],
    ids=["first", "middle", "last"],
)
def test_a_segment_that_is_gone_is_missed_by_its_neighbour(tmp_path, gone, faults):
    """The one before it, or the one behind when there is none before."""
    directory = left(tmp_path)
    segment_path(directory, gone).unlink()

    assert read(directory) == ([number for number in range(9) if number // IN_ONE + 1 != gone], faults)


ENDS = {
    "nothing": (b"", False),
    "zeros": (bytes(50), False),
    "half a magic": (MAGIC[:1], False),
    "a magic": (MAGIC, False),
    "half a header": (frame(b"x" * 50, 1)[: HEADER.size - 1], False),
    "half a payload": (frame(b"x" * 50, 1)[:-1], False),
    "another byte": (b"x", True),
    "something short": (b"x" * 5, True),
    "something long": (b"x" * 100, True),
    "too long a frame": (HEADER.pack(MAGIC, 1, MAX_PAYLOAD + 1, 5) + b"x", True),
    "as long as may be": (HEADER.pack(MAGIC, 1, MAX_PAYLOAD, 5) + b"x", False),
    "whole and damaged": (frame(b"x" * 50, 1)[:-1] + b"y", True),
    "magic and something": (MAGIC[:1] + b"x", True),
}


@pytest.mark.parametrize(("tail", "is_fault"), ENDS.values(), ids=ENDS.keys())
def test_a_torn_end_is_no_fault_and_any_other_is(tmp_path, tail, is_fault):
    """A writer that dies leaves the beginning of a frame, or zeros."""
    directory = left(tmp_path, 1, marks=False)
    path = segment_path(directory, 1)
    path.write_bytes(path.read_bytes() + tail)

    numbers, faults = read(directory)

    assert numbers == [0]
    assert faults == ({1: [Fault(SIZE, SIZE + len(tail), 1, "damaged")]} if is_fault else {})


def test_an_empty_journal_has_nothing_and_misses_nothing(tmp_path):
    """A gateway that never had a request."""
    assert read(left(tmp_path, 0)) == ([], {})


def test_a_segment_that_was_taken_over_is_not_missed_by_the_next(tmp_path):
    """The mark goes up to the first frame of the segment behind, and at the end up to what was written."""
    directory = left(tmp_path)
    journal = DeadJournal(directory)
    assert len([*journal.read()]) == 9

    journal.confirm(1)
    segment_path(directory, 1).unlink()
    first = read_marks(directory)
    rest = read(directory)
    journal.confirm(3)
    last = read_marks(directory)

    assert first is not None
    assert last is not None
    assert (parts(first.confirmed), parts(first.written)) == ((2, 0, 3), place_of(8))
    assert rest == ([*range(3, 9)], {})
    assert (parts(last.confirmed), parts(last.written)) == ((4, 0, 9), (4, 0, 9))
    assert parts(journal.confirmed) == (4, 0, 9)


def test_without_marks_the_last_segment_is_confirmed_as_far_as_it_was_read(tmp_path):
    """Its frames are what is known."""
    directory = left(tmp_path, 4, marks=False)
    journal = DeadJournal(directory)
    assert journal.confirmed == BEGINNING
    assert len([*journal.read()]) == 4

    journal.confirm(2)

    marks = read_marks(directory)
    assert marks is not None
    assert (parts(marks.confirmed), parts(marks.written)) == ((3, 0, 4), (3, 0, 4))


def test_the_same_fault_is_told_once(tmp_path):
    """Two in one segment are two."""
    journal = DeadJournal(left(tmp_path))
    corrupt, missing = metrics.CORRUPT._value.get(), metrics.MISSING._value.get()
    one, other = Fault(0, 9, 2, "x"), Fault(9, 12, 3, "x")

    with capture_logs() as logged:
        for fault in (one, one, other, one):
            journal.set_aside(2, fault)

    assert journal.faults == {2: [one, other]}
    assert (metrics.CORRUPT._value.get() - corrupt, metrics.MISSING._value.get() - missing) == (2, 5)
    assert [each["event"] for each in logged] == ["journal.damaged"] * 2
    assert {each["segment"] for each in logged} == {str(segment_path(journal.directory, 2))}
    assert [each["fault"] for each in logged] == [str(one), str(other)]


@pytest.mark.parametrize(
    ("damaged", "segment", "fault"),
    [
        (1, 1, Fault(SIZE, 2 * SIZE, 1, "damaged")),
        (2, 1, Fault(2 * SIZE, 3 * SIZE, 1, "damaged")),
        (3, 2, Fault(0, SIZE, 1, "damaged")),
        (6, 3, Fault(0, SIZE, 1, "damaged")),
    ],
    ids=["inside", "last of a segment", "first of a segment", "last of all"],
)
def test_the_reader_of_the_living_reports_what_it_cannot_read(tmp_path, damaged, segment, fault):
    """And reads all the rest, once, with its places."""
    journal = journal_of(tmp_path, 7)
    damage(journal.directory, damaged)
    reader = JournalReader(journal)

    with capture_logs():
        found = [*reader.read(journal.end)]

    rest = [number for number in range(7) if number != damaged]
    assert [(parts(place), content) for place, content in found] == [(place_of(at), payload(at)) for at in rest]
    assert [journal.segment(number).faults for number in (1, 2, 3)] == [
        [fault] if number == segment else [] for number in (1, 2, 3)
    ]
    assert journal.missing == 1
    assert [*readable(journal)] == [payload(at) for at in rest]


def test_the_reader_goes_on_where_it_was_left(tmp_path):
    """Up to where it is told to, and not further."""
    journal = journal_of(tmp_path, 2)
    reader = JournalReader(journal)
    half = journal.end
    for number in range(2, 7):
        journal.append(payload(number))

    first = [int(content) for _, content in reader.read(half)]
    reader.place = half

    assert first == [0, 1]
    assert [int(content) for _, content in reader.read(journal.end)] == [2, 3, 4, 5, 6]
    assert journal.missing == 0
