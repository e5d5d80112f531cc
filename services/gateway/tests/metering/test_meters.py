"""A metered request from its dispatch to its end, with nothing at work in the background."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing import FakeClock
from services.gateway.metering.dead_letters import DeadLetters
from services.gateway.metering.journal.journal import Journal, JournalFull
from services.gateway.metering.journal.reader import readable
from services.gateway.metering.journal.records import JournalRecord, Progress, Settled, Voided, decode
from services.gateway.metering.metering import Metering
from services.gateway.metering.options import MeteringOptions
from services.gateway.metering.readiness.clock_watch import ClockWatch
from services.gateway.metering.settle import usage_record
from services.gateway.metering.shipper import Shipper
from services.gateway.metering.usage_record import Status
from services.gateway.tests.metering.test_journal import files_no_larger_than
from services.gateway.tests.metering_kit import Settlements, Sink, completed, dispatched, facts, outcome, ticket

NOW_US = int(FakeClock().now().timestamp() * 1e6)


class Books:
    """Metering with its journal, shipper, clock and admission; it does only what a test asks of it."""

    def __init__(self, root: Path, **options) -> None:
        self.root = root
        self.sink = Sink()
        self.clock = FakeClock()
        self.admission = Settlements()
        settings = MeteringOptions(**options)
        self.journal = Journal.open(root, "boot", segment_bytes=settings.segment_bytes)
        self.shipper = Shipper(
            self.journal,
            self.sink.record,
            DeadLetters(root / "dead.jsonl"),
            clock=self.clock,
            rng=random.Random(1),
            options=settings,
        )
        watch = ClockWatch({}, self.clock)
        self.metering = Metering(self.journal, self.shipper, self.admission, watch, clock=self.clock, options=settings)

    def journalled(self) -> list[JournalRecord]:
        """Return what the journal says."""
        return [decode(payload) for payload in readable(self.journal)]

    def open_in(self, segment: int) -> int:
        """Return how many requests keep a segment."""
        return self.journal.segment(segment).open_requests


@pytest.fixture
def books(tmp_path):
    """Metering with the usual options."""
    books = Books(tmp_path)
    yield books
    books.journal.close(remove=False)


def settled(request_id: str, at_us: int = NOW_US) -> Settled:
    """Return the end of a completed request of 10 + 20 tokens."""
    return Settled(usage_record(ticket(request_id), facts(), completed(10, 20)), ticket(request_id), at_us)


def test_a_request_that_goes_out_is_in_the_journal_and_keeps_its_segment(books):
    """Nothing else is known of it yet."""
    meter = books.metering.dispatched(ticket("r"), facts())

    assert books.journalled() == [dispatched("r")]
    assert (meter.ticket, meter.facts, meter.segment) == (ticket("r"), facts(), 1)
    assert (meter.record, meter.delivered_tokens) == (None, 0)
    assert (books.metering.open_requests, books.open_in(1)) == (1, 1)
    assert books.metering.unshipped == 0


def test_progress_is_journalled_by_tokens_or_by_time_and_only_when_something_came(books):
    """256 tokens at once; less after a second; nothing when nothing came, however long it takes."""
    books.clock.advance(100)
    meter = books.metering.dispatched(ticket("r"), facts())
    said = []

    def deliver(tokens: int, *, after_s: float) -> None:
        books.clock.advance(after_s)
        meter.progress(tokens)
        said.append(meter.delivered_tokens)

    for tokens, after_s in [
        (255, 0),
        (255, 0.5),
        (256, 0),
        (257, 0.999),
        (257, 0.001),
        (257, 60),
        (513, 0),
        (514, 0.9),
    ]:
        deliver(tokens, after_s=after_s)

    assert said == [0, 0, 256, 256, 257, 257, 513, 513]
    assert books.journalled() == [dispatched("r"), *[Progress("r", tokens) for tokens in (256, 257, 513)]]


async def test_an_ended_request_is_journalled_settled_and_waits_to_be_shipped(books):
    """One row, one settlement of its tokens and cost, and its segment is let go."""
    meter = books.metering.dispatched(ticket("r"), facts())

    costs = [await meter.settle(completed(10, 20)), await meter.settle(outcome(Status.FAILED))]
    await meter.void()

    assert costs == [20, 0]
    assert books.journalled() == [dispatched("r"), settled("r")]
    assert books.admission.settled == [("r", 30, 20)]
    assert meter.record == settled("r").record
    assert (books.metering.open_requests, books.open_in(1), books.metering.unshipped) == (0, 0, 1)


async def test_a_voided_request_is_journalled_and_costs_nothing(books):
    """Once, and an end behind it counts no more."""
    meter = books.metering.dispatched(ticket("r"), facts())

    await meter.void()
    await meter.void()
    cost = await meter.settle(completed(10, 20))

    assert cost == 0
    assert books.journalled() == [dispatched("r"), Voided("r")]
    assert books.admission.settled == [("r", 0, 0)]
    assert meter.record is None
    assert (books.metering.open_requests, books.open_in(1), books.metering.unshipped) == (0, 0, 0)


@pytest.mark.parametrize("end", ["settle", "void"])
async def test_an_end_lets_go_of_the_segment_in_which_the_request_began(tmp_path, end):
    """Not of the one that is written to just then."""
    books = Books(tmp_path, segment_bytes=300)
    first, second = [books.metering.dispatched(ticket(name), facts()) for name in ("first", "second")]

    await (second.settle(completed()) if end == "settle" else second.void())

    assert (first.segment, second.segment) == (1, 2)
    assert (books.open_in(1), books.open_in(2)) == (1, 0)
    books.journal.close(remove=False)


async def test_a_row_that_finds_no_room_waits_in_memory_and_is_settled(books):
    """Its caller gets the answer, and nothing stays held."""
    meter = books.metering.dispatched(ticket("r"), facts())

    with capture_logs() as logged, files_no_larger_than(1):
        cost = await meter.settle(completed(10, 20))
    waiting = books.shipper.unjournalled
    await books.shipper.ship_batch()

    assert (cost, waiting) == (20, 1)
    assert books.admission.settled == [("r", 30, 20)]
    assert books.sink.rows == {"r": settled("r").record}
    assert [each for each in logged if each["event"] != "journal.full"] == [
        {
            "event": "metering.settle_not_journalled",
            "log_level": "warning",
            "request_id": "r",
            "error": "JournalFull('File too large')",
        }
    ]


async def test_a_void_that_finds_no_room_gives_back_what_was_held(books):
    """At worst the next start bills an interrupted request; the log says which."""
    meter = books.metering.dispatched(ticket("r"), facts())

    with capture_logs() as logged, files_no_larger_than(1):
        await meter.void()

    assert books.admission.settled == [("r", 0, 0)]
    assert books.metering.open_requests == 0
    assert [each for each in logged if each["event"] != "journal.full"] == [
        {"event": "metering.void_not_journalled", "log_level": "warning", "request_id": "r"}
    ]


def test_progress_that_finds_no_room_costs_precision_only(books):
    """The request goes on."""
    meter = books.metering.dispatched(ticket("r"), facts())

    with capture_logs(), files_no_larger_than(1):
        meter.progress(300)
    meter.progress(600)

    assert books.journalled() == [dispatched("r"), Progress("r", 600)]


def test_no_request_begins_while_the_journal_takes_none(books):
    """The caller hears when to come again."""
    with capture_logs(), files_no_larger_than(1), pytest.raises(Unavailable) as refused:
        books.metering.dispatched(ticket("r"), facts())

    assert isinstance(refused.value.__cause__, JournalFull)
    assert (refused.value.reason, refused.value.retry_after_s) == (ErrorReason.SERVICE_UNAVAILABLE, 5.0)
    assert (books.metering.open_requests, books.journalled()) == (0, [])


async def test_no_more_requests_are_open_than_memory_can_take(tmp_path):
    """One that ends makes room for another."""
    books = Books(tmp_path, max_unjournalled=2)
    first, _ = [books.metering.dispatched(ticket(name), facts()) for name in ("first", "second")]
    with pytest.raises(Unavailable):
        books.metering.dispatched(ticket("third"), facts())
    was_ready = books.metering.is_ready

    await first.settle(completed())
    books.metering.dispatched(ticket("third"), facts())

    assert not was_ready
    assert books.metering.open_requests == 2
    books.journal.close(remove=False)


async def test_a_row_of_somebody_else_is_journalled_or_delivered_at_once(books):
    """What recovery finds lies on the disk before the original goes, or in the usage service."""
    await books.metering.keep(settled("journalled"))
    waiting = books.metering.unshipped, dict(books.sink.rows)
    with capture_logs(), files_no_larger_than(1):
        await books.metering.keep(settled("delivered"))

    assert waiting == (1, {})
    assert books.journalled() == [settled("journalled")]
    assert books.sink.rows == {"delivered": settled("delivered").record}
