"""What is kept of answers, assembled: settings and Redis -> the parts that keep them."""

from __future__ import annotations

from dataclasses import dataclass

from redis.asyncio import Redis

from servicekit.clock import Clock
from services.gateway.admission.redis.counts import RedisCounts
from services.gateway.admission.redis.explanations import RedisExplanations
from services.gateway.clients.kept.answer_cache import RedisAnswerCache
from services.gateway.clients.kept.idempotency import IdempotencyStore
from services.gateway.clients.kept.probe_results import ProbeResults
from services.gateway.clients.kept.response_store import RedisResponseStore
from services.gateway.inference.caching.answer_cache import AnswerCache
from services.gateway.inference.keeping.idempotency import Idempotency
from services.gateway.inference.paid_call import PaidCalls
from services.gateway.inference.responses.kept import KeptResponses
from services.gateway.settings import GatewaySettings


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept: for a next turn, a retry, the same question, for who asks what became of one; counts; probes."""

    responses: KeptResponses
    idempotency: Idempotency
    cache: AnswerCache
    explanations: RedisExplanations
    counts: RedisCounts
    probes: ProbeResults


def assemble_kept(settings: GatewaySettings, redis: Redis, patient: Redis, paid_calls: PaidCalls, clock: Clock) -> Kept:
    """Return all of it; `patient` is for what would have to refuse a request without Redis."""
    given = settings.idempotency
    return Kept(
        KeptResponses(RedisResponseStore(patient, ttl_s=settings.responses_kept_s)),
        Idempotency(
            IdempotencyStore(patient, lease_s=given.lease_s, kept_s=given.kept_s),
            settings,
            clock=clock,
            tasks=paid_calls.tasks,
            cancellations=paid_calls.cancellations,
        ),
        AnswerCache(RedisAnswerCache(redis), price_percent=settings.cache.price_percent),
        RedisExplanations(redis),
        RedisCounts(redis),
        ProbeResults(redis, clock, every_s=settings.probes.every_s),
    )
