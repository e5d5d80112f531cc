"""Patterns of time: hours, days of the week, bursts."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from services.usage.forecasting.domain.half import habits
from services.usage.insights.domain.finding import Found, Pattern, found
from services.usage.insights.domain.material import Material
from services.usage.insights.domain.values import Hours, Name, Number, Share, Values, Weekday

MIN_REQUESTS: Final = 100
PEAK_SHARE: Final = 0.5
PEAK_HOURS_MAX: Final = 6
WEEKDAY_RATIO: Final = 1.5
WEEKDAY_MIN_DAYS: Final = 14
BURST_MIN_REQUESTS: Final = 1000
BURST: Final = 0.5
# Rare requests that arrive by chance (Poisson) have s² = m, and with m below 0.1 a minute B above 0.5: no burst.
OVERDISPERSION: Final = 5.0


def peak_hours(material: Material) -> Iterator[Found]:
    """Find the smallest set of hours that holds half of the requests, when it is six at most."""
    by_hour: defaultdict[int, int] = defaultdict(int)
    zone = ZoneInfo(material.zone)
    for use in material.hours:
        by_hour[use.hour.astimezone(zone).hour] += use.requests
    total = sum(by_hour.values())
    if total < MIN_REQUESTS:
        return
    held, peak = 0, set[int]()
    for hour in sorted(by_hour, key=lambda hour: (-by_hour[hour], hour)):
        if held >= total * PEAK_SHARE:
            break
        held += by_hour[hour]
        peak.add(hour)
    if len(peak) <= PEAK_HOURS_MAX:
        values: Values = {"hours": Hours(frozenset(peak)), "zone": Name(material.zone), "share": Share(held / total)}
        yield found(Pattern.PEAK_HOURS, "", values, {**material.span(), "tz": material.zone, "bucket": "hour"})


def weekday_profile(material: Material) -> Iterator[Found]:
    """Find days of the week that cost half as much again as others, in two weeks or more."""
    means = _weekday_means(material)
    if len(means) < 7 or not any(means):
        return
    highest, least = means.index(max(means)), means.index(min(means))
    if means[highest] < WEEKDAY_RATIO * means[least]:
        return
    values: Values = {
        "weekday": Weekday(highest),
        "above": Share(means[highest] / (sum(means) / 7) - 1),
        "least": Weekday(least),
    }
    query = {**material.span(), "tz": material.zone, "bucket": "day"}
    yield found(Pattern.WEEKDAY_PROFILE, "", values, query)


def _weekday_means(material: Material) -> list[float]:
    """Return the mean cost of each day of the week, today left out, since the first request; [] of short histories."""
    zone = ZoneInfo(material.zone)
    today = material.now.astimezone(zone).date()
    by_day: defaultdict[date, int] = defaultdict(int)
    for use in material.hours:
        by_day[use.hour.astimezone(zone).date()] += use.cost_micro_rub
    by_day.pop(today, None)
    # The first day may be a part of one.
    first = min(by_day, default=today).toordinal() + 1
    days = [date.fromordinal(number) for number in range(first, today.toordinal())]
    if len(days) < WEEKDAY_MIN_DAYS:
        return []
    # What happened once is no Mondays.
    costs = dict(zip(days, habits([float(by_day[day]) for day in days]), strict=True))
    weeks = [[costs[day] for day in days if day.weekday() == weekday] for weekday in range(7)]
    return [sum(costs) / len(costs) for costs in weeks]


def burstiness(material: Material) -> Iterator[Found]:
    """Find requests that come in bursts: B = (s - m) / (s + m) of the minutes of busy hours (Goh and Barabási)."""
    spread = material.minutes
    if spread.requests < BURST_MIN_REQUESTS:
        return
    mean = spread.requests / spread.minutes
    variance = max(0.0, spread.squares / spread.minutes - mean * mean)
    deviation = math.sqrt(variance)
    burst = (deviation - mean) / (deviation + mean)
    if burst > BURST and variance >= OVERDISPERSION * mean:
        values: Values = {"times": Number(spread.p99 / mean), "burstiness": Number(burst, 2)}
        yield found(Pattern.BURSTINESS, "", values, {**material.span(), "bucket": "hour"})
