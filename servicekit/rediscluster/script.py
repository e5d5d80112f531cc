"""A Lua script, as `register_script` returns it, for a cluster: a call loads it on a server that does not know it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import NoScriptError


class ClusterScript:
    """Runs on the server that has its keys. redis-py loads a script on all servers, and fails while one is down."""

    def __init__(self, client: RedisCluster, body: str | bytes | memoryview) -> None:
        self._client = client
        self._body = body.encode() if isinstance(body, str) else bytes(body)
        self._sha = hashlib.sha1(self._body, usedforsecurity=False).hexdigest()

    async def __call__(
        self, keys: Sequence[Any] = (), args: Sequence[Any] = (), client: RedisCluster | None = None
    ) -> Any:
        """Return what it answers; the keys must be of one slot.

        Args:
            keys: what it is given as KEYS.
            args: what it is given as ARGV.
            client: who asks, in place of the one that it was made with: redis-py's locks share their scripts.

        Raises:
            RedisError: it failed, or the server does not answer.
        """
        asking, given = client or self._client, (len(keys), *keys, *args)
        try:
            return await asking.execute_command("EVALSHA", self._sha, *given)
        except NoScriptError:
            return await asking.execute_command("EVAL", self._body, *given)
