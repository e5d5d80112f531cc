"""Events: what happened; they never change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from services.usage.notifications.domain.kinds import EventKind

Facts = Mapping[str, Any]
"""What JSON can hold. The public content of an event: webhooks carry it as `data`."""

# The rule of an event that needs none.
NO_RULE: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that rules may be about.

    Attributes:
        dedupe_key: what is told once: a rule that told of this key is silent about it for ever.
        subject: what the pause of a rule counts for.
        ignores_pause: it is told within the pause, too.
    """

    user_id: str
    kind: EventKind
    dedupe_key: str
    facts: Facts
    subject: str = ""
    ignores_pause: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """A happening as one rule reports it."""

    id: UUID
    user_id: str
    kind: EventKind
    facts: Facts
    occurred_at: datetime

    @property
    def public_id(self) -> str:
        """Return what receivers tell repetitions by."""
        return f"evt_{self.id.hex}"
