"""What the usage service will never take: found in its batch, kept as a letter or, without room, in its segment."""

from __future__ import annotations

import json
import random

import msgspec
import pytest
from structlog.testing import capture_logs

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.metering.journal.quarantine import FOLDER, Note
from services.gateway.metering.journal.records import encode
from services.gateway.metering.journal.segments import Fault
from services.gateway.tests.metering.test_accounts import Shipment, settled


@pytest.fixture
def shipment(tmp_path) -> Shipment:
    """Ships four records at once, of which each has a segment of its own."""
    return Shipment(tmp_path, batch=4, segment_bytes=300)


def append(shipment: Shipment, *names: str) -> None:
    """Append the ends of requests, and nothing else."""
    for name in names:
        shipment.journal.append(encode(settled(name)))
        shipment.shipper.wake()


def faults_by_segment(shipment: Shipment) -> dict[int, tuple[Fault, ...]]:
    """Return what the quarantine and the living journal say of segments that must be kept."""
    notes = [msgspec.json.decode(path.read_bytes(), type=Note) for path in (shipment.root / FOLDER).glob("*.json")]
    last = shipment.journal.end.segment
    return {note.segment: note.faults for note in notes} | {last: tuple(shipment.journal.segment(last).faults)}


async def test_a_batch_is_halved_until_the_record_that_spoils_it_is_alone(shipment):
    """In order, and nothing that was stored is sent again."""
    shipment.sink.poison = {"c"}
    append(shipment, "a", "b", "c", "d")
    with capture_logs():
        await shipment.shipper.ship_batch()

    assert shipment.sink.batches == [2, 1]
    assert list(shipment.sink.rows) == ["a", "b", "d"]
    assert shipment.counts() == (4, 3, 1, 0, 0, 0)
    assert shipment.clock.slept_s == []


async def test_a_refusal_that_names_no_field_is_a_letter_all_the_same(shipment):
    """With the usage service's words."""

    def refuse() -> None:
        raise InvalidRequest(ErrorReason.INVALID_REQUEST, "too large")

    shipment.before_each_call = refuse
    append(shipment, "a")
    with capture_logs():
        await shipment.shipper.ship_batch()

    [letter] = [json.loads(line) for line in (shipment.root / "dead.jsonl").read_text().splitlines()]
    assert letter["why"] == {"request_id": "a", "field": "", "message": "too large"}
    assert letter["record"]["request_id"] == "a"


@pytest.mark.parametrize("refused_by", ["rejects", "poison"])
async def test_without_room_for_a_letter_the_segments_of_its_batch_are_kept(shipment, refused_by):
    """Those behind the place that was confirmed before; the other rows of the batch are stored."""
    (shipment.root / "dead.jsonl").mkdir()
    setattr(shipment.sink, refused_by, {"e", "f"})
    append(shipment, "a", "b", "c", "d")
    await shipment.shipper.ship_batch()
    append(shipment, "e", "f", "g")
    with capture_logs() as logged:
        await shipment.shipper.ship_batch()

    why = {"rejects": "cost: no", "poison": "records: poison"}[refused_by]
    fault = Fault(0, shipment.journal.end.offset, 0, f"refused ({why}), and no room for a dead letter")
    assert faults_by_segment(shipment) == dict.fromkeys((4, 5, 6, 7), (fault,))
    assert shipment.counts() == (7, 5, 0, 2, 0, 0)
    assert shipment.sink.rows.keys() == {"a", "b", "c", "d", "g"}
    assert [each for each in logged if each["event"] == "metering.dead_letter_not_written"] == [
        {
            "event": "metering.dead_letter_not_written",
            "log_level": "error",
            "request_id": name,
            "error": "Is a directory",
        }
        for name in ("e", "f")
    ]


@pytest.mark.parametrize("refused_by", ["rejects", "poison"])
async def test_a_refused_record_that_is_in_no_segment_waits_for_room(shipment, refused_by):
    """It is nowhere else: the call is made again until its letter is written."""
    letters = shipment.root / "dead.jsonl"
    letters.mkdir()
    setattr(shipment.sink, refused_by, {"a"})
    calls = []

    def make_room() -> None:
        calls.append(shipment.counts())
        if len(calls) == 3:
            letters.rmdir()

    shipment.before_each_call = make_room
    with capture_logs() as logged:
        await shipment.shipper.deliver_now(settled("a").record)

    assert calls == [(1, 0, 0, 0, 1, 0)] * 3
    assert shipment.counts() == (1, 0, 1, 0, 0, 0)
    assert [(each["event"], each["error"]) for each in logged if each["log_level"] == "warning"] == [
        ("metering.ship_failed", "IsADirectoryError")
    ]


async def test_the_waits_between_tries_double_up_to_their_bound(tmp_path):
    """Each by chance between a half of its bound and the whole, so that gateways do not come back at once."""
    shipment = Shipment(tmp_path, retry_first_s=0.5, retry_max_s=3.0)
    chance = random.Random(1)
    shipment.sink.is_away = True

    def come_back() -> None:
        shipment.sink.is_away = len(shipment.clock.slept_s) < 5

    shipment.before_each_call = come_back
    append(shipment, "a")
    with capture_logs() as logged:
        await shipment.shipper.ship_batch()

    assert shipment.clock.slept_s == [bound * chance.uniform(0.5, 1.0) for bound in (0.5, 1.0, 2.0, 3.0, 3.0)]
    assert len(logged) == 1
    assert shipment.sink.rows.keys() == {"a"}
