"""Puts the authorization server together."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from redis.asyncio import Redis

from servicekit.clock import Clock
from services.auth.oauth.cache.devices import DeviceCache, GuessCounter, PendingCache
from services.auth.oauth.clients import Clients
from services.auth.oauth.domain.signing_key import RotationRules
from services.auth.oauth.flows.authorization_endpoint import AuthorizationEndpoint
from services.auth.oauth.flows.client_authentication import ClientAuthenticator
from services.auth.oauth.flows.code_flow import Lives, OAuthService, OAuthStores
from services.auth.oauth.flows.device_flow import DeviceFlows, DeviceTerms
from services.auth.oauth.flows.discovery import Discovery
from services.auth.oauth.flows.machine_grants import StandingGrants
from services.auth.oauth.flows.token_endpoint import TokenEndpoint
from services.auth.oauth.grants import Grants, OAuthHousekeeping
from services.auth.oauth.rpc import OAuthServicer, OAuthUseCases
from services.auth.oauth.store.clients import ClientStore
from services.auth.oauth.store.codes import CodeStore
from services.auth.oauth.store.grants import GrantStore
from services.auth.oauth.store.refresh_tokens import RefreshStore
from services.auth.oauth.store.signing_keys import SigningKeyStore
from services.auth.oauth.tokens.inspection import Inspection, TokenReader
from services.auth.oauth.tokens.key_sealing import KeySealer
from services.auth.oauth.tokens.signing_keys import KeyRing
from services.auth.oauth.tokens.token_signing import TokenMint
from services.auth.settings import TOKEN_LEEWAY_S, AuthSettings, OAuthSettings
from services.auth.shared.domain.person import People
from services.auth.shared.domain.session import Sessions
from services.auth.shared.revocation_feed import RevocationFeed
from services.auth.shared.store.audit_log import AuditStore
from services.auth.shared.store.revocations import RevocationStore
from services.auth.shared.store.transactions import Pool


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the authorization server is given."""

    pool: Pool
    redis: Redis
    feed: RevocationFeed
    sessions: Sessions
    people: People
    clock: Clock


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """The servicer, and the jobs that must run beside it."""

    servicer: OAuthServicer
    ring: KeyRing
    housekeeping: OAuthHousekeeping


def assemble(settings: AuthSettings, around: Surroundings) -> AuthorizationServer:
    """Return the authorization server."""
    ring = _key_ring(settings, around)
    stores = OAuthStores(CodeStore(around.pool), GrantStore(around.pool), RefreshStore(around.pool))
    cases = _use_cases(settings, around, ring, stores)
    housekeeping = OAuthHousekeeping(stores.codes, stores.refresh, stores.grants, clock=around.clock)
    return AuthorizationServer(OAuthServicer(cases), ring, housekeeping)


def _use_cases(settings: AuthSettings, around: Surroundings, ring: KeyRing, stores: OAuthStores) -> OAuthUseCases:
    given, terms, clock = settings.oauth, settings.oauth.terms(), around.clock
    mint, reader = TokenMint(ring, terms), TokenReader(ring, stores.grants, terms, clock=clock)
    inspection = Inspection(reader, stores.refresh, around.people, clock=clock)
    lives = Lives(timedelta(seconds=given.code_ttl_s), given.refresh_idle, given.refresh_absolute)
    oauth = OAuthService(stores, mint, reader, around.people, around.feed, lives=lives, clock=clock, new_id=uuid.uuid4)
    clients = _clients(given, around)
    standing = StandingGrants(
        stores.grants,
        around.people,
        mint,
        legacy_secret=given.legacy_jwt_secret.get_secret_value(),
        legacy_until=given.legacy_end,
        clock=clock,
        new_id=uuid.uuid4,
    )
    devices = _devices(given, around, stores, clients, mint, lives)
    authenticator = ClientAuthenticator(clients)
    return OAuthUseCases(
        authorization=_authorization(given, around, stores, oauth, clients),
        endpoint=TokenEndpoint(oauth, clients, authenticator, devices, standing, inspection),
        inspection=inspection,
        devices=devices,
        clients=clients,
        grants=_grants(settings, around, stores, oauth),
        discovery=Discovery(ring, standing, terms, registration=given.registration_enabled),
    )


def _key_ring(settings: AuthSettings, around: Surroundings) -> KeyRing:
    given = settings.oauth
    rules = RotationRules(
        rotate=timedelta(seconds=given.signing_key_rotate_s),
        publish=timedelta(seconds=given.jwks_max_age_s),
        keep=timedelta(seconds=given.access_token_ttl_s + TOKEN_LEEWAY_S),
    )
    sealer = KeySealer(settings.signing_key_secrets())
    return KeyRing(SigningKeyStore(around.pool), sealer, rules, clock=around.clock)


def _clients(given: OAuthSettings, around: Surroundings) -> Clients:
    token = given.registration_token.get_secret_value() if given.registration_enabled else ""
    return Clients(ClientStore(around.pool), around.people, around.feed, registration_token=token, clock=around.clock)


def _authorization(
    given: OAuthSettings, around: Surroundings, stores: OAuthStores, oauth: OAuthService, clients: Clients
) -> AuthorizationEndpoint:
    return AuthorizationEndpoint(
        oauth,
        clients,
        around.sessions,
        PendingCache(around.redis, ttl_s=given.pending_ttl_s),
        stores.grants,
        AuditStore(around.pool),
        issuer=given.issuer,
        clock=around.clock,
    )


def _devices(
    given: OAuthSettings, around: Surroundings, stores: OAuthStores, clients: Clients, mint: TokenMint, lives: Lives
) -> DeviceFlows:
    terms = DeviceTerms(
        given.issuer,
        given.device_code_ttl_s,
        given.device_interval_s,
        given.device_guesses,
        given.device_guess_window_s,
    )
    return DeviceFlows(
        DeviceCache(around.redis, ttl_s=given.device_code_ttl_s),
        GuessCounter(around.redis, window_s=given.device_guess_window_s),
        stores.grants,
        AuditStore(around.pool),
        clients,
        around.sessions,
        around.people,
        mint,
        terms=terms,
        lives=lives,
        clock=around.clock,
        new_id=uuid.uuid4,
    )


def _grants(settings: AuthSettings, around: Surroundings, stores: OAuthStores, oauth: OAuthService) -> Grants:
    return Grants(
        stores.grants,
        oauth,
        around.people,
        settings.tier_limits(),
        around.feed,
        RevocationStore(around.pool),
        clock=around.clock,
    )
