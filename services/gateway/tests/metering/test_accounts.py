"""What the shipper counts and says: appended = shipped + dead-lettered + quarantined + pending, and nothing else."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from servicekit.testing import FakeClock
from services.gateway.metering import metrics
from services.gateway.metering.accounts import Accounts
from services.gateway.metering.dead_letters import DeadLetters
from services.gateway.metering.journal.journal import Journal
from services.gateway.metering.journal.place import BEGINNING
from services.gateway.metering.journal.reader import readable
from services.gateway.metering.journal.records import Settled, decode, encode
from services.gateway.metering.options import MeteringOptions
from services.gateway.metering.settle import usage_record
from services.gateway.metering.shipper import Shipper
from services.gateway.metering.usage_record import Rejected, UsageRecord
from services.gateway.tests.metering_kit import Sink, completed, dispatched, facts, ticket

NOW_US = int(FakeClock().now().timestamp() * 1e6)


def settled(name: str, at_us: int = NOW_US) -> Settled:
    """Return the end of a completed request."""
    return Settled(usage_record(ticket(name), facts(), completed()), ticket(name), at_us)


class ImpatientClock(FakeClock):
    """Does not wait for ever: a shipper that never stops trying fails the test."""

    async def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        if len(self.slept_s) > 50:
            pytest.fail("it tries again and again")
        await super().sleep(seconds)


class Shipment:
    """A shipper that ships when it is told to, with its journal, sink and clock."""

    def __init__(self, root: Path, **options) -> None:
        self.root = root
        self.sink = Sink()
        self.before_each_call: Callable[[], None] = lambda: None
        self.clock = ImpatientClock(auto_advance=True)
        settings = MeteringOptions(**options)
        self.journal = Journal.open(root, "boot", segment_bytes=settings.segment_bytes)
        self.shipper = Shipper(
            self.journal,
            self._record,
            DeadLetters(root / "dead.jsonl"),
            clock=self.clock,
            rng=random.Random(1),
            options=settings,
        )

    async def _record(self, batch: Sequence[UsageRecord]) -> Sequence[Rejected]:
        self.before_each_call()
        return await self.sink.record(batch)

    def append(self, *names: str, at_us: int = NOW_US) -> None:
        """Append the beginnings and ends of requests."""
        for name in names:
            self.journal.append(encode(dispatched(name)))
            self.journal.append(encode(settled(name, at_us)))
            self.shipper.wake()

    def counts(self) -> tuple[int, int, int, int, int, int]:
        """Return the accounts in the order of their equation, what is pending and what nobody knows."""
        kept = self.shipper.accounts
        return kept.appended, kept.shipped, kept.dead_lettered, kept.quarantined, kept.pending, kept.unaccounted


@pytest.fixture
def shipment(tmp_path) -> Shipment:
    """Ships three records at once."""
    return Shipment(tmp_path, batch=3)


def test_pending_is_what_is_nowhere_else():
    """The equation of the module."""
    assert Accounts(100, 50, 20, 10, 5).pending == 15
    assert Accounts() == Accounts(0, 0, 0, 0, 0)


async def test_a_journal_is_shipped_batch_by_batch(shipment):
    """The place moves on behind what is confirmed; what was counted as shipped is in the metric too."""
    shipped = metrics.SHIPPED._value.get()
    shipment.append("a", "b", "c", "d", "e", "f", "g")

    sizes, counts, places = [], [shipment.counts()], [shipment.shipper.place]
    for _ in range(4):
        sizes.append(await shipment.shipper.ship_batch())
        counts.append(shipment.counts())
        places.append(shipment.shipper.place)

    assert sizes == [3, 3, 1, 0]
    assert [count[4] for count in counts] == [7, 4, 1, 0, 0]
    assert counts[-1] == (7, 7, 0, 0, 0, 0)
    assert shipment.sink.batches == [3, 3, 1]
    assert places[0] == BEGINNING
    assert places[1] < places[2] < places[3] == places[4] == shipment.journal.end
    assert metrics.SHIPPED._value.get() == shipped + 7


async def test_what_is_refused_is_a_dead_letter_that_says_why(shipment):
    """By the record, and by the whole batch; both words are the usage service's."""
    shipment.sink.rejects, shipment.sink.poison = {"b"}, {"e"}
    shipment.append("a", "b", "c", "d", "e")
    with capture_logs():
        while await shipment.shipper.ship_batch():
            pass

    letters = [json.loads(line) for line in (shipment.root / "dead.jsonl").read_text().splitlines()]
    assert shipment.counts() == (5, 3, 2, 0, 0, 0)
    assert [letter["why"] for letter in letters] == [
        {"request_id": "b", "field": "cost", "message": "no"},
        {"request_id": "e", "field": "records", "message": "poison"},
    ]


async def test_every_end_that_makes_no_sense_is_quarantined(shipment):
    """It counts as one record, and its segment is kept with the bytes of it."""
    shipment.append("a")
    shipment.journal.append(encode(["S", "too short"]))
    shipment.shipper.wake()
    before = shipment.journal.end.offset
    bad = encode(["S", "of a later version"])
    shipment.journal.append(bad)
    shipment.shipper.wake()
    with capture_logs():
        sizes = [await shipment.shipper.ship_batch(), await shipment.shipper.ship_batch()]

    [_, fault] = shipment.journal.segment(1).faults
    assert sizes == [3, 0]
    assert shipment.counts() == (3, 1, 0, 2, 0, 0)
    assert (fault.start, fault.end, fault.missing) == (
        shipment.journal.end.offset - len(bad),
        shipment.journal.end.offset,
        0,
    )
    assert fault.start > before
    assert "Expected `array`" in fault.reason


@pytest.mark.parametrize(
    ("missing", "counts"),
    [(0, [(3, 1, 0, 0, 1, 1), (5, 3, 0, 0, 0, 2)]), (1, [(3, 1, 0, 1, 1, 0), (5, 3, 0, 2, 0, 0)])],
)
async def test_what_was_appended_and_is_not_found_is_an_alarm(shipment, missing, counts):
    """Each time; unless the journal knows of frames that it cannot read: then it is in quarantine.

    What is appended while a batch is on its way is not missed.
    """
    shipment.journal.missing = missing
    shipment.append("a")
    shipment.shipper.wake()
    shipment.before_each_call = lambda: shipment.append("b") if shipment.counts()[0] == 2 else None

    with capture_logs() as logged:
        await shipment.shipper.ship_batch()
        first = shipment.counts()
        shipment.append("c")
        shipment.shipper.wake()
        await shipment.shipper.ship_batch()
    shipment.shipper.observe()

    assert [first, shipment.counts()] == counts
    assert [(each["event"], each["records"], each["frames_missing"]) for each in logged] == [
        ("metering.records_unreadable", 1, missing)
    ] * 2
    assert metrics.UNACCOUNTED._value.get() == counts[-1][-1]


async def test_what_the_journal_could_not_take_is_shipped_from_memory_first(shipment):
    """It is counted as any other."""
    bypassed = metrics.UNJOURNALLED._value.get()
    shipment.append("a")
    shipment.shipper.add_unjournalled(settled("memory"))
    shipment.shipper.add_unjournalled(settled("memory too"))
    shipment.shipper.observe()
    in_memory = shipment.shipper.unjournalled, metrics.IN_MEMORY._value.get(), shipment.counts()

    await shipment.shipper.ship_batch()
    shipment.shipper.observe()

    assert in_memory == (2, 2, (3, 0, 0, 0, 3, 0))
    assert list(shipment.sink.rows) == ["memory", "memory too", "a"]
    assert (shipment.counts(), shipment.shipper.unjournalled) == ((3, 3, 0, 0, 0, 0), 0)
    assert metrics.UNJOURNALLED._value.get() == bypassed + 2
    assert metrics.IN_MEMORY._value.get() == 0


async def test_memory_goes_to_the_journal_when_there_is_room(shipment):
    """In its order, and is shipped from there."""
    for name in ("first", "second"):
        shipment.shipper.add_unjournalled(settled(name))

    shipment.shipper.journal_again()
    journalled = [decode(payload) for payload in readable(shipment.journal)]
    await shipment.shipper.ship_batch()

    assert journalled == [settled("first"), settled("second")]
    assert shipment.shipper.unjournalled == 0
    assert shipment.counts() == (2, 2, 0, 0, 0, 0)


async def test_a_record_without_a_journal_is_delivered_at_once(shipment):
    """It counts, whether it is stored or refused."""
    shipment.sink.rejects = {"refused"}
    with capture_logs():
        await shipment.shipper.deliver_now(settled("stored").record)
        await shipment.shipper.deliver_now(settled("refused").record)
    await shipment.shipper.ship_batch()

    assert shipment.sink.rows.keys() == {"stored"}
    assert shipment.counts() == (2, 1, 1, 0, 0, 0)


async def test_the_gauges_tell_how_many_wait_and_how_long(shipment):
    """The age is that of the first record of the batch on its way; nothing waits, nothing is old."""
    shipment.sink.is_away = True
    shipment.append("a", at_us=NOW_US - 60_000_000)
    shipment.append("b", at_us=NOW_US - 5_000_000)
    retries = metrics.RETRIES._value.get()
    ages = []

    def look() -> None:
        shipment.shipper.observe()
        ages.append((metrics.DEPTH._value.get(), metrics.OLDEST._value.get()))
        shipment.sink.is_away = len(ages) < 2

    shipment.before_each_call = look
    with capture_logs() as logged:
        await shipment.shipper.ship_batch()
    shipment.shipper.observe()

    waited = sum(shipment.clock.slept_s)
    assert ages == [(2, 60.0), (2, pytest.approx(60.0 + waited))]
    assert (metrics.DEPTH._value.get(), metrics.OLDEST._value.get()) == (0, 0)
    assert metrics.RETRIES._value.get() == retries + 1
    assert [(each["event"], each["records"], each["error"]) for each in logged] == [
        ("metering.ship_failed", 2, "SERVICE_UNAVAILABLE")
    ]


async def test_nothing_is_old_before_it_was_read(shipment):
    """Of what waits in the journal nobody knows the age until its batch is on its way."""
    shipment.append("a")
    shipment.shipper.observe()

    assert (metrics.DEPTH._value.get(), metrics.OLDEST._value.get()) == (1, 0)
