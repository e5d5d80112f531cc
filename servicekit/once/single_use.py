"""Single-use values and exclusive claims in Redis, correct even when a command is sent twice."""

from __future__ import annotations

import secrets
from typing import Any, Final

from redis.asyncio import Redis

from servicekit.once.repeating import may_repeat

# How long a repeated command still gets the value that its first attempt took.
RECOGNISED_MS: Final = 10_000
# Prefix of a taken value, before the taker's name; no text begins with it.
TAKEN: Final = b"\0"

# KEYS: a value. ARGV: the taker; how long the taker is remembered. Returns the value to its taker, else nothing.
_TAKE: Final = """
local kept = redis.call('GET', KEYS[1])
if not kept then return false end
if string.byte(kept) ~= 0 then
    redis.call('SET', KEYS[1], '\\0' .. ARGV[1] .. kept, 'PX', ARGV[2])
    return kept
end
if string.sub(kept, 2, #ARGV[1] + 1) == ARGV[1] then return string.sub(kept, #ARGV[1] + 2) end
return false
"""
# KEYS: a name. ARGV: the owner; for how many milliseconds. Returns whether the owner has it.
_CLAIM: Final = """
local owner = redis.call('GET', KEYS[1])
if not owner then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
    return 1
end
return owner == ARGV[1] and 1 or 0
"""


class SingleUse:
    """Texts by key; each can be taken once.

    All methods raise:
        RedisError, OSError, TimeoutError: Redis cannot be asked.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._take = client.register_script(_TAKE)

    async def put(self, key: str, text: str, *, ttl_s: int) -> None:
        """Keep a text."""
        await self._client.set(key, text, ex=ttl_s)

    async def look(self, key: str) -> bytes | None:
        """Return a text without taking it; None: there is none, or it was taken."""
        found = await self._client.get(key)
        return None if found is None else _untaken(found)

    async def take(self, key: str) -> bytes | None:
        """Take a text; None: there is none, or it was taken before."""
        with may_repeat():
            found = await self._take(keys=[key], args=[secrets.token_hex(16), RECOGNISED_MS])
        return None if found is None else _bytes(found)


class Claims:
    """Names that one owner at a time can hold, for a limited time.

    All methods raise:
        RedisError, OSError, TimeoutError: Redis cannot be asked.
    """

    def __init__(self, client: Redis) -> None:
        self._claim = client.register_script(_CLAIM)

    async def claim(self, key: str, *, ttl_s: float, owner: str = "") -> bool:
        """Claim the name; tell whether the owner has it now.

        Args:
            key: the name.
            ttl_s: seconds until the claim ends.
            owner: stored under the name, and unique to the claimant; "": a random one, where nobody asks for it.
        """
        with may_repeat():
            return bool(await self._claim(keys=[key], args=[owner or secrets.token_hex(8), max(1, int(ttl_s * 1000))]))


def _untaken(found: Any) -> bytes | None:
    text = _bytes(found)
    return None if text.startswith(TAKEN) else text


def _bytes(found: Any) -> bytes:
    return found if isinstance(found, bytes) else str(found).encode()
