"""What went wrong: spells in which circuits were open or too many calls failed, put together by provider."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Final

from services.gateway.clients.router.administration import PastStatus

DEGRADED: Final = "degraded"
DOWN: Final = "down"
TROUBLED: Final = frozenset({DEGRADED, DOWN})
# What begins again so soon after its end is the same incident.
SAME_WITHIN: Final = timedelta(minutes=5)
# A call or two that failed, and were answered by another try: nobody has felt that.
SHORTEST: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Incident:
    """A provider's trouble: which models, at worst in which status, for which reasons, from when until when."""

    provider: str
    models: tuple[str, ...]
    status: str
    reasons: tuple[str, ...]
    began_at: datetime
    ended_at: datetime | None

    @property
    def id(self) -> str:
        """Return what names it, and stays the same while it lasts."""
        return f"{self.provider}-{self.began_at:%Y%m%dT%H%M%S}"


@dataclass(slots=True)
class _Spell:
    provider: str
    began_at: datetime
    ended_at: datetime | None = None
    models: set[str] = field(default_factory=set)
    reasons: list[str] = field(default_factory=list)
    statuses: set[str] = field(default_factory=set)

    def note(self, status: PastStatus) -> None:
        self.models.add(status.model)
        self.statuses.add(status.status)
        if status.reason not in self.reasons:
            self.reasons.append(status.reason)

    def goes_on_in(self, other: _Spell) -> bool:
        return self.ended_at is None or other.began_at <= self.ended_at + SAME_WITHIN

    def take_in(self, other: _Spell) -> None:
        self.models |= other.models
        self.statuses |= other.statuses
        self.reasons += [reason for reason in other.reasons if reason not in self.reasons]
        if self.ended_at is not None:
            self.ended_at = None if other.ended_at is None else max(self.ended_at, other.ended_at)


def incidents_of(past: Sequence[PastStatus]) -> list[Incident]:
    """Return the incidents that statuses tell of, the newest first; `past` is in any order."""
    dated = [status for status in past if status.began_at is not None]
    ordered = sorted(dated, key=lambda each: (each.provider, each.model, each.began_at))
    spells = [
        spell for _, statuses in groupby(ordered, key=attrgetter("provider", "model")) for spell in _spells(statuses)
    ]
    found = [_incident(spell) for spell in _joined(spells) if _was_felt(spell)]
    return sorted(found, key=attrgetter("began_at", "provider"), reverse=True)


def _spells(statuses: Iterable[PastStatus]) -> list[_Spell]:
    """Return the spells of one model, whose statuses come in order."""
    spells: list[_Spell] = []
    current: _Spell | None = None
    for status in statuses:
        began_at = status.began_at
        if began_at is None:
            continue
        if status.status not in TROUBLED:
            if current is not None:
                current.ended_at, current = began_at, None
            continue
        if current is None:
            current = _Spell(status.provider, began_at)
            spells.append(current)
        current.note(status)
    return spells


def _joined(spells: Iterable[_Spell]) -> list[_Spell]:
    joined: list[_Spell] = []
    for spell in sorted(spells, key=attrgetter("provider", "began_at")):
        last = joined[-1] if joined else None
        if last is not None and last.provider == spell.provider and last.goes_on_in(spell):
            last.take_in(spell)
        else:
            joined.append(spell)
    return joined


def _was_felt(spell: _Spell) -> bool:
    lasted = None if spell.ended_at is None else spell.ended_at - spell.began_at
    return DOWN in spell.statuses or lasted is None or lasted >= SHORTEST


def _incident(spell: _Spell) -> Incident:
    status = DOWN if DOWN in spell.statuses else DEGRADED
    return Incident(
        spell.provider, tuple(sorted(spell.models)), status, tuple(spell.reasons), spell.began_at, spell.ended_at
    )
