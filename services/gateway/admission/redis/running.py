"""What running a script on Redis is, whether it is one server or a cluster, and how it fails."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Final, Protocol

from redis.exceptions import AskError, MovedError, ResponseError, TryAgainError

from services.gateway.admission.degraded.redis_time import RedisTime
from services.gateway.admission.redis.scripts import Script


class RedisLost(Exception):
    """Redis did not answer in time, answered with an error, or nobody asks it for now."""


class SlotElsewhere(RedisLost):
    """Another server of the cluster has the key's slot: `host` and `port` say which."""

    def __init__(self, moved: MovedError) -> None:
        super().__init__(str(moved))
        self.host, self.port = str(moved.host), int(moved.port)


class SlotMoving(RedisLost):
    """The key's slot is on its way to another server of the cluster; nothing was done."""


# What a server of a cluster says when a script meets a key of a slot that is on its way.
NOT_HERE: Final = "access a non local key"


def redirection_of(answer: Any) -> RedisLost | None:
    """Return what an answer says of where its slot is; None: it is an answer."""
    if not isinstance(answer, ResponseError):
        return None
    if isinstance(answer, MovedError):
        return SlotElsewhere(answer)
    if isinstance(answer, (AskError, TryAgainError)) or NOT_HERE in str(answer):
        return SlotMoving(str(answer))
    return None


class RunsScripts(Protocol):
    """Redis, as everything in admission but its single commands sees it: one server, or all of a cluster.

    `is_cluster`: keys of two owners may be on two servers, so a script gets those of one.
    """

    @property
    def is_cluster(self) -> bool:
        """Tell whether owners are spread over servers."""
        ...

    @property
    def is_degraded(self) -> bool:
        """Tell whether some server is not asked for now."""
        ...

    def run(self, script: Script, key: str, payload: bytes, *, within_s: float = 0.0) -> Awaitable[Any]:
        """Return the script's answer, or raise `RedisLost`."""
        ...

    def time_of(self, key: str) -> RedisTime:
        """Return the clock of the server that has the key."""
        ...

    async def probe(self) -> None:
        """Find out whether what was lost is back when nobody else asks."""
        ...

    async def serve(self) -> None:
        """Send what waits, for ever; cancel it to stop."""
        ...
