"""Finds days and hours that cost more than expected, and records users' feedback on them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import dropwhile
from statistics import fmean
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import structlog

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound, ServiceError, invalid_parameter
from services.usage import metrics
from services.usage.domain.identifiers import is_uuid
from services.usage.insights.domain.anomaly import (
    BAR_HIGHEST,
    IMPACT_MICRO_RUB,
    LEAST_DAYS,
    MISSES,
    WINDOW_DAYS,
    Cause,
    judge_hour,
    judge_next_day,
    root_cause,
    weeks_of,
)
from services.usage.insights.domain.incident import (
    Feedback,
    Grain,
    Incident,
    incident_id,
    without_incidents,
)
from services.usage.insights.store import incidents, kept
from services.usage.insights.store.sessions import Sessions
from services.usage.store.connection import Connection

log = structlog.get_logger()

# After a stop of the service, days that long ago are still judged.
CATCH_UP_DAYS: Final = 7
# What was expected once raises the bar for a quarter.
REMEMBERED: Final = timedelta(days=90)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
# Rows of an hour's last minutes come a little late.
LATE: Final = timedelta(minutes=10)
MOST: Final = 200
EVENT: Final = "anomaly.detected"


class RaisesEvents(Protocol):
    """Tells the user of an event, once for each dedupe key."""

    async def __call__(
        self, user_id: str, kind: str, dedupe_key: str, facts: dict[str, Any], *, subject: str = ""
    ) -> object:
        """Raise it."""
        ...


class Anomalies:
    """Finds incidents, each once, however many instances run.

    Args:
        sessions: of the store.
        tell: raises the event of what is new, for those who want to be told; twice does no harm.
        clock: tells the time.
    """

    def __init__(self, sessions: Sessions, tell: RaisesEvents, *, clock: Clock) -> None:
        self._sessions = sessions
        self._tell = tell
        self._clock = clock

    async def list_of(self, user_id: str, since: datetime, until: datetime, limit: int) -> list[Incident]:
        """Return the user's incidents that touch a span, the newest first.

        Raises:
            InvalidRequest: the limit is out of bounds.
        """
        if not 1 <= limit <= MOST:
            raise invalid_parameter("limit", f"The limit must be 1 to {MOST}.")
        async with self._sessions.of(user_id) as connection:
            return await incidents.read(connection, user_id, since, until, limit)

    async def say(self, user_id: str, incident: str, feedback: Feedback) -> Incident:
        """Keep what the user says of an incident; said again, the last word counts.

        Raises:
            NotFound: absent, or someone else's.
        """
        found = None
        if is_uuid(incident):
            async with self._sessions.of(user_id) as connection:
                found = await incidents.say(connection, user_id, incident, feedback, self._clock.now())
        if found is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such anomaly.", param="id")
        return found

    async def judge_days(self, connection: Connection, user_id: str, zone: ZoneInfo, today: date) -> None:
        """Judge the user's last days that are over and not judged yet; the caller holds the user's lock."""
        begin = today - timedelta(days=WINDOW_DAYS + CATCH_UP_DAYS)
        costs = await incidents.read_costs(connection, user_id, zone, begin, today)
        for ago in range(CATCH_UP_DAYS, 0, -1):
            await self._judge_day(connection, user_id, zone, begin, costs[: len(costs) - ago + 1])

    async def _judge_day(
        self, connection: Connection, user_id: str, zone: ZoneInfo, begin: date, costs: Sequence[int]
    ) -> None:
        """Judge the last of these days."""
        date_of_it = begin + timedelta(days=len(costs) - 1)
        day, ends_at = _day_of(date_of_it, zone)
        known = await incidents.read(connection, user_id, day - REMEMBERED, ends_at)
        of_days = [each for each in known if each.grain is Grain.DAY]
        if any(each.begins_at <= day < each.ends_at for each in of_days):
            return
        history, actual = without_incidents(begin, costs[:-1], of_days), costs[-1]
        judgement = await asyncio.to_thread(judge_next_day, history)
        if judgement is None or not judgement.is_exceeded(actual, fmean(history[-MISSES:])):
            return
        weeks = weeks_of(sum(1 for _ in dropwhile(lambda cost: not cost, costs[:-1])))
        before = [_day_of(date_of_it - timedelta(weeks=ago), zone) for ago in range(1, weeks + 1)]
        cause = root_cause(await incidents.find_causes(connection, user_id, (day, ends_at), before))
        alike = _expected(known, cause)
        judgement = await asyncio.to_thread(judge_next_day, history, forgiven=len(alike))
        if judgement is not None and actual > max(judgement.bar, _like_those(alike, Grain.DAY)):
            new = self._incident(user_id, Grain.DAY, day, ends_at - day, (judgement.expected, actual), cause)
            await self._put(connection, _joined(replace(new, zone=zone.key), of_days))

    async def watch_hours(self) -> int:
        """Look at everybody's running hour, and the last one's late rows; return how many incidents are new."""
        since = (self._clock.now() - LATE).replace(minute=0, second=0, microsecond=0)
        async with self._sessions.of_everybody() as connection:
            found = await incidents.find_dear_hours(connection, since, IMPACT_MICRO_RUB)
        return sum([await self._judge_apart(dear) for dear in found])

    async def _judge_apart(self, dear: dict[str, Any]) -> bool:
        """Judge one hour by itself: of two instances that look at once neither holds an incident and waits for another.

        One whose rows cannot be read in time keeps nobody else from being told, or analysed.
        """
        try:
            async with self._sessions.of_everybody() as connection:
                return await self._judge_hour(connection, dear)
        except ServiceError as exc:
            metrics.UPKEEP_FAILURES.labels("insights").inc()
            log.warning("usage.hour_not_judged", user_id=dear["user_id"], reason=exc.reason.value)
            return False

    async def _judge_hour(self, connection: Connection, dear: dict[str, Any]) -> bool:
        """Judge one hour; tell whether it is a new incident."""
        hour, actual = dear["hour"], dear["cost_micro_rub"]
        days = (hour.date() - dear["first_day"]).days
        if days < LEAST_DAYS:
            return False
        # Of somebody who began two weeks ago there are two weeks to take the mean of.
        mean_day = dear["cost_of_days"] / min(days, MISSES)
        user_id = dear["user_id"]
        zone = await kept.find_zone(connection, user_id)
        before = [_weeks_before(hour, ago, zone) for ago in range(1, weeks_of(days) + 1)]
        same_hours = await incidents.read_hours(connection, user_id, before)
        judgement = judge_hour(same_hours, mean_day)
        if not judgement.is_exceeded(actual, mean_day):
            return False
        spans = [(same, same + HOUR) for same in before]
        cause = root_cause(await incidents.find_causes(connection, user_id, (hour, hour + HOUR), spans))
        known = await incidents.read(connection, user_id, hour - REMEMBERED, hour + HOUR)
        alike = _expected(known, cause)
        judgement = judge_hour(same_hours, mean_day, forgiven=len(alike))
        if actual <= max(judgement.bar, _like_those(alike, Grain.HOUR)):
            return False
        found = self._incident(user_id, Grain.HOUR, hour, HOUR, (judgement.expected, actual), cause)
        return await self._put(connection, replace(found, zone=zone.key))

    def _incident(
        self,
        user_id: str,
        grain: Grain,
        begins_at: datetime,
        length: timedelta,
        costs: tuple[float, int],
        cause: Cause,
    ) -> Incident:
        return Incident(
            id=incident_id(user_id, grain, begins_at),
            user_id=user_id,
            grain=grain,
            begins_at=begins_at,
            ends_at=begins_at + length,
            expected_micro_rub=round(costs[0]),
            actual_micro_rub=costs[1],
            cause=cause,
            found_at=self._clock.now(),
        )

    async def _put(self, connection: Connection, incident: Incident) -> bool:
        is_new = await incidents.put(connection, incident)
        if is_new:
            metrics.ANOMALIES.labels(incident.grain.value).inc()
            log.info("usage.anomaly_found", incident=incident.id, grain=incident.grain.value)
            await self._tell(incident.user_id, EVENT, incident.id, _facts(incident), subject=_subject(incident.cause))
        return is_new


def _facts(incident: Incident) -> dict[str, Any]:
    shown = incident.as_finding()
    summaries = {f"summary_{locale}": text for locale, text in shown.texts.items()}
    return {**summaries, "incident": incident.id, "grain": incident.grain.value, **shown.evidence}


def _subject(cause: Cause) -> str:
    return f"{cause.dimension}:{cause.value}" if cause.dimension == "key" else ""


def _day_of(day: date, zone: ZoneInfo) -> incidents.Span:
    # In UTC: the difference of two moments of one zone would be that of its clocks.
    begins, ends = (datetime.combine(midnight, time(), zone).astimezone(UTC) for midnight in (day, day + DAY))
    return begins, ends


def _weeks_before(hour: datetime, weeks: int, zone: ZoneInfo) -> datetime:
    """Return the hour with the same time of the clock: what is done each day at eight moves when clocks do."""
    before = (hour.astimezone(zone) - timedelta(weeks=weeks)).astimezone(UTC)
    # Sums are of whole hours of UTC, and clocks move by half an hour somewhere.
    return before.replace(minute=0)


def _expected(known: Sequence[Incident], cause: Cause) -> list[Incident]:
    """Return the like that the user called expected."""
    alike = [each for each in known if (each.cause.dimension, each.cause.value) == (cause.dimension, cause.value)]
    return [each for each in alike if each.feedback is Feedback.EXPECTED]


def _like_those(expected: Sequence[Incident], grain: Grain) -> float:
    """Return up to what a day, or an hour, is one of those that were expected: a batch of each month comes again."""
    costs = [each.actual_micro_rub / max(1, each.days) for each in expected if each.grain is grain]
    return BAR_HIGHEST * max(costs, default=0.0)


def _joined(new: Incident, known: Sequence[Incident]) -> Incident:
    """Return the incident that goes on with this day, or the day alone."""
    before = next((each for each in known if each.ends_at == new.begins_at), None)
    if before is None or before.feedback is Feedback.EXPECTED:
        return new
    return replace(
        before,
        ends_at=new.ends_at,
        expected_micro_rub=before.expected_micro_rub + new.expected_micro_rub,
        actual_micro_rub=before.actual_micro_rub + new.actual_micro_rub,
        cause=before.cause.joined(new.cause),
    )
