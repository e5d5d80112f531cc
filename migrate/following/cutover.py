"""cut_over: the last round, with 1.0's writers refused; then go, or back to 1.0 as if nothing had been."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from migrate.following.round import Round, take_round
from migrate.moving.key_proof import prove_keys
from migrate.moving.requests import Shown
from migrate.moving.run import Order
from migrate.moving.seen_ids import SeenIds
from migrate.moving.target import Target
from migrate.moving.verification import Difference, verify
from migrate.report.files import ReportFiles
from migrate.source.faults import SourceFault
from migrate.source.lock import refuse_writers

GO: Final = "go"
BACK: Final = "back"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the cut-over says.

    Attributes:
        tail: the round that 1.0 waited for.
        differences: between the source and 1.1; with one it is back.
        locked_at: since when 1.0 could not write.
        downtime_s: from then to the verdict.
        waiting: rows that a person has to decide about, now as after `run`.
    """

    tail: Round
    differences: Sequence[Difference]
    locked_at: datetime
    downtime_s: float
    waiting: int

    @property
    def is_go(self) -> bool:
        """Tell whether 1.1 has all that 1.0 had."""
        return not self.differences

    def as_json(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return {
            "verdict": GO if self.is_go else BACK,
            "reasons": [reason(each) for each in self.differences],
            "locked_at": self.locked_at.isoformat(timespec="milliseconds"),
            "downtime_s": round(self.downtime_s, 3),
            "tail": {"rows": self.tail.rows, "new": self.tail.new, "changed": self.tail.changed},
            "waiting": self.waiting,
        }


def reason(difference: Difference) -> str:
    """Return a difference as a line."""
    return f"{difference.what}: source {difference.source}, target {difference.target}"


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told: `shown` of usage rows, `before` of the round that 1.0 does not wait for, `decided` of the verdict.

    1.0 is released when `decided` returns.
    """

    shown: Shown
    before: Callable[[Round], None]
    decided: Callable[[Verdict], Awaitable[None]]


async def cut_over(order: Order, target: Target, report: ReportFiles, wait_s: float, listener: Listener) -> Verdict:
    """Take a round, refuse 1.0's writers, take the rest, verify, and say go or back.

    Args:
        order: of a source that is not held.
        target: where it goes.
        report: has the verdict in its summary.
        wait_s: how long to wait for a write of 1.0.
        listener: is told.

    Raises:
        SourceFault: the source cannot be locked, or is a copy. Whatever is raised, 1.0 can write again.
    """
    if order.source.notes:
        raise SourceFault(
            "source_copied",
            f"{order.source.path} could only be read as a copy ({order.source.notes[0]}): open it once with 1.0.",
        )
    listener.before(await take_round(order, target, report, listener.shown))
    with refuse_writers(order.source.path, wait_s):
        verdict = await _decided(order, target, report, listener.shown)
        report.summary({**verdict.tail.summary, "cutover": verdict.as_json()})
        await listener.decided(verdict)
    return verdict


async def _decided(order: Order, target: Target, report: ReportFiles, shown: Shown) -> Verdict:
    locked_at, began_at = datetime.now(UTC), time.monotonic()
    tail = await take_round(order, target, report, shown)
    differences = await _verified(order, target, report.folder)
    if tail.behind:
        differences = [Difference("usage rows that 1.0 wrote in spite of the lock", tail.behind, 0), *differences]
    tables = tail.summary["tables"]
    waiting = sum(tables[name]["quarantined"] for name in ("users", "api_keys", "usage"))
    return Verdict(tail, differences, locked_at, time.monotonic() - began_at, waiting)


async def _verified(order: Order, target: Target, report: Path) -> list[Difference]:
    with tempfile.TemporaryDirectory() as folder, SeenIds(Path(folder) / "seen.db") as seen:
        differences = await verify(order, target, seen, report)
    return [*differences, *(await prove_keys(order, target)).differences]
