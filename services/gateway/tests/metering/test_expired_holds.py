"""Holds whose gateway vanished with its journal: billed once, released then, by one gateway at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing import FakeClock
from services.gateway.metering import metrics
from services.gateway.metering.bill import previewed
from services.gateway.metering.chores.leader_election import LeaderElection
from services.gateway.metering.dead_letters import DeadLetters
from services.gateway.metering.expired_holds import BATCH, ExpiredHolds
from services.gateway.metering.hold import Hold
from services.gateway.metering.interfaces import ElectsLeader
from services.gateway.metering.options import MeteringOptions
from services.gateway.metering.usage_record import Source
from services.gateway.tests.metering_kit import NoHolds, Settlements, Sink, completed, facts, ticket


class Elections:
    """Chooses this gateway in some rounds, and cannot say in others."""

    def __init__(self, *chosen: bool | Exception) -> None:
        self.asked: list[tuple[str, float]] = []
        self._chosen = list(chosen)

    @asynccontextmanager
    async def elected(self, chore: str, *, timeout_s: float) -> AsyncIterator[bool]:
        """Yield what this round was given; wait for ever when there is no more."""
        self.asked.append((chore, timeout_s))
        if not self._chosen:
            await asyncio.Event().wait()
        chosen = self._chosen.pop(0)
        if isinstance(chosen, Exception):
            raise chosen
        yield chosen


def reaper(root: Path, election: ElectsLeader, holds: NoHolds, sink: Sink, admission: Settlements, clock: FakeClock):
    """Return what bills these holds."""
    letters = DeadLetters(root / "dead.jsonl")
    options = MeteringOptions(reap_every_s=30.0, reap_grace_s=120.0, chores_timeout_s=60.0)
    return ExpiredHolds(election, holds, sink.record, admission, letters, clock=clock, options=options)


async def test_holds_are_billed_only_in_the_rounds_in_which_this_gateway_is_chosen(tmp_path):
    """Each after its wait; a round that fails is said, and the next comes all the same."""
    elections = Elections(False, Unavailable(ErrorReason.CACHE_ERROR, "away"), TimeoutError(), OSError(), True)
    sink, admission, clock = Sink(), Settlements(), FakeClock(auto_advance=True)
    holds = NoHolds([Hold("user-1", "r1", 1, facts())])

    with capture_logs() as logged:
        serving = asyncio.ensure_future(reaper(tmp_path, elections, holds, sink, admission, clock).serve())
        while len(elections.asked) < 6:
            await asyncio.sleep(0)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    assert elections.asked == [("reaper", 60.0)] * 6
    assert clock.slept_s == [30.0] * 6
    assert holds.asked_older_than_s == [120.0]
    assert admission.settled == [("r1", 10, 4)]
    missed = [each["error"] for each in logged if each["event"] == "metering.reaping_missed"]
    assert missed == ["CACHE_ERROR", "TimeoutError", "OSError"]


async def test_a_hold_whose_answer_is_kept_for_retries_is_billed_as_its_answer_says(tmp_path):
    """The gateway is gone with its disk; what it told its caller is known all the same."""
    sink, admission = Sink(), Settlements()
    asked = facts(idempotent=True)
    holds = NoHolds([Hold("user-1", name, 1, asked) for name in ("kept", "lost")])
    row, holds.bills["kept"] = previewed(ticket("kept"), asked, completed(10, 20, answer_kept=True))
    reaped, estimated = metrics.REAPED._value.get(), metrics.ESTIMATED._value.get()

    await reaper(tmp_path, Elections(), holds, sink, admission, FakeClock()).bill()

    # An exact bill is none of those that the objective of money counts.
    assert (metrics.REAPED._value.get() - reaped, metrics.ESTIMATED._value.get() - estimated) == (1, 1)
    assert sink.rows["kept"] == row
    assert (sink.rows["lost"].source, sink.rows["lost"].cost_micro_rub) == (Source.REAPED, 0)
    assert admission.settled == [("kept", 30, row.cost_micro_rub), ("lost", 10, 0)]


async def test_nothing_expired_is_nothing_sent(tmp_path):
    """No empty batch, no line in the log."""
    sink = Sink()
    with capture_logs() as logged:
        billed = await reaper(tmp_path, Elections(), NoHolds(), sink, Settlements(), FakeClock()).bill()

    assert (billed, sink.batches, logged) == (0, [], [])


async def test_what_is_billed_is_counted_and_what_is_refused_is_kept(tmp_path):
    """Alone in its batch as well as among others, with the words of the usage service."""
    sink, admission = Sink(), Settlements()
    sink.poison, sink.rejects = {"poison"}, {"rejected"}
    names = ["a", "poison", "rejected"]
    holds = NoHolds([Hold("user-1", name, 1, facts()) for name in names])
    reaped, estimated = metrics.REAPED._value.get(), metrics.ESTIMATED._value.get()

    with capture_logs() as logged:
        billed = await reaper(tmp_path, Elections(), holds, sink, admission, FakeClock()).bill()

    letters = [json.loads(line) for line in (tmp_path / "dead.jsonl").read_text().splitlines()]
    assert (billed, set(sink.rows)) == (3, {"a"})
    assert admission.settled == [(name, 10, 4) for name in names]
    assert [tuple(letter["why"].values()) for letter in letters] == [
        ("poison", "records", "poison"),
        ("rejected", "cost", "no"),
    ]
    assert (metrics.REAPED._value.get() - reaped, metrics.ESTIMATED._value.get() - estimated) == (3, 3)
    assert [each["holds"] for each in logged if each["event"] == "metering.reaped"] == [1, 1, 1]


async def test_a_full_batch_is_sent_and_counted_at_once(tmp_path):
    """The rest makes another."""
    sink, admission = Sink(), Settlements()
    holds = NoHolds([Hold("user-1", f"r{number}", 1, facts()) for number in range(BATCH + 1)])

    with capture_logs() as logged:
        billed = await reaper(tmp_path, Elections(), holds, sink, admission, FakeClock()).bill()

    assert (billed, sink.batches) == (BATCH + 1, [BATCH, 1])
    assert admission.settled == [(f"r{number}", 10, 4) for number in range(BATCH + 1)]
    assert [each["holds"] for each in logged] == [BATCH, 1]


async def test_an_expired_hold_is_released_only_when_its_row_is_stored(tmp_path, redis_client):
    """While the usage service is away the holds stay; a row it will never take is set aside and its hold released."""
    holds = NoHolds([Hold("user-1", name, 1, facts()) for name in ("a", "b", "bad")])
    sink, admission = Sink(), Settlements()
    expired = reaper(tmp_path, LeaderElection(redis_client), holds, sink, admission, FakeClock())
    sink.is_away = True
    with pytest.raises(Unavailable):
        await expired.bill()
    settled_while_away = list(admission.settled)
    sink.is_away = False
    sink.poison = {"bad"}

    assert await expired.bill() == 3

    assert settled_while_away == []
    assert {name: row.source for name, row in sink.rows.items()} == {"a": Source.REAPED, "b": Source.REAPED}
    assert admission.settled == [("a", 10, 4), ("b", 10, 4), ("bad", 10, 4)]


async def test_one_gateway_at_a_time_does_the_chore(redis_client):
    """The second is not chosen while the first is at it, and is when it has finished or died."""
    election = LeaderElection(redis_client)
    async with (
        election.elected("chore", timeout_s=300) as first,
        election.elected("chore", timeout_s=300) as second,
    ):
        pass
    async with election.elected("chore", timeout_s=300) as third:
        pass

    assert (first, second, third) == (True, False, True)
