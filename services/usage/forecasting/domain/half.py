"""Half: the mean of a smoothed level with the weekday's share, and of the last week.

No trend: on 51 public daily series every method with one was worse over four weeks. `make forecast-eval` prints how
this one fares against the week ago alone. All functions take days in order, the last one yesterday, and are equivariant
to scale: twice the spending is twice the forecast.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean, median
from typing import Final

WEEK: Final = 7
# How fast the level follows: tried in turn, the one that would have erred least day by day is taken.
PACES: Final = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)
# A weekday on which less than this share of a mean day is spent says nothing of the level: dividing by it is noise.
SILENT_SHARE: Final = 0.1
LONE_TIMES: Final = 3.0


def half(days: Sequence[float], horizon: int) -> list[float]:
    """Return the expected spending of the next days, given at least two weeks."""
    days = habits(days)
    shares = weekday_shares(days)
    level = smoothed_level([day / shares[at % WEEK] for at, day in enumerate(days) if shares[at % WEEK] > SILENT_SHARE])
    now = len(days)
    again = last_week(days, horizon)
    return [(level * shares[(now + lead) % WEEK] + again[lead]) / 2 for lead in range(horizon)]


def seasonal_naive(days: Sequence[float], horizon: int) -> list[float]:
    """Return the last week again and again, given at least one."""
    week = days[-WEEK:]
    return [week[lead % WEEK] for lead in range(horizon)]


def last_week(days: Sequence[float], horizon: int) -> list[float]:
    """Return the last week again and again, or its mean where the means of weeks foretold the days after them better.

    Without weekdays the last week repeats chance: each day is a third further off than the mean. Sums are the same.
    """
    weeks = [days[end - WEEK : end] for end in range(len(days), WEEK - 1, -WEEK)]
    by_day = sum(_miss(week, before) for week, before in pairwise(weeks))
    by_mean = sum(_miss(week, [fmean(before)] * WEEK) for week, before in pairwise(weeks))
    return plain_mean(days[-WEEK:], horizon) if by_mean < by_day else seasonal_naive(days, horizon)


def usual_week(days: Sequence[float], horizon: int) -> list[float]:
    """Return the last week, as it is foretold, without a lone event, given at least one."""
    return last_week(habits(days), horizon)


def _miss(days: Sequence[float], expected: Sequence[float]) -> float:
    return sum(abs(day - other) for day, other in zip(days, expected, strict=True))


def plain_mean(days: Sequence[float], horizon: int) -> list[float]:
    """Return the mean day, given at least one."""
    return [fmean(days)] * horizon


def habits(days: Sequence[float]) -> Sequence[float]:
    """Return the days with a lone event as a usual day of its weekday: what happened once is not foretold weekly.

    It costs more than three times any other day, and its weekday was there without it. Of two such days, as of a
    batch of each month, neither is lone; nor is one in the only week that there is.
    """
    highest = max(days)
    at = days.index(highest)
    alike = [*days[at % WEEK : at : WEEK], *days[at + WEEK :: WEEK]]
    second = max([*days[:at], *days[at + 1 :]], default=0.0)
    if not alike or not second or highest <= LONE_TIMES * second:
        return days
    return [*days[:at], median(alike), *days[at + 1 :]]


def weekday_shares(days: Sequence[float]) -> list[float]:
    """Return what a day of each place in the week is of a mean day, by index modulo seven; their mean is 1.

    A day is compared with its own week, so that a level that rises is not taken for a weekday; the median of the weeks,
    so that one odd Tuesday makes no Tuesdays.
    """
    compared: list[list[float]] = [[] for _ in range(WEEK)]
    for end in range(len(days), WEEK - 1, -WEEK):
        mean = fmean(days[end - WEEK : end])
        for at in range(end - WEEK, end) if mean > 0 else ():
            compared[at % WEEK].append(days[at] / mean)
    shares = [median(of_weekday) if of_weekday else 0.0 for of_weekday in compared]
    mean_share = fmean(shares)
    return [share / mean_share for share in shares] if mean_share > 0 else [1.0] * WEEK


def smoothed_level(values: Sequence[float]) -> float:
    """Return the level after simple exponential smoothing at the pace that erred least, in absolute terms."""
    return min(_smoothed(values, pace) for pace in PACES)[1]


def _smoothed(values: Sequence[float], pace: float) -> tuple[float, float]:
    level = fmean(values[:WEEK])
    erred = 0.0
    for value in values:
        miss = value - level
        # A call of abs() would double the time of the innermost loop, which runs 30,000 times for a forecast.
        erred += miss if miss > 0 else -miss
        level += pace * miss
    return erred, level
