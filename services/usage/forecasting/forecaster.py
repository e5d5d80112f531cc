"""Answers questions about future spending, and stores the forecasts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from servicekit.clock import Clock
from servicekit.errors import invalid_parameter
from services.usage.catalog_facts.domain.facts import CHAT, Facts
from services.usage.catalog_facts.store import FactsStore
from services.usage.forecasting import metrics
from services.usage.forecasting.domain.answer import Past, answer, course_of, outlook_of
from services.usage.forecasting.domain.course import Course, Today
from services.usage.forecasting.domain.forecast import Forecast, Limit, LimitDates, Question
from services.usage.forecasting.domain.outlook import WINDOW, Outlook
from services.usage.forecasting.domain.prices import MIX_DAYS, ModelUse
from services.usage.forecasting.domain.radii import HORIZON_MAX
from services.usage.forecasting.domain.what_if import OtherModel, ShortCalls
from services.usage.forecasting.hours import HoursOfDay
from services.usage.forecasting.store import ForecastStore, OpenForecast
from services.usage.statistics.answering import cost_of_days, daily_cost, question_of_days
from services.usage.statistics.domain.figures import Row
from services.usage.statistics.domain.query import Dimension, Query
from services.usage.statistics.reader import ReadsTogether

_DAY: Final = timedelta(days=1)
NOTHING_PASSED: Final = Today(spent=0, passed=0.0)
AS_PRICED: Final = (1.0,) * HORIZON_MAX


class Forecaster:
    """Forecasts a user's spending from its history. Each method raises `Unavailable` while the store is away."""

    def __init__(self, reader: ReadsTogether, facts: FactsStore, store: ForecastStore, *, clock: Clock) -> None:
        self._reader = reader
        self._hours = HoursOfDay(reader)
        self._facts = facts
        self._store = store
        self._clock = clock

    async def forecast(self, question: Question) -> Forecast:
        """Return what to expect from today on.

        Raises:
            InvalidRequest: a parameter makes no sense; the error names it.
        """
        with metrics.FORECAST_SECONDS.time():
            area = check(question)
            past = await self._past(question, self._clock.now().astimezone(area))
            # Some milliseconds of arithmetic: elsewhere than where every call is served.
            found = await asyncio.to_thread(answer, question, past)
            await self._keep(question, past, found.outlook, asked=True)
        return found

    async def limit_dates(
        self, user_id: str, zone: str, *, limit_micro_rub: int, spent_micro_rub: int, ends_on: date | None
    ) -> LimitDates:
        """Return when a limit is reached that ends before a day; asking is as good as a user's question.

        Raises:
            InvalidRequest: a parameter makes no sense.
        """
        limit = Limit(limit_micro_rub, spent_micro_rub, ends_on)
        found = await self.forecast(Question(user_id, zone, HORIZON_MAX, limit))
        assert found.limit is not None  # it was asked for
        return found.limit

    async def course(self, user_id: str, zone: str) -> tuple[Course | None, int]:
        """Return what to expect from today on, None: nothing can be foretold; and micro-roubles that today has cost.

        Raises:
            InvalidRequest: there is no such zone.
        """
        question = Question(user_id, zone, HORIZON_MAX)
        past = await self._past(question, self._clock.now().astimezone(check(question)))
        return await asyncio.to_thread(course_of, past), past.spent_today

    async def keep_today(self, user_id: str, zone: str) -> None:
        """Keep what is foretold of today, so that there is something to compare when the user asks again."""
        question = Question(user_id, zone, horizon=1)
        past = await self._past(question, self._clock.now().astimezone(ZoneInfo(zone)))
        await self._keep(question, past, await asyncio.to_thread(outlook_of, past), asked=False)

    async def cost_of_day(self, user_id: str, zone: str, day: date) -> int:
        """Return what a day of a zone has cost, micro-roubles."""
        return (await daily_cost(self._reader, user_id, zone, day, day + _DAY))[0]

    async def _past(self, question: Question, now: datetime) -> Past:
        today, facts = now.date(), await self._facts.read()
        whose, since, lately = (question.user_id, question.zone), today - WINDOW * _DAY, _mix_query(question, now)
        by_day = question_of_days(*whose, since, today + _DAY)
        by_version = replace(lately, group_by=(Dimension.VERSION,))
        spent, used = await self._reader.figures_together([by_day, by_version])
        *days, spent_today = cost_of_days(spent, question.zone, since, today + _DAY)
        return Past(
            now=now,
            days=days,
            spent_today=spent_today,
            by_hour=await self._hours.of(replace(lately, until=_midnight(now)), days[-MIX_DAYS:]),
            uses=list(map(_use, used)),
            facts=facts,
            kept=await self._store.read_kept(*whose, since),
            short=await self._short(question, lately, facts) if question.what_if_model else None,
        )

    async def _short(self, question: Question, lately: Query, facts: Facts) -> tuple[ShortCalls, OtherModel]:
        other = _other_model(question.what_if_model, facts, lately.until)
        return await self._store.short_calls(question.user_id, lately.since, lately.until, other.model), other

    async def _keep(self, question: Question, past: Past, found: Outlook, *, asked: bool) -> None:
        """Keep today's band as it was before the day began. A day that is no forecast is not kept."""
        if not found.refusal and found.days_are_meant:
            band = Course(found, NOTHING_PASSED, AS_PRICED).day(0)
            today = OpenForecast(question.user_id, past.now.date(), question.zone)
            await self._store.keep(today, found.method.value, band, asked=asked)


def check(question: Question) -> ZoneInfo:
    """Return the zone of a question that can be answered.

    Raises:
        InvalidRequest: it cannot.
    """
    if not question.user_id or "\0" in question.user_id:
        raise invalid_parameter("user_id", "user_id is missing or malformed.")
    if not 1 <= question.horizon <= HORIZON_MAX:
        raise invalid_parameter("horizon", f"`horizon` is the number of days to foretell, 1 to {HORIZON_MAX}.")
    if question.limit is not None and question.limit.amount <= 0:
        raise invalid_parameter("limit_rub", "`limit_rub` must be above 0.")
    try:
        return ZoneInfo(question.zone)
    except (KeyError, ValueError, OSError) as unknown:
        raise invalid_parameter("tz", "`tz` must be an IANA time zone such as Europe/Moscow.") from unknown


def _mix_query(question: Question, now: datetime) -> Query:
    return Query(question.user_id, _midnight(now - MIX_DAYS * _DAY), now, question.zone)


def _midnight(moment: datetime) -> datetime:
    """Return when the day of a moment begins, in the moment's zone."""
    return datetime.combine(moment.date(), time(), moment.tzinfo)


def _use(row: Row) -> ModelUse:
    sums = row.figures
    return ModelUse(row.group[0], sums.tokens_input, sums.tokens_output, sums.tokens_cached, sums.cost_micro_rub)


def _other_model(name: str, facts: Facts, now: datetime) -> OtherModel:
    found = facts.find(name)
    price = None if found is None else found.price_at(now)
    if found is None or price is None or found.kind != CHAT or not found.is_offered:
        raise invalid_parameter(
            "what_if", f"`what_if` names no chat model with a price: {name[:128]}. GET /v1/models lists them."
        )
    return OtherModel(found.model, price)
