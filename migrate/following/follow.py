"""follow: rounds until the rest is small, or until the operator ends it; a database that went away is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, TypeAlias

from migrate.following.round import Round, take_round
from migrate.moving.requests import Shown
from migrate.moving.run import Order
from migrate.moving.target import Target
from migrate.report.files import ReportFiles
from migrate.source.faults import SourceFault
from servicekit.errors import Unavailable

OpenOrder: TypeAlias = Callable[[], AbstractContextManager[Order]]
LOCKED: Final = "source_locked"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, and until when.

    Attributes:
        every_s: seconds between rounds.
        until_behind: ends when 1.0 wrote no more usage rows than that during a round; None: only the operator ends it.
    """

    every_s: float
    until_behind: int | None


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told: `shown` of usage rows in a round, `taken` of each round, `waits` of why one did not take place."""

    shown: Shown
    taken: Callable[[Round], None]
    waits: Callable[[Exception], None]


async def follow(open_order: OpenOrder, target: Target, report: ReportFiles, pace: Pace, listener: Listener) -> Round:
    """Take rounds; return the last.

    Raises:
        SourceFault, Unavailable, Conflict: of the first round; later a lock or a lost database is waited for.
    """
    last: Round | None = None
    while True:
        try:
            with open_order() as order:
                last = await take_round(order, target, report, listener.shown)
        except (SourceFault, Unavailable) as exc:
            if last is None or (isinstance(exc, SourceFault) and exc.code != LOCKED):
                raise
            listener.waits(exc)
        else:
            listener.taken(last)
            if pace.until_behind is not None and last.behind <= pace.until_behind:
                return last
        await asyncio.sleep(pace.every_s)
