"""decide: the last round, while 1.0's writers are refused; then go, or back to 1.0 as if nothing had been."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from migrate.following.round import Round, take_round
from migrate.moving.key_proof import prove_keys
from migrate.moving.requests import Shown
from migrate.moving.run import Order
from migrate.moving.seen_ids import opened_ids
from migrate.moving.target import Target
from migrate.moving.verification import Difference, verify
from migrate.report.files import ReportFiles
from migrate.source.faults import SourceFault

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


def check_is_the_file_itself(order: Order) -> None:
    """Return when what is read is what can be locked.

    Raises:
        SourceFault: it is a copy.
    """
    if order.source.notes:
        raise SourceFault(
            "source_copied",
            f"{order.source.path} could only be read as a copy ({order.source.notes[0]}): open it once with 1.0.",
        )


async def decide(order: Order, target: Target, report: ReportFiles, shown: Shown) -> Verdict:
    """Take the rest over and verify; 1.0's writers are refused meanwhile (`refuse_writers`).

    Args:
        order: of a source that is not held, and was opened before it was locked.
        target: where it goes.
        report: has the verdict in its summary.
        shown: is told of usage rows.
    """
    locked_at, began_at = datetime.now(UTC), time.monotonic()
    tail = await take_round(order, target, report, shown)
    differences = await _verified(order, target, report.folder)
    if tail.behind:
        differences = [Difference("usage rows that 1.0 wrote in spite of the lock", tail.behind, 0), *differences]
    tables = tail.summary["tables"]
    waiting = sum(tables[name]["quarantined"] for name in ("users", "api_keys", "usage"))
    verdict = Verdict(tail, differences, locked_at, time.monotonic() - began_at, waiting)
    report.summary({**tail.summary, "cutover": verdict.as_json()})
    return verdict


async def _verified(order: Order, target: Target, report: Path) -> list[Difference]:
    with tempfile.TemporaryDirectory() as folder, opened_ids(Path(folder) / "seen.db") as seen:
        differences = await verify(order, target, seen, report)
    return [*differences, *(await prove_keys(order, target)).differences]
