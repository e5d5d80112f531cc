"""Whatever happens to the files: appended = shipped + dead-lettered + quarantined, after every step.

A state machine drives journal, shipper and recovery on real files with crashes, flipped bits, cut and deleted files, a
full disk, refusals and replays. The model knows what was asked; the disk and the usage service know what became of it.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from structlog.testing import capture_logs

from servicekit.testing import FakeClock
from services.gateway.metering.dead_letters import DeadLetters
from services.gateway.metering.journal.frames import Frame, walk
from services.gateway.metering.journal.journal import Journal, JournalFull
from services.gateway.metering.journal.records import Settled, decode, encode, is_settled
from services.gateway.metering.journal.segments import DEAD_LETTERS
from services.gateway.metering.operations.replay import replay
from services.gateway.metering.options import MeteringOptions
from services.gateway.metering.recovery import Recovery
from services.gateway.metering.settle import usage_record
from services.gateway.metering.shipper import Shipper
from services.gateway.metering.usage_record import Rejected, Source, UsageRecord
from services.gateway.tests.metering_kit import NoHolds, Settlements, completed, dispatched, facts, ticket

EXAMPLES = 110
STEPS = 60
SEGMENT_BYTES = 600


def settled(request_id: str) -> Settled:
    """Return the end of a completed request."""
    return Settled(usage_record(ticket(request_id), facts(), completed()), ticket(request_id), 1)


class Killed(BaseException):
    """SIGKILL in the middle of recovery."""


class Books(RuleBasedStateMachine):
    """One disk, one usage service, a gateway that is killed and started again."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.root = Path(tempfile.mkdtemp())
        self.boots = count()
        self.requests = count()
        self.letters = DeadLetters(self.root / DEAD_LETTERS)
        self.allocate: Callable[[int, int, int], None] = os.posix_fallocate
        self.rows: dict[str, UsageRecord] = {}
        self.refuses = False
        self.ended: set[str] = set()
        self.may_miss: set[str] = set()
        self.open: dict[str, int] = {}
        self.lives_for = -1
        self.start()

    def teardown(self) -> None:
        """Leave nothing behind."""
        os.posix_fallocate = self.allocate
        self.journal.close(remove=False)
        self.loop.close()
        shutil.rmtree(self.root)

    async def send(self, batch: Sequence[UsageRecord]) -> Sequence[Rejected]:
        """Store each id once, or refuse."""
        if self.refuses:
            return [Rejected(row.request_id, "cost", "no") for row in batch]
        for row in batch:
            before = self.rows.get(row.request_id)
            assert before is None or before.source is not Source.PROVIDER or row.source is not Source.REAPED
            self.rows.setdefault(row.request_id, row)
        return []

    def start(self) -> None:
        """Start a gateway on this disk."""
        self.journal = Journal.open(self.root, f"boot{next(self.boots):04d}", segment_bytes=SEGMENT_BYTES)
        self.shipper = Shipper(
            self.journal,
            self.send,
            self.letters,
            clock=FakeClock(auto_advance=True),
            rng=random.Random(1),
            options=MeteringOptions(batch=5),
        )

    async def keep(self, record: Settled) -> None:
        """Take over what recovery finds, as metering does, unless the process is killed just then."""
        if self.lives_for == 0:
            raise Killed
        self.lives_for -= 1
        try:
            self.journal.append(encode(record))
            self.shipper.wake()
        except JournalFull:
            await self.shipper.deliver_now(record.record)

    @rule()
    def dispatch(self) -> None:
        """A request goes out, or is refused."""
        name = f"r{next(self.requests)}"
        try:
            self.open[name] = self.journal.begin_request(encode(dispatched(name)))
        except JournalFull:
            assert self.disk_is_full

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """A begun request can always end."""
        name = data.draw(st.sampled_from(sorted(self.open)))
        self.journal.end_request(self.open.pop(name), encode(settled(name)))
        self.shipper.wake()
        self.ended.add(name)

    @rule()
    def ship(self) -> None:
        """One batch goes to the usage service."""
        self.loop.run_until_complete(self.shipper.ship_batch())

    @rule()
    def turn_refusal(self) -> None:
        """The usage service begins, or ceases, to refuse everything."""
        self.refuses = not self.refuses

    @rule()
    def replay_letters(self) -> None:
        """A person sends the dead letters again."""
        self.loop.run_until_complete(replay(self.letters, self.send))

    @rule()
    def turn_disk(self) -> None:
        """The disk is full, or has room again."""
        os.posix_fallocate = self.allocate if self.disk_is_full else _no_room
        self.journal.check_room()

    @property
    def disk_is_full(self) -> bool:
        """Tell whether nothing can be reserved."""
        return os.posix_fallocate is not self.allocate

    @rule(
        damage=st.sampled_from(["none", "flip", "cut", "delete"]),
        at=st.floats(0, 1, exclude_max=True),
        which=st.floats(0, 1, exclude_max=True),
        bit=st.integers(0, 7),
        lives_for=st.integers(-1, 4),
    )
    def crash(self, damage: str, at: float, which: float, bit: int, lives_for: int) -> None:
        """SIGKILL, something happens to a file, a new gateway starts and works through what is there.

        Unless it is killed as well, after so many records; then another one starts.
        """
        directory = self._kill()
        segments = sorted(directory.glob("*.seg"))
        if damage != "none" and segments:
            self._damage(segments[int(which * len(segments))], damage, at, bit)
        known = len(list(self.root.glob("quarantine/*.seg")))
        self.start()
        self.lives_for = lives_for
        try:
            self.loop.run_until_complete(self._recover())
        except Killed:
            self.lives_for = -1
            self._kill()
            self.start()
            self.loop.run_until_complete(self._recover())
        self.lives_for = -1
        assert damage != "none" or len(list(self.root.glob("quarantine/*.seg"))) == known, "a false alarm"

    def _kill(self) -> Path:
        """Let go of the journal as SIGKILL does: what is in the files stays as it is."""
        folder = self.root / "copy"
        directory = self.journal.directory
        shutil.copytree(directory, folder)
        self.journal.close(remove=False)
        shutil.rmtree(directory)
        folder.rename(directory)
        self.open.clear()
        return directory

    async def _recover(self) -> None:
        recovery = Recovery(
            self.root,
            self.journal.directory,
            keep=self.keep,
            sync=self.journal.sync,
            admission=Settlements(),
            holds=NoHolds(),
            clock=FakeClock(),
            count=lambda _: None,
        )
        with capture_logs():
            await recovery.run()

    def _damage(self, path: Path, damage: str, at: float, bit: int) -> None:
        """Destroy something; what is destroyed may be missed, and nothing else."""
        ends = _ends_in(path)
        data = bytearray(path.read_bytes())
        offset = int(at * len(bytes(data).rstrip(b"\0")))
        if damage == "delete":
            path.unlink()
            self.may_miss |= ends.keys()
        elif damage == "cut":
            os.truncate(path, offset)
            self.may_miss |= {name for name, frame in ends.items() if frame.end > offset}
        elif data:
            data[offset] ^= 1 << bit
            path.write_bytes(data)
            self.may_miss |= {name for name, frame in ends.items() if frame.start <= offset < frame.end}

    @invariant()
    def everything_appended_is_somewhere(self) -> None:
        """Each ended request is stored, a dead letter, in a file of ours, or in a place that was destroyed."""
        buried = {each.record.request_id for each in self.letters.waiting()}
        lying = {name for path in self.root.rglob("*.seg") for name in _ends_in(path)}
        assert self.ended <= self.rows.keys() | buried | lying | self.may_miss

    @invariant()
    def the_books_of_the_process_balance(self) -> None:
        """No record of this boot is unaccounted for; a damaged file of an earlier one is in the quarantine."""
        assert self.shipper.accounts.unaccounted == 0
        assert self.shipper.pending >= 0
        assert self.journal.missing == 0

    @invariant()
    def an_undamaged_request_is_billed_exactly(self) -> None:
        """A row that is estimated although its request ended is one whose end was destroyed."""
        estimated = {name for name, row in self.rows.items() if row.source is not Source.PROVIDER}
        assert not estimated & self.ended - self.may_miss


def _no_room(descriptor: int, offset: int, length: int) -> None:
    raise OSError(28, "no space left on device")


def _ends_in(path: Path) -> dict[str, Frame]:
    """Return the requests whose end can be read in a file."""
    data = path.read_bytes()
    found = list(walk(lambda size, offset: data[offset : offset + size], 0, len(data)))
    return {_name(each.payload): each for each in found if isinstance(each, Frame) and is_settled(each.payload)}


def _name(payload: bytes) -> str:
    record = decode(payload)
    assert isinstance(record, Settled)
    return record.record.request_id


assert EXAMPLES * STEPS >= 5_000

# Some ten seconds of CPU; how long that takes is the machine's business.
TestBooks = pytest.mark.timeout(1200)(Books.TestCase)
TestBooks.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
