"""Reports that wait: claimed once, made again when whoever made them vanished, kept until they expire."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from servicekit.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded
from services.usage.reports.domain.link import Link, sign_link
from services.usage.reports.domain.order import CsvDialect, Format, Kind, check_order
from services.usage.reports.domain.report import ATTEMPTS, Status
from services.usage.reports.performing import PIECE
from services.usage.reports.store.report_store import ReportStore
from services.usage.statistics.domain.query import Dimension
from services.usage.tests.reports.histories import file_of, history, order, store_history

CSV = order(Format.CSV, Kind.REQUESTS)
DAY_S = 86_400


async def content_of(room, report) -> bytes:
    return b"".join([piece async for piece in room.reports.content(report)])


@pytest.fixture
async def records(store):
    mine = history(100)
    await store_history(store, mine)
    return mine


async def test_a_small_report_is_done_when_its_order_is_answered(make_room, records, generation):
    """With its checksum, its size and the moment whose rows it shows."""
    room = make_room()

    report = await room.reports.order(CSV)

    content = await content_of(room, report)
    assert (report.status, report.progress, report.rows_total) == (Status.DONE, 1.0, 100)
    assert content == await file_of(generation, CSV)
    assert (report.size_bytes, report.sha256) == (len(content), hashlib.sha256(content).digest())
    assert report.snapshot_at == report.created_at


async def test_a_large_report_waits_for_its_turn(make_room, records):
    """Its order is answered at once; a round makes it."""
    room = make_room(at_once_rows=99)

    report = await room.reports.order(CSV)
    with pytest.raises(Conflict, match="The report is queued"):
        room.reports.content(report)
    await room.upkeep.round()

    assert (report.status, report.rows_total) == (Status.QUEUED, 100)
    done = await room.reports.find("user-1", report.id)
    assert (done.status, (await content_of(room, done)).count(b"\r\n")) == (Status.DONE, 102)


async def test_two_instances_make_each_report_once(make_room, records, pool):
    """They claim; nobody waits for the other."""
    rooms = [make_room(at_once_rows=0) for _ in range(2)]
    ordered = [(await rooms[0].reports.order(CSV)).id for _ in range(6)]

    await asyncio.gather(*[room.upkeep.round() for room in rooms])

    found = {each.id: each for each in await rooms[0].reports.list("user-1")}
    assert {found[each].status for each in ordered} == {Status.DONE}
    assert {found[each].attempt for each in ordered} == {1}
    assert await pool.fetchval("SELECT count(*) FROM usage.report_pieces") == 6


async def test_a_report_of_an_instance_that_vanished_is_made_again(make_room, records, pool, clock):
    """When its lease has ended, not before; what the first one had written is gone."""
    room, store = make_room(at_once_rows=0, lease_s=60), ReportStore(pool)
    report = await room.reports.order(CSV)
    lost = await store.claim(clock.now(), clock.now() + timedelta(seconds=60))
    assert lost is not None
    await store.add_piece(lost, 0, b"half of it")

    await room.upkeep.round()
    before = await room.reports.find("user-1", report.id)
    clock.advance(61)
    await room.upkeep.round()

    after = await room.reports.find("user-1", report.id)
    assert (before.status, after.status, after.attempt) == (Status.RUNNING, Status.DONE, 2)
    assert (await content_of(room, after)).startswith(b"id,time,")
    assert await pool.fetchval("SELECT count(*) FROM usage.report_pieces") == 1
    # Whoever comes back late has lost it.
    assert not await store.finish(replace(lost, rows_total=1), clock.now())
    assert not await store.renew(lost, clock.now())


async def test_a_lease_of_a_clock_that_was_ahead_ends_as_others_do(make_room, records, pool, clock):
    """Whoever is alive still has it for a whole lease, and keeps it by saying so."""
    room, store = make_room(at_once_rows=0, lease_s=60), ReportStore(pool)
    report = await room.reports.order(CSV)
    assert await store.claim(clock.now(), clock.now() + timedelta(days=1))

    await room.upkeep.round()
    before = await room.reports.find("user-1", report.id)
    clock.advance(61)
    await room.upkeep.round()

    after = await room.reports.find("user-1", report.id)
    assert (before.status, after.status, after.attempt) == (Status.RUNNING, Status.DONE, 2)


async def test_a_report_that_ends_every_instance_is_given_up(make_room, records, pool, clock):
    """It would go on ending them for ever."""
    room, store = make_room(at_once_rows=0), ReportStore(pool)
    report = await room.reports.order(CSV)
    for _ in range(ATTEMPTS):
        assert await store.claim(clock.now(), clock.now() + timedelta(seconds=60))
        clock.advance(61)

    await room.upkeep.round()

    found = await room.reports.find("user-1", report.id)
    assert (found.status, found.attempt) == (Status.FAILED, ATTEMPTS)
    assert "shorter period" in found.error


async def test_a_report_with_too_many_rows_fails_and_says_so(make_room, records):
    """Whoever waited for it learns the bound."""
    room = make_room(rows_max=99)

    report = await room.reports.order(CSV)

    assert report.status is Status.FAILED
    assert report.error == "The report would have 100 rows; 99 are allowed. Choose a shorter period."


async def test_a_large_content_comes_in_pieces(make_room, store):
    """Nobody holds all of it in memory."""
    await store_history(store, history(6_000))
    room = make_room()

    report = await room.reports.order(order(Format.JSONL, Kind.REQUESTS))

    pieces = [len(piece) async for piece in room.reports.content(report)]
    assert pieces[:-1] == [PIECE] * (len(pieces) - 1)
    assert (len(pieces) > 1, sum(pieces)) == (True, report.size_bytes)


async def test_reports_are_their_owners_only(make_room, records):
    """What is another's is not there."""
    room = make_room()
    report = await room.reports.order(CSV)

    for other in ("user-2", ""):
        with pytest.raises(NotFound):
            await room.reports.find(other, report.id)
        with pytest.raises(NotFound):
            await room.reports.delete(other, report.id)
        assert await room.reports.list(other) == []
    with pytest.raises(NotFound):
        await room.reports.find("user-1", "not an id")


async def test_a_link_opens_one_report_for_a_day(make_room, records, clock):
    """Without a credential; altered, late, or of another report it opens nothing."""
    room = make_room(kept_days=3)
    report, other = await room.reports.order(CSV), await room.reports.order(CSV)
    link = room.reports.link(report)

    opened = await room.reports.open_link(report.id, link)

    assert opened.id == report.id
    later = sign_link(other.link_key, report.id, link.expires)
    for wrong in (Link(link.expires + 1, link.signature), Link(link.expires, link.signature[::-1]), later):
        with pytest.raises(NotFound):
            await room.reports.open_link(report.id, wrong)
    with pytest.raises(NotFound):
        await room.reports.open_link(other.id, link)
    clock.advance(DAY_S)
    with pytest.raises(NotFound):
        await room.reports.open_link(report.id, link)


async def test_a_report_expires_with_its_content(make_room, records, pool, clock):
    """Nothing of it is kept."""
    room = make_room(kept_days=1)
    await room.reports.order(CSV)

    clock.advance(DAY_S)
    await room.upkeep.round()

    assert await room.reports.list("user-1") == []
    assert await pool.fetchval("SELECT count(*) FROM usage.report_pieces") == 0


async def test_a_deleted_report_ends_for_whoever_makes_it(make_room, records, pool, clock):
    """Its pieces find no place, its end is no failure."""
    room, store = make_room(at_once_rows=0), ReportStore(pool)
    report = await room.reports.order(CSV)
    claimed = await store.claim(clock.now(), clock.now() + timedelta(seconds=60))
    assert claimed is not None

    await room.reports.delete("user-1", report.id)
    await store.add_piece(claimed, 0, b"late")

    assert not await store.finish(claimed, clock.now())
    assert await pool.fetchval("SELECT count(*) FROM usage.report_pieces") == 0


async def test_a_user_has_so_many_reports_at_most(make_room, records):
    """The refusal says what to do."""
    room = make_room(per_user=2)
    for _ in range(2):
        await room.reports.order(CSV)

    with pytest.raises(QuotaExceeded, match="Delete one"):
        await room.reports.order(CSV)


async def test_many_orders_at_once_do_not_get_past_the_bound(make_room, records):
    """Each counted before any was kept."""
    room = make_room(per_user=2)

    orders = [room.reports.order(CSV) for _ in range(4)]
    answers = await asyncio.gather(*orders, return_exceptions=True)

    assert sum(isinstance(answer, QuotaExceeded) for answer in answers) == 2
    assert len(await room.reports.list("user-1")) == 2


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        (order(Format.PDF, Kind.REQUESTS), "format"),
        (order(Format.CSV, csv=CsvDialect(separator="|")), "csv.separator"),
        (order(Format.CSV, csv=CsvDialect(decimal_comma=True)), "csv.decimal"),
        (order(zone="Mars/Olympus"), "tz"),
        (order(filters={Dimension.USER: ("user-2",)}), "user"),
        (order(filters={Dimension.MODEL: ("a", "b\0")}), "filters"),
        (replace(CSV, until=CSV.since), "to"),
        (replace(CSV, user_id=""), "user_id"),
    ],
)
def test_an_order_that_cannot_be_carried_out_names_its_field(wrong, param):
    """So that it can be mended."""
    with pytest.raises(InvalidRequest) as refused:
        check_order(wrong)

    assert refused.value.param == param


async def test_nothing_is_kept_of_an_order_that_cannot_be_carried_out(make_room):
    """Not even that it failed."""
    room = make_room()

    with pytest.raises(InvalidRequest):
        await room.reports.order(replace(CSV, until=CSV.since))

    assert await room.reports.list("user-1") == []


async def test_a_report_of_the_last_thirty_days_needs_no_order(make_room, records, clock):
    """Whose and which format is enough."""
    room = make_room()

    report = await room.reports.order(room.reports.usual_order("user-1", Format.PDF))

    days = (report.order.until - report.order.since).days
    assert (report.status, days, (await content_of(room, report))[:5]) == (Status.DONE, 29, b"%PDF-")
