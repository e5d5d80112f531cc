"""The interface of what sends notifications over one kind of channel."""

from __future__ import annotations

from typing import Protocol

from services.usage.notifications.domain.channel import Channel
from services.usage.notifications.domain.delivery import Outcome
from services.usage.notifications.domain.event import Event
from services.usage.notifications.domain.person import Person


class Sender(Protocol):
    """Makes one attempt to deliver an event."""

    async def send(self, event: Event, channel: Channel, person: Person) -> Outcome:
        """Send the event and tell what became of it; whatever the receiver does, nothing is raised."""
        ...
