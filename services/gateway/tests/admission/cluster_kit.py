"""Admission on a real Redis Cluster: a user and an organization whose keys are on two servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from pydantic import SecretStr

from servicekit.redis import open_redis
from servicekit.rediscluster.client import ClusterClient
from servicekit.settings import RedisSettings
from services.gateway.admission.admission import Admission, open_admission
from services.gateway.admission.caps import Budget
from services.gateway.admission.keys import budget_key, details_key
from services.gateway.admission.options import AdmissionOptions
from services.gateway.admission.periods import BudgetPeriod
from services.gateway.admission.redis.holds import Holds
from services.gateway.tests.admission_kit import PATIENT, USER, Ledger
from tools.servers.redis_cluster import RedisCluster

ORGANIZATION: Final = "organization:org-1"
OWN: Final = Budget(f"user:{USER}", BudgetPeriod.TOTAL, 10_000)
SHARED: Final = Budget(ORGANIZATION, BudgetPeriod.TOTAL, 5_000)
BOTH: Final = (OWN, SHARED)
OWN_KEY: Final = budget_key(USER, OWN.subject, BudgetPeriod.TOTAL, "UTC", 0)
SHARED_KEY: Final = budget_key(ORGANIZATION, ORGANIZATION, BudgetPeriod.TOTAL, "UTC", 0)
NOTHING: Final[dict[str, list[str]]] = {USER: [], ORGANIZATION: []}


def settings_of(cluster: RedisCluster) -> RedisSettings:
    """Return how a gateway finds it; the host in the URL is nobody's."""
    return RedisSettings(url=SecretStr("redis://nowhere.invalid:1/0"), cluster=cluster.addresses, timeout_ms=5_000)


class Room:
    """An admission and a client of the same cluster."""

    def __init__(self, client: ClusterClient, admission: Admission, ledger: Ledger) -> None:
        self.client, self.admission, self.ledger = client, admission, ledger
        self.holds = Holds(cast(Any, client))

    async def counter(self, key: str) -> tuple[int, int]:
        """Return what a counter has spent and held."""
        used, held = await self.client.hmget(key, ["u", "h"])
        return int(used or -1), int(held or -1)

    async def held(self) -> dict[str, list[Any]]:
        """Return ids of holds by owner."""
        found: dict[str, list[Any]] = {}
        for owner in (USER, ORGANIZATION):
            found[owner] = [*await self.client.hkeys(details_key(owner))]
        return found


@asynccontextmanager
async def opened(cluster: RedisCluster, options: AdmissionOptions = PATIENT) -> AsyncIterator[Room]:
    ledger = Ledger()
    async with (
        open_redis(settings_of(cluster)) as client,
        open_admission(client, ledger.spend_of, boot_id="boot", options=options) as admission,
    ):
        yield Room(cast(ClusterClient, client), admission, ledger)
