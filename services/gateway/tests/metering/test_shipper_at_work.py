"""The shipper while others work beside it: when it begins, when it waits, what it must not count as lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.metering import metrics
from services.gateway.metering.usage_record import Rejected, UsageRecord
from services.gateway.tests.metering.test_accounts import NOW_US, Shipment, settled
from services.gateway.tests.metering_kit import Sink

FOR_EVER_S = 3600.0


@asynccontextmanager
async def serving(root: Path, **options) -> AsyncIterator[Shipment]:
    """Yield a shipper at work."""
    shipment = Shipment(root, **options)
    task = asyncio.ensure_future(shipment.shipper.serve())
    try:
        await turns()
        yield shipment
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        shipment.journal.close(remove=False)


async def turns() -> None:
    """Let everybody go on until each waits for something."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_full_batch_goes_at_once_and_a_smaller_one_lingers(tmp_path):
    """Until it is full, or somebody waits for the end."""
    async with serving(tmp_path, batch=3, linger_s=FOR_EVER_S) as shipment:
        sent = []
        for name in "abcd":
            shipment.append(name)
            await turns()
            sent.append(len(shipment.sink.rows))
        await shipment.shipper.drained()

    assert sent == [0, 0, 3, 3]
    assert shipment.sink.batches == [3, 1]
    assert shipment.clock.slept_s == []


async def test_a_batch_that_does_not_fill_goes_after_its_time(tmp_path):
    """And so does the next one."""
    async with serving(tmp_path, batch=3, linger_s=0.0, batch_every_s=0.0) as shipment:
        for name in "ab":
            shipment.append(name)
            await turns()

    assert shipment.sink.batches == [1, 1]


async def test_batches_are_apart_while_records_keep_coming_and_the_first_one_is_not_late(tmp_path):
    """The time since the last one began counts, so that a lone record goes at once."""
    async with serving(tmp_path, linger_s=0.0, batch_every_s=FOR_EVER_S) as shipment:
        for name in "abc":
            shipment.append(name)
            await turns()
        before = list(shipment.sink.batches)
        shipment.clock.advance(FOR_EVER_S)
        await shipment.shipper.drained()
        shipment.append("d")
        shipment.clock.advance(FOR_EVER_S)
        await turns()

    assert (before, shipment.sink.batches) == ([1], [1, 2, 1])


async def test_drained_waits_for_the_last_confirmation(tmp_path):
    """And not at all when nothing is pending."""
    async with serving(tmp_path, batch=3, linger_s=FOR_EVER_S) as shipment:
        await shipment.shipper.drained()
        shipment.append("a", "b", "c", "d")
        pending = shipment.shipper.pending
        await shipment.shipper.drained()

    assert (pending, shipment.shipper.pending) == (4, 0)


async def test_after_an_outage_full_batches_are_paced(tmp_path):
    """So many records a second; when the backlog is worked off, no more."""
    async with serving(tmp_path, batch=3, linger_s=FOR_EVER_S, drain_per_s=60.0, retry_first_s=1.0) as shipment:
        shipment.sink.is_away = True
        shipment.before_each_call = lambda: setattr(shipment.sink, "is_away", not shipment.clock.slept_s)
        with capture_logs():
            shipment.append(*"abcdefg")
            await turns()
        await shipment.shipper.drained()
        during = shipment.clock.slept_s[1:]
        shipment.append(*"hijklm")
        await shipment.shipper.drained()

    assert shipment.sink.batches == [3, 3, 1, 3, 3]
    assert during == [0.05, 0.05]
    assert shipment.clock.slept_s[3:] == []


async def test_a_row_that_found_room_while_it_was_sent_from_memory_is_counted_both_times(tmp_path):
    """It is sent again from the journal, which does no harm; the other one in memory is not sent twice."""
    shipment = Shipment(tmp_path)
    shipment.append("before")
    await shipment.shipper.ship_batch()
    for name in ("first", "second"):
        shipment.shipper.add_unjournalled(settled(name))
    shipment.before_each_call = shipment.shipper.journal_again

    await shipment.shipper.ship_batch()

    assert shipment.sink.batches == [1, 1, 2]
    assert shipment.sink.rows.keys() == {"before", "first", "second"}
    assert shipment.counts() == (4, 4, 0, 0, 0, 0)


class PartlyAway(Sink):
    """Does not take some rows, for a while."""

    away: frozenset[str] = frozenset()

    async def record(self, batch: Sequence[UsageRecord]) -> Sequence[Rejected]:
        """Store a batch that has none of them."""
        await asyncio.sleep(0)
        if any(row.request_id in self.away for row in batch):
            raise Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "away")
        return await super().record(batch)


async def test_what_is_delivered_directly_is_not_missed_in_the_journal(tmp_path):
    """Rows of recovery on a full disk are on their way while the journal is read to its end."""
    shipment = Shipment(tmp_path)
    shipment.sink = sink = PartlyAway()
    sink.away = frozenset({"first", "second"})
    with capture_logs() as logged:
        direct = [asyncio.ensure_future(shipment.shipper.deliver_now(settled(name).record)) for name in sink.away]
        await asyncio.sleep(0)
        shipment.append("journalled")
        await shipment.shipper.ship_batch()
        meanwhile = shipment.counts()
        sink.away = frozenset()
        await asyncio.gather(*direct)

    assert meanwhile == (3, 1, 0, 0, 2, 0)
    assert shipment.counts() == (3, 3, 0, 0, 0, 0)
    assert {each["event"] for each in logged} <= {"metering.ship_failed"}


@pytest.mark.parametrize(("ago_us", "age_s"), [(500_000, 0.5), (-500_000, 0.0)], ids=["past", "future"])
async def test_the_age_of_what_waits_is_never_negative(tmp_path, ago_us, age_s):
    """The clock may have been set back."""
    shipment = Shipment(tmp_path)
    ages = []

    def look() -> None:
        shipment.shipper.observe()
        ages.append(metrics.OLDEST._value.get())

    shipment.before_each_call = look
    shipment.append("a", at_us=NOW_US - ago_us)
    await shipment.shipper.ship_batch()

    assert ages == [age_s]


async def test_what_comes_after_a_quiet_hour_is_not_an_hour_old(tmp_path):
    """While it lingers its age is not known; that of what was confirmed before it rang an alarm."""
    async with serving(tmp_path, linger_s=FOR_EVER_S) as shipment:
        shipment.append("before")
        await shipment.shipper.drained()
        await turns()
        shipment.clock.advance(3600)
        shipment.append("after", at_us=NOW_US + 3_600_000_000)
        await turns()
        shipment.shipper.observe()

    assert (metrics.DEPTH._value.get(), metrics.OLDEST._value.get()) == (1, 0)


async def test_what_waits_in_memory_has_its_age(tmp_path):
    """The journal is full and the usage service away: nothing is read from the journal meanwhile."""
    shipment = Shipment(tmp_path)
    shipment.shipper.add_unjournalled(settled("a", NOW_US - 400_000_000))
    shipment.shipper.observe()

    assert metrics.OLDEST._value.get() == 400
