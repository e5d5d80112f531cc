"""What forecasts must reach, with 84 days of history."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from tools.forecast_eval.protocol import TUNING, UNSEEN, Judged, judged, naive, ours
from tools.forecast_eval.series import Series

LENGTH: Final = 84
# Of the figures of the week before, over all nine origins.
MASE_SHARE: Final = 0.99
SMAPE_SHARE: Final = 0.94
TOTAL_SHARE: Final = 1.03
# Of bands that promise 80 %; on origins that chose nothing, too.
HELD: Final = (0.72, 0.88)


class Gate(NamedTuple):
    """One bound, in words with figures, and whether it holds."""

    text: str
    holds: bool


def gates(series: Sequence[Series]) -> Iterator[Gate]:
    """Yield every bound with what was measured."""
    everywhere = judged(series, LENGTH, TUNING + UNSEEN, ours)
    a_week_ago = judged(series, LENGTH, TUNING + UNSEEN, naive)
    yield _at_most("MASE", everywhere.mase, a_week_ago.mase, MASE_SHARE)
    yield _at_most("sMAPE of 14 days", everywhere.smape, a_week_ago.smape, SMAPE_SHARE)
    yield _at_most("error of 28-day totals", everywhere.total, a_week_ago.total, TOTAL_SHARE)
    yield from _held("all 9 origins", everywhere)
    yield from _held("3 unseen origins", judged(series, LENGTH, UNSEEN, ours))


def _at_most(what: str, mine: float, theirs: float, share: float) -> Gate:
    return Gate(f"{what}: {mine / theirs:.3f} of the week before, at most {share}", mine <= share * theirs)


def _held(where: str, found: Judged) -> Iterator[Gate]:
    for what, held in (("days", found.held_daily), ("28-day totals", found.held_total)):
        text = f"{what} inside an 80 % band, {where}: {held:.1%}, {HELD[0]:.0%} to {HELD[1]:.0%}"
        yield Gate(text, HELD[0] <= held <= HELD[1])
