"""Which Redis commands may be sent again when no answer came: the first one may have been executed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError

# Idempotent commands; nothing here reads the answers of those that write.
REPEATABLE: Final = frozenset({
    "CLUSTER SLOTS", "EXISTS", "GET", "HGET", "HGETALL", "HLEN", "HMGET", "INFO", "MGET", "PING", "PTTL", "SCAN", "SET",
    "SISMEMBER", "SMEMBERS", "TIME", "TTL", "ZCARD", "ZCOUNT", "ZRANGE", "ZRANGEBYSCORE", "ZREVRANGE", "ZSCORE",
    "EXPIRE", "HDEL", "HSET", "PEXPIRE", "PUBLISH", "ZADD", "ZREM", "ZREMRANGEBYRANK", "ZREMRANGEBYSCORE",
    "ZUNIONSTORE",
})  # fmt: skip
# With these options a command is not idempotent.
CONDITIONS: Final = {"SET": {"NX", "GET"}, "ZADD": {"NX", "INCR"}}
_ONCE: Final = Retry(NoBackoff(), 0)
_MAY_REPEAT: Final[ContextVar[bool]] = ContextVar("may_repeat", default=False)


@contextmanager
def may_repeat(is_allowed: bool = True) -> Iterator[None]:
    """Allow the commands sent within the block to be repeated: the caller knows that they are idempotent."""
    before = _MAY_REPEAT.set(is_allowed or _MAY_REPEAT.get())
    try:
        yield
    finally:
        _MAY_REPEAT.reset(before)


def is_repeatable(command: Sequence[Any]) -> bool:
    """Tell whether a command with these arguments is idempotent."""
    name = command[0]
    conditions = CONDITIONS.get(name)
    return name in REPEATABLE and not (conditions and conditions & {each for each in command[2:] if type(each) is str})


class CarefulRetry(Retry):
    """One more attempt, without delay, for commands that may be repeated.

    It covers connections that were closed while idle, and one late answer. Other commands fail, unless the server
    itself said that it has done nothing.
    """

    def __init__(self) -> None:
        super().__init__(NoBackoff(), 1)

    def get_retries(self) -> int:
        """Return how often the command under way may be sent again."""
        return super().get_retries() if _MAY_REPEAT.get() else 0

    async def call_with_retry(self, do: Any, fail: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what `do` returns; `fail` is told of each failure.

        Raises:
            RedisError: the last failure.
        """
        if _MAY_REPEAT.get():
            return await super().call_with_retry(do, fail, *args, **kwargs)
        try:
            return await _ONCE.call_with_retry(do, fail, *args, **kwargs)
        except RedisConnectionError as exc:
            # The sentinel client says that the server is no longer the primary: the next attempt goes to the new one.
            if not isinstance(exc.__context__, ReadOnlyError):
                raise
            return await _ONCE.call_with_retry(do, fail, *args, **kwargs)
