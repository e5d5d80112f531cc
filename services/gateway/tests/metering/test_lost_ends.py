"""What a journal says of requests that began and never ended: those of the dead, and those whose ends were damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.gateway.metering import metrics
from services.gateway.metering.hold import Hold
from services.gateway.metering.journal.frames import frames
from services.gateway.metering.journal.journal import Journal
from services.gateway.metering.journal.records import JournalRecord, Progress, Settled, Voided, encode
from services.gateway.metering.journal.segments import Fault, segment_path
from services.gateway.metering.recovery import LostEnds, OpenRequests
from services.gateway.metering.settle import interrupted, usage_record
from services.gateway.tests.metering_kit import completed, dispatched, facts, ticket

NOW_US = 1_795_000_100_000_000


def settled(request_id: str) -> Settled:
    """Return the end of a completed request."""
    return Settled(usage_record(ticket(request_id), facts(), completed()), ticket(request_id), 1)


def open_requests(*records: JournalRecord, holds: dict[str, Hold] | None) -> OpenRequests:
    """Return what these records say."""
    requests = OpenRequests(holds)
    for record in records:
        requests.see(encode(record))
    return requests


@pytest.mark.parametrize("end", [settled("ended"), Voided("ended")], ids=["settled", "voided"])
def test_of_a_request_that_ended_nothing_is_kept(end):
    """Memory grows with what was running, not with the journal."""
    requests = open_requests(
        dispatched("ended"), Progress("ended", 256), dispatched("open"), Progress("open", 512), end, holds={}
    )

    assert requests.dispatched == {"open": (ticket("open"), facts())}
    assert requests.delivered == {"open": 512}
    assert requests.billed == set()


@pytest.mark.parametrize("end", [[settled("other")], []], ids=["settled", "open"])
def test_only_a_request_that_holds_something_is_remembered_as_billed(end):
    """The other holds of the boot were never dispatched; without a Redis that can say so, every id is remembered."""
    records = [dispatched("held"), dispatched("other"), *end]
    hold = Hold("user-1", "held", 1, facts())

    assert open_requests(*records, holds={"held": hold}).billed == {"held"}
    assert open_requests(*records, holds=None).billed == {"held", "other"}


def test_a_voided_request_explains_no_hold():
    """It has no row, so what it holds is to be cancelled."""
    hold = Hold("user-1", "voided", 1, facts())

    assert open_requests(dispatched("voided"), Voided("voided"), holds={"voided": hold}).billed == set()


@pytest.fixture
def journal(tmp_path):
    """A living journal: one request whose end is destroyed, one that runs, and a record that makes no sense."""
    journal = Journal.open(tmp_path, "boot")
    for record in (dispatched("lost"), Progress("lost", 256), settled("lost"), ["of a later version"]):
        journal.append(encode(record))
    journal.append(encode(dispatched("running")))
    _destroy_frame(segment_path(tmp_path / "boot", 1), 2)
    yield journal
    journal.close(remove=False)


def _destroy_frame(path: Path, number: int) -> None:
    end = list(frames(path.read_bytes()))[number].end
    with path.open("r+b") as file:
        file.seek(end - 1)
        file.write(b"\xff")


def damage(journal: Journal, at: int) -> None:
    """Let the journal notice that a frame is missing."""
    journal.set_aside(1, Fault(at, at + 1, 1, "damaged"))


LOST = Settled(usage_record(ticket("lost"), facts(), interrupted(256, "journal_damaged")), ticket("lost"), NOW_US)


def test_a_lost_end_is_billed_by_what_was_delivered(journal):
    """As after a crash; the row says why, and it is counted as one that we estimated."""
    lost_ends = LostEnds(journal)
    estimated = metrics.ESTIMATED._value.get()

    before = lost_ends.take({"running"}, now_us=NOW_US)
    damage(journal, 10)
    after = lost_ends.take({"running"}, now_us=NOW_US)

    assert (before, after) == ([], [LOST])
    assert metrics.ESTIMATED._value.get() == estimated + 1


def test_lost_ends_are_looked_for_once_after_each_damage(journal):
    """Reading a whole journal each second would stall the living."""
    lost_ends = LostEnds(journal)

    found = []
    for at in (10, 20):
        damage(journal, at)
        found += [lost_ends.take({"running"}, now_us=NOW_US), lost_ends.take({"running"}, now_us=NOW_US)]

    assert found == [[LOST], [], [LOST], []]


def test_of_no_living_request_an_end_is_lost(journal):
    """What still runs will end by itself."""
    damage(journal, 10)

    assert LostEnds(journal).take({"running", "lost"}, now_us=NOW_US) == []
