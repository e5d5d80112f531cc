"""A Redis that can be frozen, and a gateway's admission that works with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import redis.asyncio

from servicekit.clock import Clock
from servicekit.errors import Unavailable
from services.gateway.admission.admission import Admission, open_admission
from services.gateway.admission.options import AdmissionOptions
from services.gateway.admission.request import Admitted
from services.gateway.tests.admission_kit import Ledger, request

QUICK = AdmissionOptions(timeout_s=0.1, breaker_open_s=0.3, replicas=2, renew_every_s=0.2)


class HeldRedis:
    """A Redis of this test's own, that can be frozen and thawed."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self._pid = pid

    def freeze(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._pid, signal.SIGCONT)


@asynccontextmanager
async def gateway(
    url: str, ledger: Ledger | None = None, *, clock: Clock | None = None, options: AdmissionOptions = QUICK
) -> AsyncIterator[Admission]:
    async with (
        redis.asyncio.from_url(url) as client,
        open_admission(
            client, (ledger or Ledger()).spend_of, boot_id="boot", options=options, clock=clock
        ) as admission,
    ):
        yield admission


async def by_redis(admission: Admission, **changes: Any) -> Admitted:
    """Return a request that Redis admitted; a loaded machine may need more than one try."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(Unavailable):
                admitted = await admission.admit(request(**changes))
                if not admitted.degraded:
                    return admitted
                await admission.cancel(admitted.ticket)
            await asyncio.sleep(0.05)
