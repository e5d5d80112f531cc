"""Patterns of what ends or lies idle: models that are shut down, keys without use, limits that will be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from services.usage.insights.domain.finding import Found, Pattern, Saving, found
from services.usage.insights.domain.material import LimitUse, Material, Outlook
from services.usage.insights.domain.mix import by_model
from services.usage.insights.domain.values import Count, Day, Money, Name, Values

SUNSET_DAYS: Final = 90
USED_DAYS: Final = 14
IDLE_DAYS: Final = 30
UNUSED_AGE_DAYS: Final = 7
# What must be done anyway costs nothing and saves nothing: it is sure.
CERTAIN: Final = Saving(0, 0, 1.0)


def deprecated(material: Material) -> Iterator[Found]:
    """Find models in use that are shut down within 90 days."""
    until = material.now + timedelta(days=SUNSET_DAYS)
    for model, sums in sorted(by_model(material.last_days(USED_DAYS)).items()):
        facts = material.facts.find(model)
        if facts is None or facts.shutdown_at is None or facts.shutdown_at > until or not sums.requests:
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
    """Find limits that what is foreseen reaches before they begin anew."""
    for limit in material.limits:
        middle = _reached(limit, material.outlook, lambda day: day.p50)
        if middle is None:
            continue
        last_day = limit.ends_at.date()
        values: Values = {
            "limit": Money(limit.limit_micro_rub),
            "name": Name(limit.name),
            "day": Day(middle),
            "early": Day(_reached(limit, material.outlook, lambda day: day.p90) or middle),
            "late": Day(_reached(limit, material.outlook, lambda day: day.p10) or last_day),
        }
        yield found(Pattern.LIMIT_ETA, limit.name, values, {**material.span(), "bucket": "day"})


def _reached(limit: LimitUse, outlook: Sequence[Outlook], cost: Callable[[Outlook], float]) -> date | None:
    spent = float(limit.spent_micro_rub)
    for day in outlook:
        if day.day >= limit.ends_at.date():
            return None
        spent += cost(day)
        if spent >= limit.limit_micro_rub:
            return day.day
    return None
