"""plan: a trial run by the code of the run, and what it says of time and room."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from migrate.moving.requests import Shown
from migrate.moving.run import Order, move
from migrate.moving.target import Target
from migrate.planning.scratch import Scratch
from migrate.report.files import ReportFiles
from services.auth.importing.imports import Imports as AuthImports
from tools.servers.errors import ServerError

# A row takes in 1.1, with its indexes, so many times what it takes in SQLite at most, and the trial must not fill the
# disk of a server that others use.
SPREAD: Final = 4


@dataclass(frozen=True, slots=True)
class Costs:
    """What the move takes; bytes, and seconds on this machine as it is now.

    Attributes:
        target_free_bytes: None: the server does not say.
    """

    seconds: float
    rows_per_s: float
    target_bytes: int
    target_free_bytes: int | None
    report_bytes: int
    report_free_bytes: int

    def as_json(self) -> dict[str, Any]:
        """Return the costs in JSON's types."""
        return {
            "seconds": round(self.seconds, 1),
            "rows_per_s": round(self.rows_per_s),
            "target_bytes": self.target_bytes,
            "target_free_bytes": self.target_free_bytes,
            "report_bytes": self.report_bytes,
            "report_free_bytes": self.report_free_bytes,
        }


async def plan(order: Order, live: Target, scratch: Scratch, report: ReportFiles, shown: Shown) -> dict[str, Any]:
    """Move everything into a scratch database beside what 1.1 has; return the summary, with the costs.

    Raises:
        ServerError: there may be no room for the trial.
        SourceFault, WrongDecision, Unavailable: as `move`.
    """
    check_room(order.source.path, scratch.folder())
    await _bring_residents(live.auth, scratch.residents)
    size, began_at = scratch.size(), time.monotonic()
    summary = await move(order, scratch.target, report, shown)
    seconds = max(time.monotonic() - began_at, 0.001)
    rows = sum(counts["rows"] for counts in summary["tables"].values())
    folder = scratch.folder()
    costs = Costs(
        seconds=seconds,
        rows_per_s=rows / seconds,
        target_bytes=max(scratch.size() - size, 0),
        target_free_bytes=None if folder is None else shutil.disk_usage(folder.parent).free,
        report_bytes=sum(path.stat().st_size for path in report.folder.iterdir()),
        report_free_bytes=shutil.disk_usage(report.folder).free,
    )
    summary = {**summary, "trial": costs.as_json()}
    report.summary(summary)
    return summary


def check_room(source: Path, folder: Path | None) -> None:
    """Check that a trial cannot fill the server's disk, where that can be seen from here.

    Raises:
        ServerError: it may.
    """
    if folder is None:
        return
    needed, free = SPREAD * source.stat().st_size, shutil.disk_usage(folder.parent).free
    if free < needed:
        raise ServerError(
            f"There may be no room for the trial: {free // 2**20} MB free at {folder}, up to {needed // 2**20} needed. "
            "Make room, or try on another server."
        )


async def _bring_residents(live: AuthImports, scratch: AuthImports) -> None:
    """Bring accounts and keys that 1.1 has and this source did not bring: rows may collide with them."""
    async for accounts in live.residents():
        await scratch.accounts(accounts)
    async for keys in live.resident_keys():
        await scratch.keys(keys)
