"""What telling who calls costs, in CPU time of the gateway's own code: cached and cold, access token and API key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from servicekit.call import CallContext
from servicekit.clock import SystemClock
from servicekit.tracing import begin_trace
from servicekit.trust import jwt
from services.gateway.clients.caller import Caller
from services.gateway.clients.oauth_views import IssuerKeys
from services.gateway.identity.access_tokens import AccessTokenVerifier
from services.gateway.identity.key_cache import KeyCache
from services.gateway.identity.key_sets import KeySet
from services.gateway.identity.revoked import Revoked

ISSUER: Final = "https://api.example.com"
COLD: Final = 2_000
CACHED: Final = 50_000
ROUNDS: Final = 5
# What the design promises, in milliseconds.
CACHED_BUDGET_MS: Final = 0.05
COLD_BUDGET_MS: Final = 0.2
SCOPES: Final = frozenset({"models:read", "completions:write", "embeddings:write", "usage:read"})
CALL: Final = CallContext("bench", begin_trace(None))


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of CPU for one verification: the best of some rounds, so that neighbours do not count."""

    name: str
    cached_ms: float
    cold_ms: float

    @property
    def is_within_budget(self) -> bool:
        """Tell whether both are what the design promises."""
        return self.cached_ms <= CACHED_BUDGET_MS and self.cold_ms <= COLD_BUDGET_MS


async def measure() -> list[Cost]:
    """Return the cost of both kinds of credential. Answers of auth are immediate: its own cost is its own."""
    return [await _tokens(), await _keys()]


def table(costs: list[Cost]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [
        "",
        f"**Verification, CPU ms each; budget {CACHED_BUDGET_MS} cached, {COLD_BUDGET_MS} cold**",
        "",
        "| credential | cached | cold | within budget |",
        "|---|---|---|---|",
    ]
    for cost in costs:
        verdict = "yes" if cost.is_within_budget else "**no**"
        lines.append(f"| {cost.name} | {cost.cached_ms:.4f} | {cost.cold_ms:.4f} | {verdict} |")
    return lines


async def _tokens() -> Cost:
    clock = SystemClock()
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = jwt.private_key(pem.decode(), kid="k1", algorithm="RS256")
    tokens = [_token(key, number).encode() for number in range(COLD)]

    async def fetch() -> IssuerKeys:
        jwks = msgspec.json.encode({"keys": [jwt.public_member(key)]}).decode()
        return IssuerKeys(jwks, ISSUER, ISSUER, ("RS256",), "{}")

    async def get_grant(grant_id: str, user_id: str, call: CallContext) -> Caller:
        return Caller(user_id, "", "", "pro", SCOPES, grant_id=grant_id)

    key_set = KeySet(fetch, clock, max_age_s=3600)
    await key_set.published()

    def verifier() -> AccessTokenVerifier:
        return AccessTokenVerifier(key_set, get_grant, KeyCache(clock, fresh_s=3600, stale_s=0), Revoked(clock), clock)

    warm = verifier()
    cached = await _best(CACHED, lambda number: warm.caller(tokens[0], CALL))
    cold = min([await _once(COLD, _each(verifier(), tokens)) for _ in range(ROUNDS)])
    return Cost("access token (RS256, 2048 bits)", cached, cold)


def _each(verifier: AccessTokenVerifier, tokens: list[bytes]) -> Callable[[int], Awaitable[object]]:
    return lambda number: verifier.caller(tokens[number], CALL)


def _token(key: jwt.Key, number: int) -> str:
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": ISSUER,
        "sub": "0192f0c1-0000-7000-8000-000000000000",
        "client_id": "rz_app_3616066ec219c08c25d6f693",
        "scope": " ".join(sorted(SCOPES)),
        "jti": f"0192f0c1-0000-7000-8000-{number:012d}",
        "gid": f"0192f0c2-0000-7000-8000-{number:012d}",
        "sid": "0192f0c3-0000-7000-8000-000000000000",
        "tier": "pro",
        "iat": now,
        "exp": now + 900,
    }
    return jwt.sign(claims, key, typ="at+jwt")


async def _keys() -> Cost:
    clock = SystemClock()
    keys = [f"rz_live_{number:048d}".encode() for number in range(COLD)]
    caller = Caller("0192f0c1-0000-7000-8000-000000000000", "key-1", "bench", "pro", SCOPES)

    async def verify() -> Caller:
        return caller

    def asking(cache: KeyCache, key: bytes) -> Awaitable[object]:
        return cache.get(cache.digest(key), verify)

    warm = KeyCache(clock, fresh_s=3600, stale_s=0)
    cached = await _best(CACHED, lambda number: asking(warm, keys[0]))
    rounds = []
    for _ in range(ROUNDS):
        cache = KeyCache(clock, fresh_s=3600, stale_s=0)
        rounds.append(await _once(COLD, lambda number, cache=cache: asking(cache, keys[number])))  # type: ignore[misc]
    return Cost("API key (without auth's own share)", cached, min(rounds))


async def _best(count: int, ask: Callable[[int], Awaitable[object]]) -> float:
    await ask(0)
    return min([await _once(count, ask) for _ in range(ROUNDS)])


async def _once(count: int, ask: Callable[[int], Awaitable[object]]) -> float:
    started = time.process_time()
    for number in range(count):
        await ask(number)
    return (time.process_time() - started) * 1000 / count


if __name__ == "__main__":
    print("\n".join(table(asyncio.run(measure()))))
