"""Patterns of what ends or lies idle: models that are shut down, keys without use, limits that will be reached."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from servicekit.clock import day_nearest
from services.usage.forecasting.domain.course import Band
from services.usage.insights.domain.finding import Found, Pattern, Saving, found
from services.usage.insights.domain.material import USED_DAYS, Material
from services.usage.insights.domain.mix import by_model
from services.usage.insights.domain.values import Count, Day, Money, Name, PeriodName, Values

SUNSET_DAYS: Final = 90
IDLE_DAYS: Final = 30
UNUSED_AGE_DAYS: Final = 7
# What must be done anyway costs nothing and saves nothing: it is sure.
CERTAIN: Final = Saving(0, 0, 1.0)


def deprecated(material: Material) -> Iterator[Found]:
    """Find models in use that are shut down within 90 days; what has ended is known to whoever asked for it."""
    until = material.now + timedelta(days=SUNSET_DAYS)
    for model, sums in sorted(by_model(material.last_days(USED_DAYS)).items()):
        facts = material.facts.find(model)
        if facts is None or facts.shutdown_at is None or not sums.requests:
            continue
        if not material.now < facts.shutdown_at <= until:
            continue
        values: Values = {
            "model": Name(model),
            "day": Day(facts.shutdown_at.date()),
            "requests": Count(sums.requests, "request"),
            "successor": Name(facts.successor),
        }
        query = {**material.span(USED_DAYS), "group_by": "version", "version": model}
        wording = "deprecated" if facts.successor else "deprecated_alone"
        yield found(Pattern.DEPRECATED, model, values, query, saving=CERTAIN, wording=wording)


def idle_key(material: Material) -> Iterator[Found]:
    """Find active keys that nobody used for more than 30 days, or never and are older than 7."""
    for key in material.keys:
        days = (material.now - (key.last_used_at or key.created_at)).days
        if days > (IDLE_DAYS if key.last_used_at else UNUSED_AGE_DAYS):
            values: Values = {"key": Name(key.name or key.key_id), "days": Count(days, "day")}
            query = {**material.span(), "group_by": "key", "key": key.key_id}
            yield found(Pattern.IDLE_KEY, key.key_id, values, query, saving=CERTAIN)


def limit_eta(material: Material) -> Iterator[Found]:
    """Find limits that what is foreseen reaches before they begin anew; what today has cost is spent of them.

    Days are those of the question's zone: a month of Moscow ends in the evening of a day of UTC, which is its last one
    there, too, since most of it belongs to the month.
    """
    course, zone = material.course, ZoneInfo(material.zone)
    today = material.now.astimezone(zone).date()
    for limit in material.limits if course else ():
        assert course is not None
        missing = limit.limit_micro_rub - limit.spent_micro_rub + material.spent_today_micro_rub
        middle, early, late = (course.first_day(missing, pick) for pick in (_p50, _p90, _p10))
        last_day = day_nearest(limit.ends_at, zone) - timedelta(days=1)
        if middle is None or today + timedelta(days=middle) > last_day:
            continue
        values: Values = {
            "limit": Money(limit.limit_micro_rub),
            "name": PeriodName(limit.name),
            "day": Day(today + timedelta(days=middle)),
            "early": Day(today + timedelta(days=middle if early is None else early)),
            "late": Day(last_day if late is None else min(last_day, today + timedelta(days=late))),
        }
        wording = "limit_reached" if limit.spent_micro_rub >= limit.limit_micro_rub else "limit_eta"
        query = {**material.span(), "bucket": "day"}
        yield found(Pattern.LIMIT_ETA, limit.name, values, query, wording=wording)


def _p10(band: Band) -> int:
    return band.p10


def _p50(band: Band) -> int:
    return band.p50


def _p90(band: Band) -> int:
    return band.p90
