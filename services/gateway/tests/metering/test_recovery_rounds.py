"""Recovery round by round: every dead boot on the disk, one that cannot be read, and when it looks again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from structlog.testing import capture_logs

from servicekit.testing import FakeClock
from services.gateway.metering.hold import Hold
from services.gateway.metering.journal.journal import Journal
from services.gateway.metering.journal.records import Settled, encode
from services.gateway.metering.journal.segments import segment_path
from services.gateway.metering.recovery import Recovery
from services.gateway.tests.metering.test_recovery import UnseenHolds, settled
from services.gateway.tests.metering_kit import NoHolds, Settlements, facts


class Disk:
    """A folder of journals, a recovery that works on it for the boot `own`, and the ids of the rows it keeps."""

    def __init__(self, root: Path, holds: NoHolds | None = None) -> None:
        self.root = root
        self.clock = FakeClock()
        self.kept: list[str] = []
        self.rounds = 0
        self.recovery = Recovery(
            root,
            root / "own",
            keep=self._keep,
            sync=self._sync,
            admission=Settlements(),
            holds=holds or NoHolds(),
            clock=self.clock,
            count=lambda _: None,
        )

    async def _keep(self, row: Settled) -> None:
        self.kept.append(row.ticket.request_id)

    async def _sync(self) -> None:
        return

    def leave(self, boot_id: str, *names: str) -> Path:
        """Write what a dead gateway left; return its directory."""
        journal = Journal.open(self.root, boot_id)
        for name in names:
            journal.append(encode(settled(name)))
        journal.close(remove=False)
        return journal.directory

    def spoil(self, boot_id: str) -> None:
        """Leave a journal whose segment cannot be read: it is a folder."""
        self.leave(boot_id)
        segment_path(self.root / boot_id, 1).mkdir()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Yield when the first round is over; the next begins when the clock has moved."""

        def done() -> None:
            self.rounds += 1

        self.task = asyncio.ensure_future(self.recovery.serve(done))
        try:
            await self.rest()
            yield
        finally:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    async def rest(self) -> None:
        """Wait until recovery waits for the clock."""
        while not self.clock.sleepers:
            await asyncio.sleep(0)
            if self.task.done():
                self.task.result()


async def test_every_dead_boot_on_the_disk_is_worked_through(tmp_path):
    """Oldest name first; a neighbour that lives, this boot itself and what is no journal are left alone."""
    disk = Disk(tmp_path)
    living = Journal.open(tmp_path, "a-neighbour")
    (tmp_path / "b-lost+found").mkdir()
    disk.leave("c-dead", "first", "second")
    disk.leave("d-dead", "third")
    # Its lock is not held: so it is after somebody removed the folder of a running gateway, until the next second.
    disk.leave("own", "mine")

    count = await disk.recovery.run()
    living.close(remove=True)

    assert count == 3
    assert disk.kept == ["first", "second", "third"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b-lost+found", "own"]


async def test_a_journal_that_cannot_be_read_stays_for_the_next_round(tmp_path):
    """The others are not kept waiting for it, and its lock is free again."""
    disk = Disk(tmp_path)
    disk.spoil("a-dead")
    disk.leave("b-dead", "other")

    with capture_logs() as logged:
        first = await disk.recovery.run()
    segment_path(tmp_path / "a-dead", 1).rmdir()
    second = await disk.recovery.run()

    [failed] = [each for each in logged if each["event"] == "metering.recovery_failed"]
    assert (failed["boot_id"], failed["log_level"]) == ("a-dead", "error")
    assert "Is a directory" in failed["error"]
    assert (first, second, disk.kept) == (1, 0, ["other"])
    assert list(tmp_path.iterdir()) == []


async def test_recovery_looks_again_each_minute(tmp_path):
    """A neighbour on this disk may die later."""
    disk = Disk(tmp_path)
    disk.leave("dead", "first")
    async with disk.serving():
        after_first = list(disk.kept), disk.rounds
        disk.leave("dead-later", "second")
        disk.clock.advance(59.9)
        await disk.rest()
        too_early = disk.rounds
        disk.clock.advance(0.1)
        await disk.rest()

    assert after_first == (["first"], 1)
    assert (too_early, disk.rounds) == (1, 2)
    assert disk.kept == ["first", "second"]
    assert disk.clock.slept_s == [60.0, 60.0]


async def test_while_holds_cannot_be_seen_recovery_looks_each_second(tmp_path):
    """Somebody's money is held as long."""
    disk = Disk(tmp_path, UnseenHolds([Hold("user-1", "admitted", 1, facts(boot_id="dead"))]))
    disk.leave("dead", "done")
    async with disk.serving():
        disk.clock.advance(1)
        await disk.rest()

    assert disk.clock.slept_s == [1.0, 60.0]


async def test_without_its_folder_recovery_says_so_and_goes_on(tmp_path):
    """The disk may be mounted late; nobody waits for recovery then."""
    disk = Disk(tmp_path / "journal")
    with capture_logs() as logged:
        async with disk.serving():
            rounds = disk.rounds
            disk.leave("dead", "first")
            disk.clock.advance(60)
            await disk.rest()

    [failed, _] = logged
    assert (failed["event"], failed["log_level"]) == ("metering.recovery_failed", "error")
    assert failed["error"] == f"[Errno 2] No such file or directory: '{tmp_path / 'journal'}'"
    assert (rounds, disk.kept) == (1, ["first"])
