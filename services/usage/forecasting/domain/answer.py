"""Computes the answer from the data that was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from services.usage.catalog_facts.domain.facts import Facts
from services.usage.forecasting.domain.accuracy import Kept, accuracy_of, learned_quantile
from services.usage.forecasting.domain.course import Course, Today, share_passed
from services.usage.forecasting.domain.forecast import Forecast, Question, Spent, limit_dates, month_end, points
from services.usage.forecasting.domain.outlook import Outlook, outlook
from services.usage.forecasting.domain.prices import ModelUse, changes, cost_now, price_factors
from services.usage.forecasting.domain.radii import HORIZON_MAX
from services.usage.forecasting.domain.what_if import OtherModel, ShortCalls, WhatIf, what_if

_DAY: Final = timedelta(days=1)
_NOON: Final = time(12)


@dataclass(frozen=True, slots=True)
class Past:
    """The input of an answer; amounts in micro-roubles.

    Attributes:
        now: the moment, in the zone of the question.
        days: what each full day has cost, yesterday last; those of this month at least.
        spent_today: what today has cost so far.
        by_hour: what each hour of the clock cost in the last weeks.
        uses: what the models were used for in the last weeks.
        facts: prices, also those to come.
        kept: past forecasts with what came, in order of days.
        short: short calls of the last weeks, and the model that is to answer them; None: nobody asked.
    """

    now: datetime
    days: Sequence[int]
    spent_today: int
    by_hour: Sequence[int]
    uses: Sequence[ModelUse]
    facts: Facts
    kept: Sequence[Kept]
    short: tuple[ShortCalls, OtherModel] | None = None


def answer(question: Question, past: Past) -> Forecast:
    """Return the forecast that the past allows."""
    spent = _spent(past)
    coming = _coming(past)
    factors = _factors(past, coming)
    found = outlook_of(past)
    course = _course(past, found, factors)
    other = _what_if(past)
    return Forecast(
        as_of=past.now.astimezone(UTC),
        outlook=found,
        points=points(course, spent.today, question.horizon) if course and found.days_are_meant else (),
        month_end=month_end(course, spent, other),
        limit=limit_dates(course, question.limit, spent) if question.limit else None,
        price_changes=tuple(changes(coming, factors)),
        what_if=other,
        accuracy=accuracy_of(past.kept),
    )


def course_of(past: Past) -> Course | None:
    """Return the course of spending from today on; None: nothing can be foretold."""
    return _course(past, outlook_of(past), _factors(past, _coming(past)))


def outlook_of(past: Past) -> Outlook:
    """Return what to expect of full days by today's prices: past days are counted by them, too."""
    today = past.now.date()
    gone = [today - days * _DAY for days in range(len(past.days), 0, -1)]
    repriced = [cost / factor if factor else 0.0 for cost, factor in zip(past.days, _factors(past, gone), strict=True)]
    return outlook(repriced, learned_quantile(past.kept))


def _course(past: Past, found: Outlook, factors: Sequence[float]) -> Course | None:
    today = Today(past.spent_today, share_passed(past.by_hour, past.now.hour, past.now.minute))
    return None if found.refusal else Course(found, today, factors)


def _coming(past: Past) -> list[date]:
    return [past.now.date() + lead * _DAY for lead in range(HORIZON_MAX)]


def _spent(past: Past) -> Spent:
    today = past.now.date()
    before = sum(past.days[-(today.day - 1) :]) if today.day > 1 else 0
    return Spent(today, before, past.spent_today)


def _factors(past: Past, days: Sequence[date]) -> list[float]:
    zone: tzinfo | None = past.now.tzinfo
    return price_factors(past.uses, past.facts, past.now, [datetime.combine(day, _NOON, zone) for day in days])


def _what_if(past: Past) -> WhatIf | None:
    if past.short is None:
        return None
    calls, other = past.short
    costs_now, total_now = (cost_now(uses, past.facts, past.now) for uses in (calls.uses, past.uses))
    return what_if(calls, other, costs_now, total_now)
