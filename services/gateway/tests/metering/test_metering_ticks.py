"""What metering does once a second: gauges, lost ends, rows that waited in memory, old segments, a lost disk."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.gateway.metering import metrics
from services.gateway.metering.hold import encode_facts
from services.gateway.metering.journal.quarantine import FOLDER
from services.gateway.metering.journal.records import Dispatched, Progress, Settled, encode
from services.gateway.metering.journal.segments import Fault, segment_numbers
from services.gateway.metering.settle import interrupted, usage_record
from services.gateway.tests.metering.test_journal import files_no_larger_than
from services.gateway.tests.metering.test_meters import NOW_US, Books, settled
from services.gateway.tests.metering_kit import completed, dispatched, facts, ticket


class Ticking(Books):
    """Metering that ticks when the test lets it."""

    async def start(self) -> None:
        """Begin, and wait for the first second."""
        self.serving = asyncio.ensure_future(self.metering.serve())
        await self._rest()

    async def tick(self) -> None:
        """Let one second pass and wait until its work is done."""
        self.clock.advance(1)
        await self._rest()

    async def _rest(self) -> None:
        while not self.clock.sleepers:
            await asyncio.sleep(0.001)
            if self.serving.done():
                self.serving.result()

    async def stop(self) -> None:
        """End, and close the journal."""
        self.serving.cancel()
        await asyncio.gather(self.serving, return_exceptions=True)
        self.journal.close(remove=False)


@asynccontextmanager
async def ticking(root: Path, **options) -> AsyncIterator[Ticking]:
    """Yield metering that has begun to tick."""
    books = Ticking(root, **options)
    try:
        await books.start()
        yield books
    finally:
        await books.stop()


async def test_the_gauges_are_set_each_second(tmp_path):
    """What waits for the usage service, and what for a person."""
    async with ticking(tmp_path) as books:
        await books.metering.dispatched(ticket("r"), facts()).settle(completed())
        (tmp_path / FOLDER).mkdir()
        (tmp_path / FOLDER / "dead-00000001.seg").touch()
        before = metrics.DEPTH._value.get(), metrics.QUARANTINE._value.get()
        await books.tick()
        await books.shipper.ship_batch()
        during = metrics.DEPTH._value.get(), metrics.QUARANTINE._value.get()
        await books.tick()

    assert (before[1], during) == (0, (1, 1))
    assert metrics.DEPTH._value.get() == 0
    assert books.clock.slept_s == [1.0, 1.0, 1.0]


async def test_a_request_whose_end_was_destroyed_gets_its_row(tmp_path):
    """By the interrupted rule, as of now; those that still run get none."""
    async with ticking(tmp_path) as books:
        books.metering.dispatched(ticket("running"), facts())
        books.journal.append(encode(dispatched("lost")))
        books.journal.set_aside(1, Fault(0, 1, 1, "damaged"))
        await books.tick()
        await books.tick()
        said = books.journalled()

    lost = usage_record(ticket("lost"), facts(), interrupted(0, "journal_damaged"))
    assert said[2:] == [Settled(lost, ticket("lost"), NOW_US + 1_000_000)]
    assert books.metering.unshipped == 1


async def test_rows_leave_memory_for_the_journal_when_there_is_room(tmp_path):
    """Until then they stay, and each second it is tried again."""
    async with ticking(tmp_path) as books:
        meter = books.metering.dispatched(ticket("r"), facts())
        with capture_logs(), files_no_larger_than(1):
            await meter.settle(completed(10, 20))
            await books.tick()
            while_full = books.shipper.unjournalled, books.metering.is_ready
        await books.tick()
        said, is_ready = books.journalled(), books.metering.is_ready

    assert while_full == (1, False)
    assert is_ready
    assert books.shipper.unjournalled == 0
    assert said == [dispatched("r"), settled("r")]


async def test_a_tick_that_fails_is_said_and_tried_again(tmp_path):
    """Somebody put a file where the folder was."""
    root = tmp_path / "journal"
    async with ticking(root) as books:
        books.metering.dispatched(ticket("r"), facts())
        shutil.rmtree(root)
        root.touch()
        with capture_logs() as logged:
            await books.tick()
            root.unlink()
            await books.tick()
        numbers, said = segment_numbers(root / "boot"), books.journalled()

    [failed] = [each for each in logged if each["event"] == "journal.tick_failed"]
    assert failed["log_level"] == "warning"
    assert failed["error"] == f"[Errno 20] Not a directory: '{root / 'boot'}'"
    assert numbers == [2]
    assert said == [dispatched("r"), dispatched("r")]


async def test_open_requests_are_written_anew_when_the_folder_was_taken_away(tmp_path):
    """With what they have delivered: their old segments have no name any more, and nobody could recover them."""
    root = tmp_path / "journal"
    async with ticking(root) as books:
        new, old = [books.metering.dispatched(ticket(name), facts(boot_id=name)) for name in ("new", "old")]
        old.progress(300)
        await books.metering.dispatched(ticket("ended"), facts()).settle(completed())
        shutil.rmtree(root)
        with capture_logs():
            await books.tick()
        said, open_in_new = books.journalled()[5:], books.open_in(2)

    begun = [Dispatched(ticket(name), encode_facts(facts(boot_id=name))) for name in ("new", "old")]
    assert len(said) == 3
    assert all(record in said for record in [*begun, Progress("old", 300)])
    assert said.index(begun[1]) < said.index(Progress("old", 300))
    assert (new.segment, old.segment, open_in_new) == (2, 2, 2)


@pytest.mark.parametrize(("segments", "carried"), [(3, False), (4, True)])
async def test_a_long_request_is_carried_when_it_keeps_more_segments_than_it_may(tmp_path, segments, carried):
    """Only that of the oldest one: what began later stays where it is."""
    async with ticking(tmp_path, segment_bytes=300, carry_segments=3) as books:
        meters = [books.metering.dispatched(ticket(f"r{number}"), facts()) for number in range(segments)]
        await books.tick()
        kept = [meter.segment for meter in meters]
        names = segment_numbers(tmp_path / "boot")

    assert kept == ([segments + 1, *range(2, segments + 1)] if carried else [*range(1, segments + 1)])
    assert names[-1] == segments + carried


async def test_what_is_shipped_goes_when_nothing_keeps_it_any_more(tmp_path):
    """The segments between the beginning of a long request and today."""
    async with ticking(tmp_path, segment_bytes=1000, carry_segments=3) as books:
        long = books.metering.dispatched(ticket("long"), facts())
        while books.journal.segments < 5:
            await books.metering.dispatched(ticket("short"), facts()).settle(completed())
        await books.shipper.ship_batch()
        before = segment_numbers(tmp_path / "boot")
        await books.tick()
        after = segment_numbers(tmp_path / "boot")

    assert before == [1, 2, 3, 4, 5]
    assert after[0] >= 5
    assert long.segment == after[-1]
