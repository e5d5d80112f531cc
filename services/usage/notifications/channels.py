"""Creating, changing, testing and deleting channels, and their delivery history."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

import msgspec

from servicekit.clock import Clock
from servicekit.errors import Conflict, ErrorReason, QuotaExceeded, invalid_parameter
from services.usage.domain.maker import checked_maker
from services.usage.notifications.domain.channel import Channel, checked_name, checked_target, new_secret, rotated
from services.usage.notifications.domain.delivery import Delivery
from services.usage.notifications.domain.event import Happening
from services.usage.notifications.domain.kinds import ChannelKind, Disabled, EventKind
from services.usage.notifications.store.channels import ChannelStore
from services.usage.notifications.store.deliveries import DeliveryStore
from services.usage.notifications.store.events import EventStore

LONGEST_OVERLAP_S: Final = 7 * 86_400
MOST_DELIVERIES: Final = 100
# The test button is not a way to have somebody's server called in a loop.
TEST_EVERY_S: Final = 10
_Place = tuple[datetime, UUID]


def just_sent(what: str, every_s: int, now: datetime) -> QuotaExceeded:
    """Build the error of a second one in a period of so many seconds: it says when the next period begins."""
    wait_s = every_s - int(now.timestamp()) % every_s
    message = f"A {what} was just sent; wait {wait_s} s."
    return QuotaExceeded(ErrorReason.RATE_LIMIT_EXCEEDED, message, retry_after_s=float(wait_s))


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of a channel; None: unchanged. `maker` is the credential that asks; None: an older gateway omits it."""

    name: str | None = None
    target: str | None = None
    enabled: bool | None = None
    maker: str | None = None


class Channels:
    """A user's channels. Each method raises `NotFound` for one that is absent or someone else's."""

    def __init__(
        self,
        channels: ChannelStore,
        deliveries: DeliveryStore,
        events: EventStore,
        *,
        plaintext: bool,
        clock: Clock,
        new_id: Callable[[], UUID],
    ) -> None:
        self._channels = channels
        self._deliveries = deliveries
        self._events = events
        self._plaintext = plaintext
        self._clock = clock
        self._new_id = new_id

    async def create(self, user_id: str, kind: ChannelKind, name: str, target: str, maker: str) -> Channel:
        """Make a channel, which ends with its maker; a webhook has a fresh secret.

        Raises:
            InvalidRequest: it can go nowhere.
            QuotaExceeded: the user has as many as one may have.
        """
        channel = self.prepared(user_id, kind, name, target, maker)
        await self._channels.add(channel)
        return channel

    def prepared(self, user_id: str, kind: ChannelKind, name: str, target: str, maker: str) -> Channel:
        """Return a channel that is not stored yet.

        Raises:
            InvalidRequest: it can go nowhere.
        """
        return Channel(
            id=self._new_id(),
            user_id=user_id,
            kind=kind,
            name=checked_name(name),
            target=checked_target(kind, target, plaintext=self._plaintext),
            secrets=(new_secret(),) if kind is ChannelKind.WEBHOOK else (),
            disabled=Disabled.NO,
            failing_since=None,
            created_at=self._clock.now(),
            maker=checked_maker(maker),
        )

    async def list_of(self, user_id: str) -> list[Channel]:
        """Return the channels in the order in which they were made."""
        return await self._channels.list_of(user_id)

    async def change(self, user_id: str, channel_id: UUID, changes: Changes) -> Channel:
        """Change what is given, and forget that the channel failed.

        Raises:
            InvalidRequest: it could go nowhere.
        """
        now = self._clock.now()
        change = partial(_changed, changes, now=now, plaintext=self._plaintext)
        channel = await self._channels.change(user_id, channel_id, change, now)
        return replace(channel, failing_since=None)

    async def delete(self, user_id: str, channel_id: UUID) -> None:
        """Forget a channel with its history."""
        await self._channels.delete(user_id, channel_id)

    async def rotate(self, user_id: str, channel_id: UUID, overlap_s: int) -> Channel:
        """Give a webhook a fresh secret; the one before signs, too, for a while.

        Raises:
            InvalidRequest: it is no webhook, or the overlap is out of bounds.
        """
        now = self._clock.now()

        def rotate(channel: Channel) -> Channel:
            if channel.kind is not ChannelKind.WEBHOOK:
                raise invalid_parameter("channel_id", "Only webhooks have secrets.")
            if not 0 <= overlap_s <= LONGEST_OVERLAP_S:
                raise invalid_parameter("overlap_s", f"The overlap must be 0 to {LONGEST_OVERLAP_S} seconds.")
            return replace(channel, secrets=rotated(channel.secrets, now + timedelta(seconds=overlap_s)))

        return await self._channels.change(user_id, channel_id, rotate, now)

    async def test(self, user_id: str, channel_id: UUID) -> None:
        """Send a test on its way.

        Raises:
            Conflict: the channel is switched off.
            QuotaExceeded: one has just been sent.
        """
        channel = await self._used(user_id, channel_id)
        now = self._clock.now()
        facts = {"channel_id": str(channel.id), "name": channel.name or channel.kind.value}
        once = f"{channel.id}|{int(now.timestamp()) // TEST_EVERY_S}"
        if not await self._events.add_to(channel.id, Happening(user_id, EventKind.TEST, once, facts), now):
            raise just_sent("test", TEST_EVERY_S, now)

    async def history(self, user_id: str, channel_id: UUID, limit: int, page: str) -> tuple[list[Delivery], str]:
        """Return what went by a channel, the newest first, and the name of the next page.

        Raises:
            InvalidRequest: limit or page is none.
        """
        if not 1 <= limit <= MOST_DELIVERIES:
            raise invalid_parameter("limit", f"The limit must be 1 to {MOST_DELIVERIES}.")
        await self._channels.find(user_id, channel_id)
        found = await self._deliveries.history(user_id, channel_id, after=_place(page), limit=limit)
        return found, _page(found[-1]) if len(found) == limit else ""

    async def send_again(self, user_id: str, channel_id: UUID, delivery_id: UUID) -> None:
        """Send a delivery on its way again, under the id that it had.

        Raises:
            Conflict: the channel is switched off.
        """
        await self._used(user_id, channel_id)
        await self._deliveries.send_again(user_id, channel_id, delivery_id, self._clock.now())

    async def _used(self, user_id: str, channel_id: UUID) -> Channel:
        channel = await self._channels.find(user_id, channel_id)
        if not channel.is_used:
            raise Conflict(ErrorReason.CONFLICT, "The channel is switched off; switch it on first.", param="channel_id")
        return channel


def _changed(changes: Changes, channel: Channel, *, now: datetime, plaintext: bool) -> Channel:
    if channel.disabled is Disabled.UNCONFIRMED:
        raise Conflict(
            ErrorReason.CONFLICT, "Confirm the chat first, by the code that was sent there.", param="channel_id"
        )
    if changes.name is not None:
        channel = replace(channel, name=checked_name(changes.name))
    if changes.target is not None and channel.kind is not ChannelKind.WEBHOOK:
        raise invalid_parameter("chat_id", "Another chat is another channel: make one.")
    if changes.target is not None and changes.target != channel.target:
        channel = replace(channel, target=checked_target(channel.kind, changes.target, plaintext=plaintext))
        # What goes somewhere else is no more what its maker made: it ends with whoever sends it there.
        if changes.maker is not None:
            channel = replace(channel, maker=checked_maker(changes.maker), maker_since=now)
    if changes.enabled is not None:
        channel = replace(channel, disabled=Disabled.NO if changes.enabled else Disabled.OWNER)
    return channel


def _page(last: Delivery) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((last.created_at, last.id))).decode().rstrip("=")


def _place(page: str) -> _Place | None:
    if not page:
        return None
    try:
        moment, id = msgspec.json.decode(base64.urlsafe_b64decode(page + "=" * (-len(page) % 4)), type=_Place)
    except (msgspec.DecodeError, binascii.Error, ValueError) as exc:
        raise invalid_parameter("page", "There is no such page.") from exc
    if moment.tzinfo is None:
        raise invalid_parameter("page", "There is no such page.")
    return moment, id
