"""Damage is kept and alarmed, never skipped: bits flip, files vanish, records make no sense."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
from structlog.testing import capture_logs

from services.gateway.metering import metrics
from services.gateway.metering.journal.frames import frames
from services.gateway.metering.journal.journal import Journal
from services.gateway.metering.journal.quarantine import FOLDER, Note
from services.gateway.metering.journal.records import Settled, encode
from services.gateway.metering.journal.segments import segment_path
from services.gateway.metering.settle import usage_record
from services.gateway.metering.usage_record import Source
from services.gateway.tests.metering.test_metering import leave_journal, metering_in
from services.gateway.tests.metering_kit import Settlements, Sink, completed, dispatched, facts, ticket


def settled(request_id: str) -> Settled:
    """Return the end of a completed request."""
    return Settled(usage_record(ticket(request_id), facts(), completed()), ticket(request_id), 1)


def leave_answers(root: Path, count: int) -> Path:
    """Write what a gateway left that served so many answers; return its only segment."""
    names = [f"r{number}" for number in range(count)]
    leave_journal(root, *[record for name in names for record in (dispatched(name), settled(name))])
    return segment_path(root / "dead", 1)


def flip(path: Path, offset: int) -> None:
    """Turn one bit."""
    with path.open("r+b") as file:
        file.seek(offset)
        [byte] = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 16]))


def notes(root: Path) -> list[Note]:
    """Return what the quarantine says."""
    return [msgspec.json.decode(path.read_bytes(), type=Note) for path in sorted((root / FOLDER).glob("*.json"))]


async def start_and_stop(root: Path, client, sink: Sink) -> list[str]:
    """Let a gateway recover what is there; return what it warned of."""
    with capture_logs():
        async with metering_in(root, client, sink, Settlements(), boot_id="next") as metering:
            warnings = metering.health.warnings()
    return warnings


async def test_behind_a_flipped_bit_every_answer_has_its_row(tmp_path, redis_client):
    """100 answers, SIGKILL, one bit at a quarter: 68 had no row, and the file was deleted without a word."""
    segment = leave_answers(tmp_path, 100)
    before = segment.read_bytes()
    flip(segment, len(before) // 4)
    sink = Sink()

    warnings = await start_and_stop(tmp_path, redis_client, sink)

    assert sink.rows.keys() == {f"r{number}" for number in range(100)}
    assert [row.source for row in sink.rows.values()].count(Source.PROVIDER) >= 99
    [kept] = (tmp_path / FOLDER).glob("*.seg")
    [note] = notes(tmp_path)
    [fault] = note.faults
    assert len(kept.read_bytes()) == len(before)
    assert (note.boot_id, note.segment, fault.missing) == ("dead", 1, 1)
    assert fault.start <= len(before) // 4 < fault.end
    assert warnings == [f"1 damaged journal files in {tmp_path / FOLDER}"]
    assert metrics.QUARANTINE._value.get() == 1


async def test_a_damaged_segment_keeps_no_room_that_it_never_used(tmp_path, redis_client):
    """Five of 16 MiB each, of some lines, filled a disk of 96: the gateway took no request ever after."""
    segment = leave_answers(tmp_path, 100)
    flip(segment, 10)
    with segment.open("ab") as file:
        file.write(bytes(8 << 20) + b"torn")
    before = segment.read_bytes()
    with segment.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, len(before))

    await start_and_stop(tmp_path, redis_client, Sink())

    [kept] = (tmp_path / FOLDER).glob("*.seg")
    assert kept.read_bytes() == before
    assert kept.stat().st_blocks * 512 < 1 << 20


async def test_a_torn_tail_is_normal(tmp_path, redis_client):
    """Nothing valid is behind it: it is cut, and nobody is called."""
    segment = leave_answers(tmp_path, 3)
    (tmp_path / "dead" / "marks").unlink()
    segment.write_bytes(segment.read_bytes()[:-5])
    sink = Sink()

    assert await start_and_stop(tmp_path, redis_client, sink) == []

    assert sink.rows["r2"].source is Source.ESTIMATED
    assert list(tmp_path.iterdir()) == []


async def test_a_cut_below_what_had_been_written_is_no_torn_tail(tmp_path, redis_client):
    """The marks say how far the file was written: whole frames cut off are missed."""
    segment = leave_answers(tmp_path, 3)
    data = segment.read_bytes()
    segment.write_bytes(data[: [found.start for found in frames(data)][-2]])

    await start_and_stop(tmp_path, redis_client, Sink())

    assert [(fault.missing, fault.reason) for note in notes(tmp_path) for fault in note.faults] == [(2, "damaged")]


async def test_a_segment_that_vanished_is_missed(tmp_path, redis_client):
    """The next one begins with a later ordinal than the one before ends with."""
    journal = Journal.open(tmp_path, "dead", segment_bytes=500)
    for number in range(6):
        journal.append(encode(settled(f"r{number}")))
    segments = journal.segments
    journal.close(remove=False)
    segment_path(tmp_path / "dead", 2).unlink()
    sink = Sink()

    await start_and_stop(tmp_path, redis_client, sink)

    missing = sum(fault.missing for note in notes(tmp_path) for fault in note.faults)
    assert segments > 2
    assert missing > 0
    assert len(sink.rows) + missing == 6


async def test_a_record_that_makes_no_sense_is_kept(tmp_path, redis_client):
    """Whole, but not one of ours: its segment goes to the quarantine, what is around it is shipped."""
    leave_journal(tmp_path, settled("before"), ["S", "of a later version"], settled("behind"))
    sink = Sink()

    await start_and_stop(tmp_path, redis_client, sink)

    assert sink.rows.keys() == {"before", "behind"}
    assert [fault.reason[:16] for note in notes(tmp_path) for fault in note.faults] == ["no record of our"]


async def test_a_damaged_frame_in_the_living_journal_makes_the_gateway_not_ready(tmp_path, redis_client):
    """Fewer read than written: not ready, the file is kept; the answer whose end is destroyed has a row, estimated."""
    sink = Sink()
    sink.is_away = True
    with capture_logs():
        async with metering_in(tmp_path, redis_client, sink, Settlements()) as metering:
            for number in range(4):
                await metering.dispatched(ticket(f"r{number}"), facts()).settle(completed())
            path = segment_path(tmp_path / "boot", 1)
            ends = [found.end for found in frames(path.read_bytes())]
            flip(path, ends[3] - 1)
            sink.is_away = False
            while len(sink.rows) < 4 or metering.unshipped:
                await metering.clock.sleep(0.001)
            accounts, problems = metering.accounts, metering.health.problems()

    assert {name: row.source for name, row in sink.rows.items()} == {
        "r0": Source.PROVIDER,
        "r1": Source.ESTIMATED,
        "r2": Source.PROVIDER,
        "r3": Source.PROVIDER,
    }
    assert problems == ["1 frames that were written to the journal cannot be read"]
    assert (accounts.appended, accounts.shipped, accounts.quarantined, accounts.unaccounted) == (5, 4, 1, 0)
    assert [fault.missing for note in notes(tmp_path) for fault in note.faults] == [1]


async def test_rows_reach_the_books_when_the_folder_is_removed_under_a_running_gateway(tmp_path, redis_client):
    """10 answers had no row: the open files still hold them, and a new folder takes what comes after."""
    root, sink = tmp_path / "journal", Sink()
    with capture_logs():
        async with metering_in(root, redis_client, sink, Settlements()) as metering:
            open_before = metering.dispatched(ticket("open"), facts())
            shutil.rmtree(root)
            for number in range(10):
                await metering.dispatched(ticket(f"r{number}"), facts()).settle(completed())
            while metering.unshipped:
                await metering.clock.sleep(0.001)
            while not list((root / "boot").glob("*.seg")):
                await metering.clock.sleep(0.01)
            is_ready = metering.is_ready
            said = segment_path(root / "boot", 2).read_bytes()
            await open_before.settle(completed())

    assert is_ready
    assert encode(dispatched("open")) in said
    assert sink.rows.keys() == {"open", *[f"r{number}" for number in range(10)]}
    assert list(root.iterdir()) == []


async def test_what_was_confirmed_is_not_sent_again_by_the_next_start(tmp_path, redis_client):
    """A stop with one record left replayed all 1,291 of its segment."""
    sink, later = Sink(), Sink()
    with capture_logs():
        async with metering_in(tmp_path, redis_client, sink, Settlements(), drain_at_stop_s=0.05) as metering:
            for number in range(20):
                await metering.dispatched(ticket(f"r{number}"), facts()).settle(completed())
            while metering.unshipped:
                await metering.clock.sleep(0.001)
            sink.is_away = True
            await metering.dispatched(ticket("last"), facts()).settle(completed())
    await start_and_stop(tmp_path, redis_client, later)

    assert later.rows.keys() == {"last"}
    assert list(tmp_path.iterdir()) == []
