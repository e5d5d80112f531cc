"""Messages between routers over Redis: they only make news arrive sooner, nothing depends on them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import datetime
from typing import Final

import msgspec
import structlog
from redis.asyncio import Redis

from servicekit.redis import published
from services.router.circuits.domain.circuit import State
from services.router.circuits.domain.news import Cause, Change
from services.router.circuits.domain.target import Target

log = structlog.get_logger()

CHANNEL: Final = "router:news"
# A listener that hears nothing for this long asks the connection whether it still lives.
POLL_S: Final = 1.0


class ChangeNews(msgspec.Struct, frozen=True):
    """A `Change` on the wire."""

    target: tuple[str, str, str]
    state: State
    cause: Cause
    at: datetime
    until: datetime
    openings: int

    def change(self) -> Change:
        """Return it as the domain knows it."""
        return Change(Target(*self.target), self.state, self.cause, self.at, self.until, self.openings)


NOTHING_SEEN: Final = msgspec.Raw()


class News(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message.

    Attributes:
        sender: the replica; its own words come back to it and are left out.
        change: a circuit changed.
        look: an administrator changed what is in the tables: they are read now.
        seen: calls that the sender has seen since its last message, as the room of the status writes them.
    """

    sender: str
    change: ChangeNews | None = None
    look: bool = False
    # Never `Raw | None`: of that msgspec decodes null alone.
    seen: msgspec.Raw = NOTHING_SEEN


_DECODER: Final = msgspec.json.Decoder(News)


class NewsChannel:
    """Publishes and receives; raises what is in `servicekit.redis.LOST` when Redis cannot be used."""

    def __init__(self, client: Redis, replica: str) -> None:
        self._client = client
        self.replica = replica

    async def tell_change(self, change: Change) -> None:
        """Say that a circuit changed."""
        target = (change.target.provider, change.target.credential, change.target.model)
        said = ChangeNews(target, change.state, change.cause, change.at, change.until, change.openings)
        await self._tell(News(self.replica, change=said))

    async def tell_look(self) -> None:
        """Say that the tables should be read now."""
        await self._tell(News(self.replica, look=True))

    async def tell_seen(self, seen: bytes) -> None:
        """Say what calls were seen; `seen` is JSON."""
        await self._tell(News(self.replica, seen=msgspec.Raw(seen)))

    async def _tell(self, news: News) -> None:
        await self._client.publish(CHANNEL, msgspec.json.encode(news))

    async def listen(self, begun: Callable[[], Awaitable[None]], heard: Callable[[News], Awaitable[None]]) -> None:
        """Hear what others say until the connection breaks; `begun` is called when nothing is missed any more."""
        async with aclosing(published(self._client, CHANNEL, poll_s=POLL_S)) as messages:
            async for message in messages:
                if message is None:
                    await begun()
                elif (news := self._of_others(message)) is not None:
                    await heard(news)

    def _of_others(self, payload: bytes) -> News | None:
        try:
            news = _DECODER.decode(payload)
        except msgspec.DecodeError:
            # Of a newer release, during its rollout.
            log.warning("router.news_unreadable")
            return None
        return None if news.sender == self.replica else news
