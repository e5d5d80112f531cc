"""Metering in one process: what is journalled when, what a stop leaves, what a restart repairs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from servicekit.errors import Unavailable
from servicekit.testing import FakeClock
from services.gateway.metering.chores.leader_election import LeaderElection
from services.gateway.metering.hold import Hold
from services.gateway.metering.journal.journal import Journal
from services.gateway.metering.journal.reader import DeadJournal
from services.gateway.metering.journal.records import (
    Dispatched,
    JournalRecord,
    Progress,
    Settled,
    Voided,
    decode,
    encode,
)
from services.gateway.metering.journal.segments import segment_numbers
from services.gateway.metering.metering import Metering, open_metering
from services.gateway.metering.options import MeteringOptions
from services.gateway.metering.usage_record import RequestFacts, Source, Status, UsageRecord
from services.gateway.tests.metering.test_journal import files_no_larger_than
from services.gateway.tests.metering_kit import (
    NoHolds,
    Settlements,
    Sink,
    completed,
    dispatched,
    facts,
    outcome,
    ticket,
)


@pytest.fixture
def admission() -> Settlements:
    """Remembers what was settled."""
    return Settlements()


@pytest.fixture
def sink() -> Sink:
    """Stores rows."""
    return Sink()


@asynccontextmanager
async def metering_in(
    root: Path, client, sink: Sink, admission: Settlements, *, boot_id: str = "boot", clock=None, holds=None, **options
) -> AsyncIterator[Metering]:
    """Yield metering whose recovery is done."""
    async with open_metering(
        root,
        LeaderElection(client),
        sink.record,
        admission,
        holds or NoHolds(),
        boot_id=boot_id,
        clock=clock,
        options=MeteringOptions(**{"linger_s": 0.001, "batch_every_s": 0.001, "drain_at_stop_s": 300.0, **options}),
    ) as metering:
        while metering.recovering:
            await asyncio.sleep(0)
        yield metering


def journalled(root: Path, boot_id: str = "boot") -> list[JournalRecord]:
    """Return what a journal says."""
    return [decode(payload) for _, payload in DeadJournal(root / boot_id).read()]


async def test_a_request_is_journalled_settled_and_shipped(tmp_path, redis_client, sink, admission):
    """DISPATCHED before the provider, SETTLED before admission, the row in the sink, nothing left on disk."""
    async with metering_in(tmp_path, redis_client, sink, admission) as metering:
        meter = metering.dispatched(ticket("r1"), facts())
        before = journalled(tmp_path)
        cost = await meter.settle(completed(10, 20))
        after = journalled(tmp_path)

    assert [type(record) for record in before] == [Dispatched]
    assert [type(record) for record in after] == [Dispatched, Settled]
    assert cost == 20
    assert admission.settled == [("r1", 30, 20)]
    assert sink.rows["r1"].cost_micro_rub == 20
    assert list(tmp_path.iterdir()) == []


async def test_progress_is_journalled_each_256_tokens_or_each_second(tmp_path, redis_client, sink, admission):
    """Not for each token, and not when nothing came."""
    clock = FakeClock()
    async with metering_in(tmp_path, redis_client, sink, admission, clock=clock) as metering:
        meter = metering.dispatched(ticket("r1"), facts())
        for delivered in (100, 255, 256, 300):
            meter.progress(delivered)
        clock.advance(1)
        meter.progress(301)
        clock.advance(1)
        meter.progress(301)
        said = [record.delivered_tokens for record in journalled(tmp_path) if isinstance(record, Progress)]
        await meter.settle(completed())

    assert said == [256, 301]


async def test_a_meter_settles_once(tmp_path, redis_client, sink, admission):
    """Whatever the edge calls after the first end is ignored."""
    async with metering_in(tmp_path, redis_client, sink, admission) as metering:
        meter = metering.dispatched(ticket("r1"), facts())
        await meter.settle(completed(10, 20))
        await meter.settle(outcome(Status.FAILED))
        await meter.void()

    assert len(admission.settled) == 1
    assert sink.rows["r1"].status is Status.COMPLETED


async def test_a_voided_request_leaves_no_row(tmp_path, redis_client, sink, admission):
    """It reached no provider: the hold goes, nothing is billed."""
    async with metering_in(tmp_path, redis_client, sink, admission) as metering:
        await metering.dispatched(ticket("r1"), facts()).void()

    assert sink.rows == {}
    assert admission.settled == [("r1", 0, 0)]


async def test_a_full_disk_refuses_requests_and_keeps_the_rows_of_running_ones(tmp_path, redis_client, sink, admission):
    """Not ready, 503 for new ones; one that ends meanwhile is shipped from memory."""
    async with metering_in(tmp_path, redis_client, sink, admission) as metering:
        running = metering.dispatched(ticket("r1"), facts())
        with capture_logs(), files_no_larger_than(1):
            with pytest.raises(Unavailable):
                metering.dispatched(ticket("r2"), facts())
            was_ready = metering.is_ready
            await running.settle(completed())
        while metering.unshipped:
            await asyncio.sleep(0.001)

    assert not was_ready
    assert sink.rows.keys() == {"r1"}


async def test_a_stop_while_the_usage_service_is_away_keeps_the_journal(tmp_path, redis_client, sink, admission):
    """What could not be shipped waits on disk, and the next start ships it."""
    sink.is_away = True
    async with metering_in(tmp_path, redis_client, sink, admission, drain_at_stop_s=0.05) as metering:
        await metering.dispatched(ticket("r1"), facts()).settle(completed())
    kept = journalled(tmp_path)
    sink.is_away = False

    async with metering_in(tmp_path, redis_client, sink, admission, boot_id="next"):
        pass

    assert [type(record) for record in kept] == [Dispatched, Settled]
    assert sink.rows.keys() == {"r1"}
    assert admission.settled[0] == admission.settled[1]
    assert list(tmp_path.iterdir()) == []


def leave_journal(root: Path, *records) -> None:
    """Write what a dead gateway left."""
    journal = Journal.open(root, "dead")
    for record in records:
        journal.append(encode(record))
    journal.close(remove=False)


async def test_recovery_bills_what_was_delivered_and_cancels_what_never_went_out(
    tmp_path, redis_client, sink, admission
):
    """Interrupted by the last PROGRESS, voided not at all; holds without a record cost nothing; others' stay."""
    leave_journal(
        tmp_path,
        dispatched("cut"),
        Progress("cut", 256),
        dispatched("voided"),
        Voided("voided"),
        dispatched("waiting"),
    )
    holds = NoHolds(
        [
            Hold("user-1", name, 1, facts(boot_id=boot))
            for name, boot in (("cut", "dead"), ("voided", "dead"), ("admitted", "dead"), ("alive", "other"))
        ]
    )

    async with metering_in(tmp_path, redis_client, sink, admission, holds=holds):
        pass

    assert {name: (row.tokens_output, row.source, row.status) for name, row in sink.rows.items()} == {
        "cut": (256, Source.ESTIMATED, Status.INTERRUPTED),
        "waiting": (0, Source.ESTIMATED, Status.INTERRUPTED),
    }
    assert sorted(admission.settled) == [("admitted", 0, 0), ("cut", 266, 209), ("voided", 0, 0), ("waiting", 10, 4)]


async def test_recovery_leaves_living_journals_and_other_files_alone(tmp_path, redis_client, sink, admission):
    """A neighbour on the same disk is alive as long as it holds its lock."""
    (tmp_path / "lost+found").mkdir()
    neighbour = Journal.open(tmp_path, "neighbour")
    neighbour.append(encode(dispatched("theirs")))

    async with metering_in(tmp_path, redis_client, sink, admission):
        pass

    assert sink.rows == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lost+found", "neighbour"]
    neighbour.close(remove=True)


async def test_a_long_request_does_not_keep_old_segments(tmp_path, redis_client, sink, admission):
    """It is written anew, with what it has delivered, and the segments before go."""
    clock = FakeClock()
    async with metering_in(
        tmp_path, redis_client, sink, admission, clock=clock, segment_bytes=1000, carry_segments=2
    ) as metering:
        long = metering.dispatched(ticket("long"), facts())
        long.progress(300)
        for number in range(20):
            await metering.dispatched(ticket(f"r{number}"), facts()).settle(completed())
        while metering.unshipped:
            await asyncio.sleep(0.001)
        before = len(segment_numbers(tmp_path / "boot"))
        clock.advance(1)
        while len(segment_numbers(tmp_path / "boot")) > 3:
            await asyncio.sleep(0.001)
        said = journalled(tmp_path)
        await long.settle(completed())

    assert before > 3
    assert dispatched("long") in said
    assert Progress("long", 300) in said


def test_the_journal_holds_no_text_of_the_caller():
    """Its record types have no field that could carry a prompt, an answer or a key."""
    kinds = (Dispatched, Progress, Settled, Voided, UsageRecord, RequestFacts)
    names = {name for kind in kinds for name in kind.__struct_fields__}

    assert not names & {"messages", "prompt", "content", "completion", "secret", "authorization", "api_key", "token"}
