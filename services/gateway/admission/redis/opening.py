"""What runs scripts, for the kind of Redis that a client is of."""

from __future__ import annotations

from redis.asyncio import Redis

from servicekit.clock import Clock
from servicekit.lifecycle import Background
from servicekit.rediscluster.client import ClusterClient
from services.gateway.admission.degraded.breaker import Breaker
from services.gateway.admission.degraded.redis_time import RedisTime
from services.gateway.admission.options import AdmissionOptions
from services.gateway.admission.redis.cluster_runner import ClusterRunner
from services.gateway.admission.redis.running import RunsScripts
from services.gateway.admission.redis.script_runner import ScriptRunner


def open_runner(client: Redis, clock: Clock, owner: Background, options: AdmissionOptions) -> RunsScripts:
    """Return what runs scripts there once it serves; `owner` keeps its connections to the servers of a cluster."""

    def new_breaker() -> Breaker:
        return Breaker(
            clock,
            max_failures=options.breaker_failures,
            max_failing_s=options.breaker_failing_s,
            open_s=options.breaker_open_s,
        )

    if isinstance(client, ClusterClient):
        return ClusterRunner(client, new_breaker, clock, owner, timeout_s=options.timeout_s)
    new_connection = client.connection_pool.make_connection
    return ScriptRunner(new_connection, new_breaker(), RedisTime(clock), timeout_s=options.timeout_s)
