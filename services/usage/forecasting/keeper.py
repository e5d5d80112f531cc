"""The daily job: compares past forecasts with actual spending, and stores today's for users who asked recently."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.usage.forecasting import metrics
from services.usage.forecasting.forecaster import Forecaster
from services.usage.forecasting.settings import ForecastSettings
from services.usage.forecasting.store import ForecastStore, OpenForecast
from services.usage.metrics import UPKEEP_FAILURES

log = structlog.get_logger()

COVERAGE_DAYS: Final = 28
# Records may arrive late; gateways ship their journals within seconds, and after an outage as soon as they can.
_ALL_THERE: Final = timedelta(hours=1)


class ForecastKeeper:
    """Runs the job in one instance at a time; a repeated run changes nothing."""

    def __init__(
        self, forecaster: Forecaster, store: ForecastStore, settings: ForecastSettings, *, clock: Clock
    ) -> None:
        self._forecaster = forecaster
        self._store = store
        self._settings = settings
        self._clock = clock

    async def round(self) -> None:
        """Forget what is old, compare days that are over, keep today's forecasts, say how many bands held."""
        now = self._clock.now()
        async with self._store.alone() as alone:
            if alone:
                # First: what cannot be compared or foretold must not keep what is old.
                await self._store.forget(now.date() - timedelta(days=self._settings.kept_days))
                await self._compare(now)
                await self._keep(now)
        held = await self._store.coverage(now.date() - timedelta(days=COVERAGE_DAYS))
        if held is not None:
            metrics.COVERAGE.set(held)

    async def _compare(self, now: datetime) -> None:
        # East of Greenwich a day may be over while it is still that day in UTC.
        for each in await self._store.find_open(now.date() + timedelta(days=1), self._settings.batch_max):
            today = _day_of(now - _ALL_THERE, each.zone)
            if today is not None and today > each.day:
                await _apart(each.user_id, self._compare_one(each))

    async def _compare_one(self, each: OpenForecast) -> None:
        actual = await self._forecaster.cost_of_day(each.user_id, each.zone, each.day)
        await self._store.compare(each, actual)

    async def _keep(self, now: datetime) -> None:
        since = now.date() - timedelta(days=self._settings.asked_days)
        after, made = "", 0
        while made < self._settings.batch_max:
            askers = await self._store.find_askers(since, after, self._settings.batch_max)
            if not askers:
                return
            for asker in askers:
                today = _day_of(now, asker.zone)
                if today is not None and today > asker.last_day:
                    await _apart(asker.user_id, self._forecaster.keep_today(asker.user_id, asker.zone))
                    made += 1
            after = askers[-1].user_id


async def _apart(user_id: str, work: Awaitable[None]) -> None:
    """Do one user's part; rows that cannot be read in time keep nobody else waiting.

    That PostgreSQL is gone is found out by who looks for the next ones.
    """
    try:
        await work
    except ServiceError as exc:
        UPKEEP_FAILURES.labels("forecasts").inc()
        log.warning("usage.forecast_postponed", user_id=user_id, reason=exc.reason.value)


def _day_of(moment: datetime, zone: str) -> date | None:
    """Return the day of a zone; None: an instance asked that knows more zones than this one, which leaves it alone."""
    try:
        return moment.astimezone(ZoneInfo(zone)).date()
    except ZoneInfoNotFoundError:
        log.warning("usage.forecast_zone_unknown", zone=zone)
        return None
