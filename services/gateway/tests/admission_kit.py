"""What the tests of admission and metering share: requests, limits, an opened admission."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import redis.asyncio

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing import FakeClock
from services.gateway.admission.admission import Admission, open_admission
from services.gateway.admission.caps import Budget
from services.gateway.admission.dimensions import CallerLimits, Limits
from services.gateway.admission.options import AdmissionOptions
from services.gateway.admission.periods import BudgetPeriod
from services.gateway.admission.request import AdmissionRequest
from services.gateway.edge.request_id import new_request_id
from services.gateway.tests.metering_kit import facts
from tools.testing.redis_clients import client_of

USER = "018f0000-0000-7000-8000-000000000001"
KEY = "018f0000-0000-7000-8000-000000000002"
MODEL = "yandexgpt:latest"
# A loaded test machine may take longer than production allows Redis.
PATIENT = AdmissionOptions(timeout_s=30.0, rebuild_timeout_s=30.0, replicas=1)


def request(
    *,
    user: Limits | None = None,
    key: Limits | None = None,
    model: Limits | None = None,
    budgets: tuple[Budget, ...] = (),
    tokens: int = 100,
    hold: int = 1000,
    request_id: str | None = None,
    **changes: Any,
) -> AdmissionRequest:
    """Return a request; without an id it gets a new one."""
    return AdmissionRequest(
        request_id=request_id or new_request_id(),
        user_id=USER,
        key_id=KEY,
        model=MODEL,
        estimated_tokens=tokens,
        hold_micro_rub=hold,
        facts=facts(key_id=KEY, **changes),
        limits=CallerLimits(user or Limits(), key or Limits(), model or Limits()),
        budgets=budgets,
    )


def budget(limit: int, period: BudgetPeriod = BudgetPeriod.MONTH, subject: str = f"user:{USER}") -> Budget:
    """Return a budget."""
    return Budget(subject, period, limit)


class Ledger:
    """Stands for the usage service: what each subject has spent."""

    def __init__(self, spent: int = 0) -> None:
        self.spent = spent
        self.away = False
        self.asked: list[tuple[str, str, datetime | None, datetime | None]] = []

    async def spend_of(self, user_id: str, subject: str, since: datetime | None, until: datetime | None) -> int:
        """Return what was spent; nothing in the future."""
        if since is not None and since > datetime.now(UTC):
            return 0
        self.asked.append((user_id, subject, since, until))
        if self.away:
            raise Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "away")
        return self.spent


@asynccontextmanager
async def admission_on(
    url: str,
    ledger: Ledger | None = None,
    options: AdmissionOptions = PATIENT,
    *,
    boot_id: str = "boot",
    clock: Clock | None = None,
) -> AsyncIterator[Admission]:
    """Yield an admission on a client of its own."""
    spend_of = (ledger or Ledger()).spend_of
    async with (
        client_of(url) as client,
        open_admission(client, spend_of, boot_id=boot_id, options=options, clock=clock) as admission,
    ):
        yield admission


def still_clock() -> FakeClock:
    """Return a clock that stands now: what is done every so often, or some time after a rebuild, never comes."""
    return FakeClock(datetime.now(UTC))


async def counters(client: redis.asyncio.Redis) -> dict[str, int]:
    """Return used and held of the only budget there is."""
    (name,) = await names(client, "gw:{*}:b:*")
    found = await client.hgetall(name)
    return {"used": int(found[b"u"]), "held": int(found[b"h"])}


async def leftovers(client: redis.asyncio.Redis) -> list[bytes | str]:
    """Return the keys of holds and leases: none at rest."""
    return [key for pattern in ("gw:{*}:h", "gw:{*}:d", "gw:{*}:c:*") for key in await names(client, pattern)]


async def names(client: redis.asyncio.Redis, pattern: str) -> list[bytes | str]:
    """Return the keys, of whichever server."""
    return [key async for key in client.scan_iter(match=pattern)]
