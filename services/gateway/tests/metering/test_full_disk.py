"""A full disk: what was begun can be ended, what is said of readiness is what a request meets, nothing is dropped."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import dataclass
from itertools import takewhile

import msgspec
import pytest
from structlog.testing import capture_logs

from servicekit.errors import Unavailable
from services.gateway.metering.journal.frames import HEADER
from services.gateway.metering.journal.journal import Journal, JournalFull
from services.gateway.metering.journal.records import Settled, encode
from services.gateway.metering.journal.segment_files import RESERVED_BYTES
from services.gateway.metering.metering import Meter
from services.gateway.metering.settle import usage_record
from services.gateway.metering.usage_record import Attempt, Status, UsageRecord
from services.gateway.tests.metering.test_journal import files_no_larger_than
from services.gateway.tests.metering.test_metering import metering_in
from services.gateway.tests.metering_kit import Settlements, Sink, completed, facts, ticket

ROOM_FOR = 4


@dataclass
class Disk:
    """One that can be full: then no file gets room, and files that have room can be written."""

    is_full: bool = False

    def allocate(self, descriptor: int, offset: int, length: int) -> None:
        """Reserve as the file system does."""
        if self.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.truncate(descriptor, offset + length)


@pytest.fixture
def disk(monkeypatch) -> Disk:
    """The disk under every journal of a test."""
    disk = Disk()
    monkeypatch.setattr(os, "posix_fallocate", disk.allocate)
    return disk


async def test_ready_says_what_a_request_meets_and_every_begun_one_can_end(disk, tmp_path, redis_client):
    """Requests got 503 while /ready said 200; after a SIGKILL two completed streams were `interrupted`."""
    sink, later = Sink(), Sink()
    meters: list[Meter] = []
    sink.is_away = True
    async with metering_in(
        tmp_path / "full", redis_client, sink, Settlements(), segment_bytes=ROOM_FOR * RESERVED_BYTES
    ) as metering:
        disk.is_full = True
        with capture_logs():
            while metering.is_ready:
                meters.append(metering.dispatched(ticket(f"r{len(meters)}"), facts()))
                meters[-1].progress(300)
            with pytest.raises(Unavailable):
                metering.dispatched(ticket("refused"), facts())
            for meter in meters:
                await meter.settle(completed())
        in_memory = metering.accounts.appended - len(meters), metering.health.refusals()
        shutil.copytree(tmp_path / "full", tmp_path / "killed")
        sink.is_away, disk.is_full = False, False
    async with metering_in(tmp_path / "killed", redis_client, later, Settlements(), boot_id="next"):
        pass

    assert 0 < len(meters) < ROOM_FOR
    assert in_memory == (0, [])
    assert [row.status for row in later.rows.values()] == [Status.COMPLETED] * len(meters)


async def test_a_gateway_starts_on_a_full_disk_and_is_ready_when_there_is_room(disk, tmp_path, redis_client):
    """It must, or what lies in its journals would never be shipped; what it finds there goes straight to usage."""
    sink = Sink()
    left = Journal.open(tmp_path, "dead")
    left.append(encode(Settled(usage_record(ticket("r"), facts(), completed()), ticket("r"), 1)))
    left.close(remove=False)
    disk.is_full = True
    with capture_logs():
        async with metering_in(tmp_path, redis_client, sink, Settlements()) as metering:
            was_ready, rows_while_full = metering.is_ready, set(sink.rows)
            disk.is_full = False
            while not metering.is_ready:
                await metering.clock.sleep(0.01)

    assert not was_ready
    assert rows_while_full == {"r"}
    assert list(tmp_path.iterdir()) == []


async def test_memory_never_drops_a_record_it_refuses_requests_before(tmp_path, redis_client):
    """It dropped its oldest silently at 10,000."""
    sink = Sink()
    sink.is_away = True
    async with metering_in(tmp_path, redis_client, sink, Settlements(), max_unjournalled=3) as metering:
        meters = [metering.dispatched(ticket(f"r{number}"), facts()) for number in range(3)]
        with pytest.raises(Unavailable):
            metering.dispatched(ticket("one too many"), facts())
        with capture_logs(), files_no_larger_than(1):
            for meter in meters:
                await meter.settle(completed())
        said = metering.health.refusals()
        sink.is_away = False

    assert said == ["3 records wait in memory for room in the journal"]
    assert sink.rows.keys() == {"r0", "r1", "r2"}
    assert metering.accounts.pending == metering.accounts.unaccounted == 0


async def test_what_waited_in_memory_is_journalled_when_there_is_room(tmp_path, redis_client):
    """From then on it outlives the process."""
    sink, later = Sink(), Sink()
    sink.is_away = True
    with capture_logs():
        async with metering_in(tmp_path / "one", redis_client, sink, Settlements(), drain_at_stop_s=0.01) as metering:
            meter = metering.dispatched(ticket("r"), facts())
            with files_no_larger_than(1):
                await meter.settle(completed())
            while not _journalled(tmp_path / "one"):
                await metering.clock.sleep(0.01)
            shutil.copytree(tmp_path / "one", tmp_path / "killed")
        async with metering_in(tmp_path / "killed", redis_client, later, Settlements(), boot_id="next"):
            pass

    assert later.rows["r"].status is Status.COMPLETED


def _journalled(root) -> bool:
    return any(b"\xa1S" in path.read_bytes() for path in root.glob("boot/*.seg"))


def test_the_end_of_a_request_fits_in_what_is_reserved_for_it():
    """Every text as long as usage stores, eight tries."""
    longest = {field.name: "я" * 256 for field in msgspec.structs.fields(UsageRecord) if field.type is str}
    attempts = (Attempt("p" * 256, "m" * 256, "r" * 256, 2**31),) * 8
    row = msgspec.structs.replace(
        usage_record(ticket(), facts(), completed(2**31 - 1, 2**31 - 1)), **longest, attempts=attempts
    )

    size = len(encode(Settled(row, ticket(), 2**62))) + HEADER.size

    assert size <= RESERVED_BYTES


def appended(journal: Journal, payload: bytes) -> bool:
    """Append, and tell whether there was room."""
    try:
        journal.append(payload)
    except JournalFull:
        return False
    return True


def test_what_can_be_done_without_does_not_take_the_room_of_ends(disk, tmp_path):
    """PROGRESS costs precision only."""
    journal = Journal.open(tmp_path, "boot", segment_bytes=2 * RESERVED_BYTES)
    begun = journal.begin_request(b"d" * 100)
    disk.is_full = True
    with capture_logs():
        written = list(takewhile(bool, (appended(journal, b"p" * 1000) for _ in range(100))))
        with pytest.raises(JournalFull):
            journal.append(b"p" * 1000)
        journal.end_request(begun, b"s" * (RESERVED_BYTES - HEADER.size))
    journal.close(remove=True)

    assert 0 < len(written) < 100
