"""A proof counts once, and a lost answer of Redis makes no replay of it."""

from __future__ import annotations

from servicekit.once.tests.lossy_redis import lossy_redis
from servicekit.testing.fake_clock import FakeClock
from servicekit.trust.dpop import Proof
from services.gateway.identity.used_proofs import UsedProofs


async def test_a_proof_whose_answer_got_lost_is_no_replay(redis_url: str, clock: FakeClock) -> None:
    """At another gateway it is one from then on."""
    async with lossy_redis(redis_url) as lossy:
        here, there = UsedProofs(lossy.client, clock), UsedProofs(lossy.client, clock)
        await here.use(Proof("thumbprint", "other", ""))
        await lossy.lose_next_answer()

        assert await here.use(Proof("thumbprint", "jti", ""))
        assert not await there.use(Proof("thumbprint", "jti", ""))
