"""Recovery when Redis is away just then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing import FakeClock
from services.gateway.metering.hold import Hold
from services.gateway.metering.journal.journal import Journal
from services.gateway.metering.journal.records import Settled, encode
from services.gateway.metering.journal.segments import segment_numbers
from services.gateway.metering.recovery import Recovery
from services.gateway.metering.settle import usage_record
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


def recovery_of(
    root: Path, rows: list[Any], admission: Settlements, holds: NoHolds, *, lives_for: int = 1000
) -> Recovery:
    """Return a recovery that keeps rows in a list, and is killed when the list is so long."""

    async def keep(settled: Settled) -> None:
        if len(rows) == lives_for:
            raise Killed
        rows.append(settled)

    async def sync() -> None:
        return

    return Recovery(root, root / "own", keep=keep, sync=sync, admission=admission, holds=holds, clock=FakeClock())


async def test_recovery_cancels_what_never_went_out_when_redis_comes_back(tmp_path):
    """Gateway and Redis died together: rows at once, and the hold that nobody explains goes when it can be seen."""
    leave_journal(tmp_path, dispatched("cut"))
    holds = UnseenHolds([Hold("user-1", name, 1, facts(boot_id="dead")) for name in ("cut", "admitted")])
    rows: list[Any] = []
    admission = Settlements()
    recovery = recovery_of(tmp_path, rows, admission, holds)

    first, settled_at_first = await recovery.run(), [request_id for request_id, _, _ in admission.settled]
    later = [await recovery.run(), await recovery.run()]

    assert (first, later) == (1, [0, 0])
    assert [row.ticket.request_id for row in rows] == settled_at_first == ["cut"]
    assert [request_id for request_id, _, _ in admission.settled] == ["cut", "admitted"]


async def test_a_settled_request_whose_dispatch_is_deleted_is_not_cancelled(tmp_path):
    """Segments go oldest first: the end may be all that a journal still says of a request, and it explains the hold."""
    settled = Settled(usage_record(ticket("done"), facts(), completed(10, 20)), ticket("done"), 1)
    leave_journal(tmp_path, settled)
    holds = NoHolds([Hold("user-1", "done", 1, facts(boot_id="dead"))])
    rows: list[Any] = []
    admission = Settlements()

    await recovery_of(tmp_path, rows, admission, holds).run()

    assert rows == [settled]
    assert admission.settled == [("done", 30, 20)]


async def test_a_recovery_that_is_killed_half_way_raises_no_alarm(tmp_path):
    """The segments it took over are gone and marked as such: its successor misses nothing and ships the rest."""
    journal = Journal.open(tmp_path, "dead", segment_bytes=500)
    names = [f"r{number}" for number in range(8)]
    for name in names:
        journal.append(encode(Settled(usage_record(ticket(name), facts(), completed()), ticket(name), 1)))
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
    assert {settled.ticket.request_id for settled in taken} == set(names)
    assert list(tmp_path.iterdir()) == []
