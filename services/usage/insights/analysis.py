"""Analyses a user's usage: daily from rows and rollups, and on request with data that only the caller has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from servicekit.clock import Clock
from servicekit.errors import invalid_parameter
from services.usage.catalog_facts.domain.facts import Facts
from services.usage.catalog_facts.store import FactsStore
from services.usage.forecasting.domain.course import Course
from services.usage.insights.anomalies import Anomalies
from services.usage.insights.domain.advice import advised
from services.usage.insights.domain.finding import Found, UsagePatterns
from services.usage.insights.domain.incident import Feedback
from services.usage.insights.domain.material import WINDOW_DAYS, KeyUse, LimitUse, Material, window_begins
from services.usage.insights.domain.patterns import FROM_ROWS, WHEN_ASKED, look_for
from services.usage.insights.material_reader import ReadsMaterial
from services.usage.insights.recommending import Recommending
from services.usage.insights.store import incidents, kept, recommendations
from services.usage.insights.store.sessions import Sessions
from services.usage.store.connection import Connection

# Rows of the last minutes of a day are shipped and stored by then.
DAY_IS_IN: Final = timedelta(minutes=15)
ACTIVE_DAYS: Final = 2 * WINDOW_DAYS
# Where a day begins first.
EAST: Final = timezone(timedelta(hours=14))
# Analyses at one time. Each holds a connection, and takes another one to tell of what is new: were all of a pool's held
# so, nobody in the whole service would get on.
AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller knows: the time zone, active keys, limits."""

    zone: str = "UTC"
    keys: Sequence[KeyUse] = ()
    limits: Sequence[LimitUse] = ()


Foretells: TypeAlias = Callable[[str, str], Awaitable[tuple[Course | None, int]]]
"""Returns the course of a user's spending in a zone, None where there is none, and what today has cost."""
NOTHING_ASKED: Final = Asked()


def check_zone(name: str) -> str:
    """Return the name of a time zone, UTC for none.

    Raises:
        InvalidRequest: there is none of that name.
    """
    try:
        return ZoneInfo(name or "UTC").key
    except (ValueError, OSError, ZoneInfoNotFoundError):
        text = f"There is no time zone `{name[:64]}`; give a name as Europe/Moscow (field `tz`)."
        raise invalid_parameter("tz", text) from None


class Analysis:
    """Detects patterns, and stores the daily findings."""

    def __init__(
        self,
        sessions: Sessions,
        facts: FactsStore,
        material: ReadsMaterial,
        anomalies: Anomalies,
        recommending: Recommending,
        foretell: Foretells,
        *,
        clock: Clock,
    ) -> None:
        self._sessions = sessions
        self._material = material
        self._facts = facts
        self._anomalies = anomalies
        self._recommending = recommending
        self._foretell = foretell
        self._clock = clock
        self._places = asyncio.Semaphore(AT_ONCE)

    async def patterns(self, user_id: str, asked: Asked) -> UsagePatterns:
        """Return what shows in the user's usage. What takes scans is of today or yesterday, the rest of now."""
        analysed_at, findings = await self._of_rows(user_id)
        with_asked = await self._when_asked(user_id, asked)
        names = {key.key_id: key.name for key in asked.keys if key.name}
        found = tuple([_named(each, names) for each in (*with_asked, *findings)])
        return UsagePatterns(user_id, analysed_at, asked.zone, found)

    async def next_user(self, after: str) -> str | None:
        """Return who comes next, by id, of those whose day is over where they live; None: nobody."""
        latest = self._today(EAST)
        active_since = latest - timedelta(days=ACTIVE_DAYS)
        async with self._sessions.of_everybody() as connection:
            while candidates := await kept.find_candidates(connection, latest, active_since, after):
                for each in candidates:
                    if each.analysed_day < self._today(each.zone):
                        return each.user_id
                after = candidates[-1].user_id
        return None

    async def analyse_today(self, user_id: str) -> bool:
        """Analyse a user unless it is done or another instance is at it; tell whether it was done here."""
        facts = await self._facts.read()
        async with self._places, self._sessions.of(user_id) as connection:
            zone = await kept.find_zone(connection, user_id)
            claimed = await kept.claim(connection, user_id, self._today(zone))
            if claimed:
                await self._analyse(connection, user_id, facts, zone)
        return claimed

    def _today(self, zone: tzinfo) -> date:
        """Return the day of a zone of which the one before is wholly stored."""
        return (self._clock.now() - DAY_IS_IN).astimezone(zone).date()

    async def enrol(self) -> None:
        """Note who had requests lately: they are to be analysed."""
        async with self._sessions.of_everybody() as connection:
            await kept.enrol(connection, self._clock.now().date() - timedelta(days=1))

    async def _of_rows(self, user_id: str) -> tuple[datetime, tuple[Found, ...]]:
        async with self._sessions.of(user_id) as connection:
            zone = await kept.find_zone(connection, user_id)
            yesterday = self._today(zone) - timedelta(days=1)
            found = await kept.read(connection, user_id, yesterday)
        if found is not None:
            return found
        facts = await self._facts.read()
        async with self._places, self._sessions.of(user_id) as connection:
            if await kept.lock(connection, user_id, self._today(zone)) >= yesterday:
                # Another call was faster; it is done now that the lock is ours.
                found = await kept.read(connection, user_id, yesterday)
                if found is not None:
                    return found
            return self._clock.now(), await self._analyse(connection, user_id, facts, zone)

    async def _analyse(self, connection: Connection, user_id: str, facts: Facts, zone: ZoneInfo) -> tuple[Found, ...]:
        """Analyse somebody who is locked: patterns, advice, the days that are over, what advice has saved."""
        now, today = self._clock.now(), self._today(zone)
        await self._anomalies.judge_days(connection, user_id, zone, today)
        material = await self._material.material(connection, user_id, facts, now)
        findings = await asyncio.to_thread(look_for, FROM_ROWS, material)
        await kept.keep(connection, user_id, today, now, findings)
        await recommendations.advise(connection, user_id, advised(findings), now)
        await self._recommending.measure(connection, user_id)
        return findings

    async def _when_asked(self, user_id: str, asked: Asked) -> tuple[Found, ...]:
        now = self._clock.now()
        since = window_begins(now)
        # Before there is a connection, since it takes one. Only limits are told from the course.
        course, spent_today = await self._foretell(user_id, asked.zone) if asked.limits else (None, 0)
        async with self._sessions.of(user_id) as connection:
            recent = await incidents.read(connection, user_id, since, now)
            material = Material(
                now=now,
                zone=asked.zone,
                facts=Facts(()),
                hours=await self._material.hours(connection, user_id, since),
                keys=asked.keys,
                limits=asked.limits,
                incidents=[each for each in recent if each.feedback is not Feedback.EXPECTED],
                course=course,
                spent_today_micro_rub=spent_today,
            )
            findings = look_for(WHEN_ASKED, material)
            await recommendations.advise(connection, user_id, advised(findings), now)
        return findings


def _named(found: Found, names: dict[str, str]) -> Found:
    """Return a finding that calls a key by its name: rows know its id alone."""
    key_id = str(found.evidence.get("key", ""))
    name = names.get(key_id)
    if name is None:
        return found
    texts = {locale: text.replace(key_id, name) for locale, text in found.texts.items()}
    return replace(found, texts=texts, evidence={**found.evidence, "key": name})
