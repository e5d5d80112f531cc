"""Recovery of one dead journal: what is billed, what is released, and what is said of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing import FakeClock
from servicekit.testing.sampled import sampled
from services.gateway.metering import metrics
from services.gateway.metering.bill import previewed
from services.gateway.metering.hold import Hold, encode_facts
from services.gateway.metering.interfaces import CountRow
from services.gateway.metering.journal.journal import Journal
from services.gateway.metering.journal.quarantine import FOLDER, Note
from services.gateway.metering.journal.records import Dispatched, Progress, Settled, encode
from services.gateway.metering.journal.segments import segment_numbers
from services.gateway.metering.recovery import PAUSE_EVERY, Recovery
from services.gateway.metering.settle import interrupted, usage_record
from services.gateway.metering.usage_record import UsageRecord
from services.gateway.tests.conftest import StartGateway
from services.gateway.tests.metering.test_metering import leave_journal
from services.gateway.tests.metering_kit import NoHolds, Settlements, completed, dispatched, facts, ticket


class UnseenHolds(NoHolds):
    """A Redis that is still loading when the gateway comes up."""

    tries = 0

    async def all(self) -> AsyncIterator[Hold]:
        """Fail twice."""
        self.tries += 1
        if self.tries <= 2:
            raise Unavailable(ErrorReason.CACHE_ERROR, "loading")
        async for hold in super().all():
            yield hold


class Killed(BaseException):
    """SIGKILL."""


def settled(request_id: str) -> Settled:
    """Return the end of a completed request of 10 + 20 tokens."""
    return Settled(usage_record(ticket(request_id), facts(), completed(10, 20)), ticket(request_id), 1)


def recovery_of(
    root: Path,
    rows: list[Any],
    admission: Settlements,
    holds: NoHolds,
    *,
    lives_for: int = 1000,
    count: CountRow = lambda _: None,
) -> Recovery:
    """Return a recovery that keeps rows in a list, and is killed when the list is so long."""

    async def keep(settled: Settled) -> None:
        if len(rows) == lives_for:
            raise Killed
        rows.append(settled)

    async def sync() -> None:
        return

    own, clock = root / "own", FakeClock()
    return Recovery(root, own, keep=keep, sync=sync, admission=admission, holds=holds, clock=clock, count=count)


async def test_a_request_whose_answer_is_kept_for_retries_is_billed_as_its_answer_says(tmp_path):
    """Its gateway died between keeping the answer and journalling the end; one that keeps none costs nothing."""
    names = ("kept", "lost", "odd", "plain")
    begun = {name: encode_facts(facts(boot_id="dead", idempotent=name != "plain")) for name in names}
    leave_journal(tmp_path, *[Dispatched(ticket(name), begun[name]) for name in names])
    holds = NoHolds()
    row, holds.bills["kept"] = previewed(ticket("kept"), facts(idempotent=True), completed(10, 20, answer_kept=True))
    holds.bills["odd"] = b"no bill of ours"
    rows: list[Any] = []
    admission = Settlements()
    unusual = sampled("razvilka_gateway_unusual_bills_total", flag="not_kept")

    await recovery_of(tmp_path, rows, admission, holds).run()

    assert sampled("razvilka_gateway_unusual_bills_total", flag="not_kept") == unusual + 2
    found = {each.record.request_id: each.record for each in rows}
    assert found["kept"] == row
    assert [found[name].cost_micro_rub for name in names] == [row.cost_micro_rub, 0, 0, 4]
    assert [found[name].flags for name in names] == ["", "not_kept", "not_kept", ""]
    assert sorted(admission.settled) == [
        ("kept", 30, row.cost_micro_rub),
        ("lost", 10, 0),
        ("odd", 10, 0),
        ("plain", 10, 4),
    ]


async def test_recovery_cancels_what_never_went_out_when_redis_comes_back(tmp_path):
    """Gateway and Redis died together: rows at once, and the hold that nobody explains goes when it can be seen."""
    leave_journal(tmp_path, dispatched("cut"))
    holds = UnseenHolds([Hold("user-1", name, 1, facts(boot_id="dead")) for name in ("cut", "admitted")])
    rows: list[Any] = []
    admission = Settlements()
    recovery = recovery_of(tmp_path, rows, admission, holds)

    first, settled_at_first = await recovery.run(), list(admission.settled)
    later = [await recovery.run(), await recovery.run()]

    assert (first, later) == (1, [0, 0])
    assert [row.ticket.request_id for row in rows] == ["cut"]
    assert settled_at_first == [("cut", 10, 4)]
    assert admission.settled == [("cut", 10, 4), ("admitted", 0, 0)]


async def test_a_settled_request_whose_dispatch_is_deleted_is_not_cancelled(tmp_path):
    """Segments go oldest first: the end may be all that a journal still says of a request, and it explains the hold."""
    leave_journal(tmp_path, settled("done"))
    holds = NoHolds([Hold("user-1", "done", 1, facts(boot_id="dead"))])
    rows: list[Any] = []
    admission = Settlements()

    await recovery_of(tmp_path, rows, admission, holds).run()

    assert rows == [settled("done")]
    assert admission.settled == [("done", 30, 20)]


async def test_a_recovery_that_is_killed_half_way_raises_no_alarm(tmp_path):
    """The segments it took over are gone and marked as such: its successor misses nothing and ships the rest."""
    journal = Journal.open(tmp_path, "dead", segment_bytes=500)
    names = [f"r{number}" for number in range(8)]
    for name in names:
        journal.append(encode(settled(name)))
    journal.close(remove=False)
    before = len(segment_numbers(tmp_path / "dead"))
    taken: list[Settled] = []
    admission = Settlements()
    killed = recovery_of(tmp_path, taken, admission, NoHolds(), lives_for=5)
    with pytest.raises(Killed):
        await killed.run()
    left = len(segment_numbers(tmp_path / "dead"))

    await recovery_of(tmp_path, taken, admission, NoHolds()).run()

    assert 0 < left < before
    assert {each.ticket.request_id for each in taken} == set(names)
    assert list(tmp_path.iterdir()) == []


def leave_partly_stored(root: Path, *, stored: Sequence[str], unstored: Sequence[str]) -> None:
    """Write what a gateway left that was killed before the last of its rows were confirmed."""
    journal = Journal.open(root, "dead")
    for name in stored:
        journal.append(encode(settled(name)))
    journal.acknowledge(journal.end)
    for name in unstored:
        journal.append(encode(settled(name)))
    journal.close(remove=False)


async def test_what_is_stored_already_is_not_shipped_again(tmp_path):
    """A row that was confirmed only gives back what it still holds; the others are rows, and settle."""
    leave_partly_stored(tmp_path, stored=["stored", "held"], unstored=["first", "second"])
    holds = NoHolds([Hold("user-1", "held", 1, facts(boot_id="dead"))])
    rows: list[Any] = []
    admission = Settlements()

    count = await recovery_of(tmp_path, rows, admission, holds).run()

    assert count == 2
    assert rows == [settled("first"), settled("second")]
    assert admission.settled == [("held", 30, 20), ("first", 30, 20), ("second", 30, 20)]


async def test_while_nobody_can_say_what_is_held_every_end_gives_back_its_own(tmp_path):
    """To settle twice does no harm; to leave something held does."""
    leave_partly_stored(tmp_path, stored=["stored"], unstored=["unstored"])
    rows: list[Any] = []
    admission = Settlements()

    with capture_logs() as logged:
        await recovery_of(tmp_path, rows, admission, UnseenHolds()).run()

    assert rows == [settled("unstored")]
    assert admission.settled == [("stored", 30, 20), ("unstored", 30, 20)]
    assert [each for each in logged if each["event"] == "metering.holds_unseen"] == [
        {"event": "metering.holds_unseen", "log_level": "warning", "boot_id": "dead", "error": "CACHE_ERROR"}
    ] * 2


async def test_a_recovery_says_what_it_did(tmp_path):
    """In the log and in the metric; what was running is billed as interrupted by the restart, now."""
    leave_journal(tmp_path, dispatched("cut"), Progress("cut", 256), dispatched("done"), settled("done"))
    recovered, estimated = metrics.RECOVERED._value.get(), metrics.ESTIMATED._value.get()
    rows: list[Any] = []

    with capture_logs() as logged:
        await recovery_of(tmp_path, rows, Settlements(), NoHolds()).run()

    cut = usage_record(ticket("cut"), facts(), interrupted(256, "gateway_restarted"))
    assert rows == [Settled(cut, ticket("cut"), int(FakeClock().now().timestamp() * 1e6)), settled("done")]
    assert logged == [
        {"event": "metering.recovered", "log_level": "info", "boot_id": "dead", "requests": 2, "interrupted": 1}
    ]
    assert metrics.RECOVERED._value.get() == recovered + 2
    assert metrics.ESTIMATED._value.get() == estimated + 1


async def test_what_a_dead_gateway_did_not_end_is_counted_once(tmp_path):
    """Though who recovers it is killed half way; what had ended was counted where it ended."""
    leave_journal(tmp_path, dispatched("cut"), Progress("cut", 256), dispatched("done"), settled("done"))
    rows: list[Any] = []
    counted: list[UsageRecord] = []
    with pytest.raises(Killed):
        await recovery_of(tmp_path, rows, Settlements(), NoHolds(), lives_for=1, count=counted.append).run()

    for _ in range(2):
        await recovery_of(tmp_path, rows, Settlements(), NoHolds(), count=counted.append).run()

    assert counted == [usage_record(ticket("cut"), facts(), interrupted(256, "gateway_restarted"))]


async def test_a_gateway_tells_what_the_one_before_it_did_not_live_to_count(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    """In the counters of tokens and money, of which alarms and dashboards are made."""
    model = {"provider": "dead", "model": "dead:latest"}
    begun = encode_facts(facts(boot_id="dead", **model))
    (tmp_path / "journal").mkdir()
    leave_journal(tmp_path / "journal", Dispatched(ticket(), begun), Dispatched(ticket(), begun))

    await start_gateway()

    async with asyncio.timeout(20):
        while not sampled("razvilka_gateway_completions_total", outcome="interrupted", **model):
            await asyncio.sleep(0.01)
    assert sampled("razvilka_gateway_completions_total", outcome="interrupted", **model) == 2
    assert sampled("razvilka_gateway_tokens_total", direction="input", **model) == 20
    assert sampled("razvilka_gateway_cost_micro_rub_total", **model) == 8


async def test_a_segment_with_a_record_that_makes_no_sense_is_kept_with_its_place(tmp_path):
    """Its neighbours are rows; a person finds the bytes and the reason."""
    bad = encode(["S", "of a later version"])
    journal = Journal.open(tmp_path, "dead")
    journal.append(encode(settled("before")))
    journal.append(bad)
    end = journal.end.offset
    journal.append(encode(settled("behind")))
    journal.close(remove=False)
    rows: list[Any] = []

    with capture_logs():
        count = await recovery_of(tmp_path, rows, Settlements(), NoHolds()).run()

    [kept] = (tmp_path / FOLDER).glob("*.seg")
    note = msgspec.json.decode(kept.with_suffix(".json").read_bytes(), type=Note)
    [fault] = note.faults
    assert count == 2
    assert rows == [settled("before"), settled("behind")]
    assert (note.boot_id, note.segment) == ("dead", 1)
    assert (fault.start, fault.end, fault.missing) == (end - len(bad), end, 0)
    assert fault.reason.startswith("no record of ours: Expected `array`")
    assert [path.name for path in tmp_path.iterdir()] == [FOLDER]


async def test_a_long_journal_leaves_turns_to_the_living(tmp_path):
    """One at its beginning and one each 500 records."""
    leave_journal(tmp_path, *[Progress("r", number) for number in range(2 * PAUSE_EVERY + 1)])
    turns = 0

    async def live() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    living = asyncio.ensure_future(live())
    await recovery_of(tmp_path, [], Settlements(), NoHolds()).run()
    living.cancel()

    assert turns == 3
