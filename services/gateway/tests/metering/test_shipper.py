"""Shipping: each record reaches a set-like sink exactly once, whatever fails."""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from servicekit.testing import FakeClock
from services.gateway.metering.dead_letters import DeadLetters
from services.gateway.metering.journal.journal import Journal
from services.gateway.metering.journal.records import Progress, Settled, encode
from services.gateway.metering.journal.segments import segment_numbers
from services.gateway.metering.options import MeteringOptions
from services.gateway.metering.settle import usage_record
from services.gateway.metering.shipper import Shipper
from services.gateway.metering.usage_record import UsageRecord
from services.gateway.tests.metering_kit import Sink, completed, dispatched, facts, ticket


@asynccontextmanager
async def shipping(root: Path, sink: Sink, **options):
    """Yield journal, shipper and clock; the shipper serves meanwhile."""
    journal = Journal.open(root, "boot", segment_bytes=options.get("segment_bytes", 4000))
    clock = FakeClock(auto_advance=True)
    settings_ = MeteringOptions(**{"linger_s": 0.0, "batch": 7, **options})
    shipper = Shipper(
        journal,
        sink.record,
        DeadLetters(root / "dead.jsonl"),
        clock=clock,
        rng=random.Random(1),
        options=settings_,
    )
    serving = asyncio.ensure_future(shipper.serve())
    try:
        yield journal, shipper, clock
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        journal.close(remove=False)


def row(request_id: str) -> UsageRecord:
    """Return the row of a completed request."""
    return usage_record(ticket(request_id), facts(), completed())


def settle(journal: Journal, shipper: Shipper, request_id: str) -> None:
    """Append what a settled request leaves in the journal."""
    journal.append(encode(dispatched(request_id)))
    journal.append(encode(Progress(request_id, 5)))
    journal.append(encode(Settled(row(request_id), ticket(request_id), 1)))
    shipper.wake()


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(0, 80),
    seed=st.integers(0, 100),
    before=st.sampled_from([0.0, 0.3, 0.7]),
    after=st.sampled_from([0.0, 0.3, 0.7]),
    burst=st.integers(1, 30),
)
def test_every_record_is_stored_once_over_a_flaky_connection(count, seed, before, after, burst):
    """Failures before and after the sink stored a batch: nothing is lost, acknowledged segments go."""

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            sink = Sink(seed=seed, fail_before=before, fail_after=after)
            async with shipping(Path(folder), sink) as (journal, shipper, _):
                for number in range(count):
                    settle(journal, shipper, f"r{number}")
                    if number % burst == 0:
                        await asyncio.sleep(0)
                await shipper.drained()

                assert sink.rows.keys() == {f"r{number}" for number in range(count)}
                assert shipper.pending == 0
                assert segment_numbers(journal.directory)[:-1] == []

    asyncio.run(run())


async def test_poison_is_found_and_set_aside(tmp_path):
    """A batch that is refused whole is divided until the one record is alone; the others arrive."""
    sink = Sink()
    sink.poison = {"r3", "r17"}
    async with shipping(tmp_path, sink, batch=20) as (journal, shipper, _):
        for number in range(20):
            settle(journal, shipper, f"r{number}")
        await shipper.drained()

    assert sink.rows.keys() == {f"r{number}" for number in range(20)} - sink.poison
    assert dead(tmp_path) == {"r3", "r17"}


async def test_rejected_records_are_dead_letters_and_the_rest_is_stored(tmp_path):
    """What the usage service names as never storable is kept for a person."""
    sink = Sink()
    sink.rejects = {"r1"}
    async with shipping(tmp_path, sink) as (journal, shipper, _):
        for number in range(3):
            settle(journal, shipper, f"r{number}")
        await shipper.drained()

    assert sink.rows.keys() == {"r0", "r2"}
    assert dead(tmp_path) == {"r1"}


def dead(folder: Path) -> set[str]:
    """Return the request ids in the dead-letter file."""
    lines = (folder / "dead.jsonl").read_text().splitlines()
    return {json.loads(line)["record"]["request_id"] for line in lines}


async def test_a_backlog_is_worked_off_at_a_limited_rate(tmp_path):
    """After an outage the batches are paced; the journal, not the memory, held them."""
    sink = Sink()
    sink.is_away = True
    async with shipping(tmp_path, sink, batch=10, drain_per_s=100.0) as (journal, shipper, clock):
        for number in range(100):
            settle(journal, shipper, f"r{number}")
        while len(clock.slept_s) < 3:
            await asyncio.sleep(0)
        sink.is_away = False
        waits_before = len(clock.slept_s)
        await shipper.drained()

    assert sink.batches == [10] * 10
    assert clock.slept_s[waits_before:].count(0.1) >= 9


async def test_retries_wait_longer_each_time_up_to_a_bound(tmp_path):
    """Backoff with jitter."""
    sink = Sink()
    sink.is_away = True
    async with shipping(tmp_path, sink, retry_first_s=0.1, retry_max_s=2.0) as (journal, shipper, clock):
        settle(journal, shipper, "r")
        while len(clock.slept_s) < 12:
            await asyncio.sleep(0)

    bounds = [min(0.1 * 2**tried, 2.0) for tried in range(12)]
    outside = [(wait, most) for wait, most in zip(clock.slept_s, bounds, strict=False) if not most / 2 <= wait <= most]
    assert outside == []


async def test_records_the_journal_could_not_take_are_shipped_from_memory(tmp_path):
    """A full disk at the end of a request does not lose its row."""
    sink = Sink()
    async with shipping(tmp_path, sink) as (_, shipper, _):
        shipper.add_unjournalled(Settled(row("memory"), ticket("memory"), 1))
        await shipper.drained()

    assert sink.rows.keys() == {"memory"}


async def test_a_settled_record_that_cannot_be_read_is_passed_over(tmp_path):
    """It is counted as done with: the records behind it arrive, and nobody waits for it at the end."""
    sink = Sink()
    async with shipping(tmp_path, sink) as (journal, shipper, _):
        settle(journal, shipper, "before")
        journal.append(encode(["S", "damaged"]))
        shipper.wake()
        settle(journal, shipper, "behind")
        with capture_logs():
            await shipper.drained()
        pending = shipper.pending

    assert sink.rows.keys() == {"before", "behind"}
    assert pending == 0


async def test_once_a_backlog_is_worked_off_nothing_is_paced(tmp_path):
    """The pace of an outage ends with it."""
    sink = Sink()
    sink.is_away = True
    async with shipping(tmp_path, sink, batch=10) as (journal, shipper, clock):
        settle(journal, shipper, "during")
        while not clock.slept_s:
            await asyncio.sleep(0)
        sink.is_away = False
        await shipper.drained()
        waits_before = len(clock.slept_s)
        for number in range(30):
            settle(journal, shipper, f"r{number}")
        await shipper.drained()

    assert sink.batches == [1, 10, 10, 10]
    assert clock.slept_s[waits_before:] == []
