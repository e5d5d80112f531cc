"""Counters of failed logins: in Redis for all replicas; without Redis in this process, with stricter limits.

An attempt is counted as a failure before its secret is looked at, so that a thousand at once are not each the first.
What turns out right is taken back.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.asyncio import Redis

from servicekit.once.repeating import may_repeat
from services.auth.accounts.domain.guessing import Attempt, Dimension, Pause, Refusal
from services.auth.shared.cache.errors import cache_errors

# One hash tag: a script's keys must live on one node.
PREFIX: Final = "auth:{guess}:"
# By how much the clocks of replicas may differ.
CLOCKS_DIFFER_MS: Final = 60_000
ORDER: Final = (Dimension.PAIR, Dimension.IP, Dimension.NETWORK, Dimension.ACCOUNT)

# KEYS: a counter per dimension in ORDER, then the mark of an address from which this account logs in.
# ARGV: now, window, then free, first, longest of each dimension; milliseconds.
# Returns {0, 0}, or the number of the counter that refuses for the longest and how long. `was` is how long a counter
# refused before the attempt that was counted last.
COUNT: Final = f"""
local now, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local known = redis.call('EXISTS', KEYS[#KEYS]) == 1
local refuses, wait = 0, 0
for i = 1, #KEYS - 1 do
    local till = tonumber(redis.call('HGET', KEYS[i], 'till') or 0)
    -- No pause is so long: the clock that wrote it was ahead, or ours went back. It shuts nobody out for hours.
    if till - now > tonumber(ARGV[3 * i + 2]) + {CLOCKS_DIFFER_MS} then till = 0 end
    -- The account's own counter is for strangers: nobody can shut its owner out from elsewhere.
    if till - now > wait and not (known and i == #KEYS - 1) then
        refuses, wait = i, till - now
    end
end
if refuses > 0 then return {{refuses, wait}} end
for i = 1, #KEYS - 1 do
    local free, first, longest = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
    local failures = redis.call('HINCRBY', KEYS[i], 'n', 1)
    local pause = 0
    if failures >= free then
        pause = math.min(longest, first * 2 ^ math.min(failures - free, 32))
        local was = redis.call('HGET', KEYS[i], 'till') or '0'
        redis.call('HSET', KEYS[i], 'till', string.format('%.0f', now + pause), 'was', was)
    end
    redis.call('PEXPIRE', KEYS[i], string.format('%.0f', window + pause))
end
return {{0, 0}}
"""

# KEYS: counters. ARGV: free of each. Takes one attempt back, and the pause that it alone caused.
TAKE_BACK: Final = """
for i = 1, #KEYS do
    if redis.call('EXISTS', KEYS[i]) == 1 then
        local failures = redis.call('HINCRBY', KEYS[i], 'n', -1)
        if failures <= 0 then
            redis.call('DEL', KEYS[i])
        elseif failures < tonumber(ARGV[i]) then
            redis.call('HDEL', KEYS[i], 'till', 'was')
        else
            local was = redis.call('HGET', KEYS[i], 'was')
            if was then redis.call('HSET', KEYS[i], 'till', was) end
            redis.call('HDEL', KEYS[i], 'was')
        end
    end
end
return 0
"""


@dataclass(frozen=True, slots=True)
class GuessRules:
    """What is guarded, the pauses of each dimension, how long failures are remembered and addresses known."""

    name: str
    pauses: Mapping[Dimension, Pause]
    window_s: float
    known_s: int


class RedisGuesses:
    """Counters shared by all replicas."""

    def __init__(self, client: Redis, rules: GuessRules) -> None:
        self._client = client
        self._rules = rules
        self._count = client.register_script(COUNT)
        self._take_back = client.register_script(TAKE_BACK)

    async def count(self, attempt: Attempt, now_ms: int) -> Refusal | None:
        """Count the attempt unless a counter refuses it.

        Raises:
            Unavailable: Redis is gone.
        """
        limits: list[Any] = [now_ms, int(self._rules.window_s * 1000)]
        for dimension in ORDER:
            pause = self._rules.pauses[dimension]
            limits += [pause.free, int(pause.first_s * 1000), int(pause.longest_s * 1000)]
        with cache_errors():
            number, wait_ms = await self._count(keys=[*self._keys(attempt, ORDER), self._known(attempt)], args=limits)
        return Refusal(ORDER[number - 1], wait_ms / 1000) if number else None

    async def take_back(self, attempt: Attempt) -> None:
        """Uncount an attempt that was no guess."""
        await self._uncount(attempt, ORDER)

    async def clear(self, attempt: Attempt) -> None:
        """Forget the account's failures; of its neighbours' only this attempt is taken back.

        Otherwise who has an account of their own could reset the address's counter with it.
        """
        with cache_errors(), may_repeat():
            await self._client.delete(*self._keys(attempt, (Dimension.PAIR, Dimension.ACCOUNT)))
            await self._client.set(self._known(attempt), b"1", ex=self._rules.known_s)
        await self._uncount(attempt, (Dimension.IP, Dimension.NETWORK))

    async def _uncount(self, attempt: Attempt, dimensions: Sequence[Dimension]) -> None:
        free = [self._rules.pauses[dimension].free for dimension in dimensions]
        with cache_errors():
            await self._take_back(keys=self._keys(attempt, dimensions), args=free)

    def _keys(self, attempt: Attempt, dimensions: Sequence[Dimension]) -> list[str]:
        return [f"{PREFIX}{self._rules.name}:{key}" for key in _keys(attempt, dimensions)]

    def _known(self, attempt: Attempt) -> str:
        return f"{PREFIX}{self._rules.name}:known:{_digest(attempt.subjects()[Dimension.PAIR])}"


class LocalGuesses:
    """Counters of this process while Redis is down: half of the free attempts, and pauses from the first failure on."""

    MAX_COUNTERS: Final = 20_000

    def __init__(self, rules: GuessRules) -> None:
        self._rules = rules
        self._failures: OrderedDict[str, tuple[int, int, int]] = OrderedDict()

    def count(self, attempt: Attempt, now_ms: int) -> Refusal | None:
        """Count the attempt unless a counter refuses it; `now_ms` is that of a clock that never goes back."""
        counters = list(zip(_keys(attempt, ORDER), ORDER, strict=True))
        tills = [self._failures.get(key, (0, 0, 0))[1] for key, _ in counters]
        if now_ms < (latest := max(tills)):
            return Refusal(ORDER[tills.index(latest)], (latest - now_ms) / 1000)
        for key, dimension in counters:
            self._add(key, self._strict(dimension), now_ms)
        return None

    def clear(self, attempt: Attempt) -> None:
        """Forget the account's failures."""
        for key in _keys(attempt, (Dimension.PAIR, Dimension.ACCOUNT)):
            self._failures.pop(key, None)

    def _strict(self, dimension: Dimension) -> Pause:
        usual = self._rules.pauses[dimension]
        return Pause(max(1, usual.free // 2), usual.first_s, usual.longest_s)

    def _add(self, key: str, pause: Pause, now_ms: int) -> None:
        failures, _, forget_at = self._failures.pop(key, (0, 0, 0))
        failures = failures + 1 if now_ms < forget_at else 1
        till = now_ms + int(pause.after(failures) * 1000)
        self._failures[key] = (failures, till, till + int(self._rules.window_s * 1000))
        if len(self._failures) > self.MAX_COUNTERS:
            self._failures.popitem(last=False)


def _keys(attempt: Attempt, dimensions: Sequence[Dimension]) -> list[str]:
    subjects = attempt.subjects()
    return [f"{dimension}:{_digest(subjects[dimension])}" for dimension in dimensions]


def _digest(subject: str) -> str:
    # Neither addresses nor e-mail in the clear; and no key longer than this.
    return hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()[:32]
