"""Puts together what tells who calls."""

from __future__ import annotations

from dataclasses import dataclass

from redis.asyncio import Redis

from servicekit.clock import Clock
from services.gateway.clients.auth import AuthClient
from services.gateway.clients.oauth import OAuthClient
from services.gateway.identity.access_tokens import AccessTokenVerifier
from services.gateway.identity.address_limit import OAuthLimit
from services.gateway.identity.authentication import Authenticator
from services.gateway.identity.key_cache import KeyCache
from services.gateway.identity.key_sets import KeySet
from services.gateway.identity.metrics import GRANT_OUTCOMES
from services.gateway.identity.possession import PossessionCheck
from services.gateway.identity.refusals import Refusals
from services.gateway.identity.revocations import RevocationEffects, RevocationListener, RevocationPoller
from services.gateway.identity.revoked import Revoked
from services.gateway.identity.used_proofs import UsedProofs
from services.gateway.settings import GatewaySettings


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls, and how it is heard that somebody may not any more."""

    authenticator: Authenticator
    possession: PossessionCheck
    key_set: KeySet
    limit: OAuthLimit
    refusals: Refusals
    keys: KeyCache
    grants: KeyCache
    listener: RevocationListener
    poller: RevocationPoller


def assemble_identity(
    settings: GatewaySettings, redis: Redis, auth: AuthClient, oauth: OAuthClient, clock: Clock
) -> Identity:
    """Return what tells who calls; its key set, listener and poller must be run."""
    fresh_s, stale_s = settings.key_cache_s, settings.key_stale_s
    keys = KeyCache(clock, fresh_s=fresh_s, stale_s=stale_s)
    grants = KeyCache(clock, fresh_s=fresh_s, stale_s=stale_s, outcomes=GRANT_OUTCOMES)
    revoked = Revoked(clock)
    key_set = KeySet(oauth.get_keys, clock, max_age_s=settings.jwks_max_age_s)
    tokens = AccessTokenVerifier(key_set, oauth.get_grant, grants, revoked, clock)
    bound = AccessTokenVerifier(key_set, oauth.get_grant, grants, revoked, clock, bound=True)
    possession = PossessionCheck(bound, key_set, UsedProofs(redis, clock), clock)
    effects = RevocationEffects(keys, grants, revoked, clock)
    return Identity(
        Authenticator(auth.verify_api_key, keys, tokens, possession, trusted=settings.trusted_networks),
        possession,
        key_set,
        OAuthLimit(redis, clock, per_minute=settings.oauth.requests_per_minute, trusted=settings.trusted_networks),
        Refusals(redis, clock, settings.trusted_networks),
        keys,
        grants,
        RevocationListener(redis, effects, clock),
        RevocationPoller(redis, oauth.list_revocations, effects, clock),
    )
