"""The record of an idempotency key: which request has it, until when that is believed alive, and its answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from servicekit.clock import LEASES_DIFFER_MS
from servicekit.errors import ErrorReason, Unavailable
from servicekit.once.repeating import may_repeat
from servicekit.redis import LOST
from services.gateway.admission.keys import kept_bill_key

_HERE: Final = Path(__file__).parent
_DIFFER: Final = f"local LEASES_DIFFER_MS = {LEASES_DIFFER_MS}\n"
_AWAY: Final = "It cannot be told whether this idempotency key was used before; try again shortly."


class State(StrEnum):
    """What is found under a key.

    OURS: nobody has it, or its owner died without an answer; from now on the caller has it. RUNNING: another request is
    being answered. KEPT: there is an answer. OTHER: it was used for another request.
    """

    OURS = "ours"
    RUNNING = "running"
    KEPT = "kept"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Record:
    """Names a record; `owner` is the id of the request that wants it, `fingerprint` tells requests apart."""

    user_id: str
    name: str
    fingerprint: str
    owner: str


@dataclass(frozen=True, slots=True)
class Found:
    """What was found; `owner` is the request that had the key before, "" if none had."""

    state: State
    owner: str
    answer: bytes


class IdempotencyStore:
    """Every step is atomic, and does the same when it is sent twice.

    Every step raises:
        Unavailable: Redis is away.
    """

    def __init__(self, redis: Redis, *, lease_s: float, kept_s: float) -> None:
        self._lease_ms = int(lease_s * 1000)
        self._kept_ms = int(kept_s * 1000)
        self._begin, self._renew, self._keep, self._release = (
            redis.register_script(_DIFFER + (_HERE / f"{name}.lua").read_text())
            for name in ("begin", "renew", "keep", "release")
        )

    async def begin(self, record: Record) -> Found:
        """Claim a key."""
        with _redis_errors():
            state, owner, answer = await self._begin(
                [_key(record)], [record.fingerprint, record.owner, self._lease_ms, self._kept_ms]
            )
        return Found(State(_text(state)), _text(owner), answer)

    async def renew(self, record: Record) -> bool:
        """Say that its owner is alive; False: it is no longer the owner."""
        with _redis_errors():
            return bool(await self._renew([_key(record)], [record.owner, self._lease_ms]))

    async def keep(self, record: Record, answer: bytes, bill: bytes) -> bool:
        """Keep the answer and its bill, for good; False: another request has the key."""
        keys = [_key(record), kept_bill_key(record.user_id, record.owner)]
        with _redis_errors():
            return bool(await self._keep(keys, [record.fingerprint, record.owner, answer, bill, self._kept_ms]))

    async def release(self, record: Record) -> None:
        """Forget a key without an answer: it may be used as if it had never been."""
        with _redis_errors():
            await self._release([_key(record)], [record.owner])


@contextmanager
def _redis_errors() -> Iterator[None]:
    try:
        with may_repeat():
            yield
    except LOST as exc:
        raise Unavailable(ErrorReason.CACHE_ERROR, _AWAY, retry_after_s=1.0) from exc


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _key(record: Record) -> str:
    return f"gw:{{{record.user_id}}}:idempotency:{record.name}"
