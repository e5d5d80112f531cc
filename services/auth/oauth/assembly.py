"""Composition root of the authorization server."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from services.auth.oauth.cache.client_counters import ClientCounters
from services.auth.oauth.cache.device_guesses import GuessCounter
from services.auth.oauth.cache.devices import DeviceCache
from services.auth.oauth.cache.pending_requests import PendingCache
from services.auth.oauth.cache.pushed_requests import PushedRequests
from services.auth.oauth.cache.used_proofs import UsedProofs
from services.auth.oauth.client_changes import ClientChanges
from services.auth.oauth.clients import Clients
from services.auth.oauth.domain.device import DeviceTerms
from services.auth.oauth.domain.grant import Lives
from services.auth.oauth.domain.signing_key import RotationRules
from services.auth.oauth.flows.authorization_endpoint import AuthorizationEndpoint
from services.auth.oauth.flows.client_authentication import ClientAuthenticator
from services.auth.oauth.flows.client_limit import ClientLimit
from services.auth.oauth.flows.code_flow import OAuthService
from services.auth.oauth.flows.device_flow import DeviceFlows
from services.auth.oauth.flows.discovery import Discovery
from services.auth.oauth.flows.machine_grants import LegacyTerms, MachineGrants
from services.auth.oauth.flows.proof_check import ProofChecker
from services.auth.oauth.flows.pushed_authorization import PushedAuthorization
from services.auth.oauth.flows.token_endpoint import TokenEndpoint
from services.auth.oauth.grants import Grants
from services.auth.oauth.housekeeping import OAuthHousekeeping
from services.auth.oauth.rpc import OAuthServicer, OAuthUseCases
from services.auth.oauth.settings import TOKEN_LEEWAY_S, OAuthSettings
from services.auth.oauth.store.clients import ClientStore
from services.auth.oauth.store.codes import CodeStore
from services.auth.oauth.store.grants import GrantStore
from services.auth.oauth.store.refresh_tokens import RefreshStore
from services.auth.oauth.store.signing_keys import SigningKeyStore
from services.auth.oauth.tokens.dpop_nonces import NonceSource
from services.auth.oauth.tokens.inspection import Inspection, TokenReader
from services.auth.oauth.tokens.key_sealing import KeySealer
from services.auth.oauth.tokens.signing_keys import KeyRing
from services.auth.oauth.tokens.token_signing import TokenSigner
from services.auth.shared.dependencies import Dependencies
from services.auth.shared.domain.session import Sessions
from services.auth.shared.domain.tier import Tier, TierLimits
from services.auth.shared.in_person import InPerson
from services.auth.shared.store.accounts import AccountStore
from services.auth.shared.store.caps import CapStore
from services.auth.shared.store.model_names import ModelNameStore
from services.auth.shared.store.revocations import RevocationStore


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """The servicer, the reader of access tokens, and the background jobs."""

    servicer: OAuthServicer
    reader: TokenReader
    ring: KeyRing
    housekeeping: OAuthHousekeeping


@dataclass(frozen=True, slots=True)
class _Parts:
    """What several use cases share."""

    settings: OAuthSettings
    given: Dependencies
    sessions: Sessions
    accounts: AccountStore
    grants: GrantStore
    refresh: RefreshStore
    clients: Clients
    ring: KeyRing
    token_signer: TokenSigner
    lives: Lives
    proofs: ProofChecker
    pushed: PushedRequests


def assemble_oauth(
    settings: OAuthSettings,
    signing_secrets: Sequence[str],
    limits: Mapping[Tier, TierLimits],
    given: Dependencies,
    sessions: Sessions,
) -> AuthorizationServer:
    """Return the authorization server."""
    parts = _parts(settings, signing_secrets, given, sessions)
    clients = ClientStore(given.pool)
    housekeeping = OAuthHousekeeping(CodeStore(given.pool), parts.refresh, parts.grants, clients, clock=given.clock)
    reader = TokenReader(parts.ring, parts.grants, parts.accounts, settings.terms(), clock=given.clock)
    servicer = OAuthServicer(_use_cases(parts, limits, reader))
    return AuthorizationServer(servicer, reader, parts.ring, housekeeping)


def _parts(settings: OAuthSettings, signing_secrets: Sequence[str], given: Dependencies, sessions: Sessions) -> _Parts:
    accounts, ring = AccountStore(given.pool), _key_ring(settings, signing_secrets, given)
    return _Parts(
        settings=settings,
        given=given,
        sessions=sessions,
        accounts=accounts,
        grants=GrantStore(given.pool),
        refresh=RefreshStore(given.pool),
        clients=_clients(settings, given, accounts, sessions),
        ring=ring,
        token_signer=TokenSigner(ring, settings.terms()),
        lives=_lives(settings),
        proofs=_proofs(settings, signing_secrets, given),
        pushed=PushedRequests(given.redis, ttl_s=settings.pushed_ttl_s),
    )


def _lives(settings: OAuthSettings) -> Lives:
    return Lives(
        code=timedelta(seconds=settings.code_ttl_s),
        refresh_idle=settings.refresh_idle,
        grant=settings.refresh_absolute,
        refresh_grace=settings.refresh_grace,
    )


def _proofs(settings: OAuthSettings, signing_secrets: Sequence[str], given: Dependencies) -> ProofChecker:
    return ProofChecker(
        UsedProofs(given.redis),
        NonceSource(signing_secrets[0], given.clock),
        issuer=settings.issuer,
        nonce_required=settings.dpop_nonce_required,
        clock=given.clock,
    )


def _use_cases(parts: _Parts, limits: Mapping[Tier, TierLimits], reader: TokenReader) -> OAuthUseCases:
    settings, given, terms = parts.settings, parts.given, parts.settings.terms()
    inspection = Inspection(reader, parts.refresh, parts.accounts, clock=given.clock)
    oauth = _code_flow(parts, reader)
    limit = _client_limit(parts)
    machine_grants, devices = _machine_grants(parts, limit), _devices(parts)
    authenticator = ClientAuthenticator(parts.clients, limit)
    revocations = RevocationStore(given.pool)
    return OAuthUseCases(
        authorization=_authorization(parts, oauth),
        endpoint=TokenEndpoint(oauth, authenticator, devices, machine_grants, inspection, parts.proofs),
        inspection=inspection,
        devices=devices,
        clients=parts.clients,
        client_changes=ClientChanges(given.units, InPerson(parts.sessions, clock=given.clock)),
        grants=Grants(
            parts.grants,
            parts.accounts,
            limits,
            given.units,
            revocations,
            ModelNameStore(given.pool),
            CapStore(given.pool),
            clock=given.clock,
        ),
        proofs=parts.proofs,
        pushed=_pushed(parts, authenticator),
        ring=parts.ring,
        discovery=Discovery(parts.ring, machine_grants, terms, given.clock, registration=settings.registration_enabled),
    )


def _key_ring(settings: OAuthSettings, signing_secrets: Sequence[str], given: Dependencies) -> KeyRing:
    rules = RotationRules(
        rotate=timedelta(seconds=settings.signing_key_rotate_s),
        publish=timedelta(seconds=settings.jwks_max_age_s),
        keep=timedelta(seconds=settings.access_token_ttl_s + TOKEN_LEEWAY_S),
    )
    return KeyRing(SigningKeyStore(given.pool), given.units, KeySealer(signing_secrets), rules, clock=given.clock)


def _clients(settings: OAuthSettings, given: Dependencies, accounts: AccountStore, sessions: Sessions) -> Clients:
    token = settings.registration_token.get_secret_value() if settings.registration_enabled else ""
    in_person = InPerson(sessions, clock=given.clock)
    store = ClientStore(given.pool)
    return Clients(
        store, accounts, given.units, in_person, bounds=given.bounds, registration_token=token, clock=given.clock
    )


def _code_flow(parts: _Parts, reader: TokenReader) -> OAuthService:
    return OAuthService(
        parts.refresh,
        parts.token_signer,
        reader,
        parts.accounts,
        parts.given.units,
        lives=parts.lives,
        clock=parts.given.clock,
        new_id=uuid.uuid4,
    )


def _pushed(parts: _Parts, authenticator: ClientAuthenticator) -> PushedAuthorization:
    issuer, clock = parts.settings.issuer, parts.given.clock
    return PushedAuthorization(authenticator, parts.proofs, parts.pushed, issuer=issuer, clock=clock)


def _client_limit(parts: _Parts) -> ClientLimit:
    settings = parts.settings
    return ClientLimit(
        ClientCounters(parts.given.redis),
        per_minute=settings.client_requests_per_minute,
        exchanges_per_minute=settings.legacy_jwt_per_minute,
        clock=parts.given.clock,
    )


def _authorization(parts: _Parts, oauth: OAuthService) -> AuthorizationEndpoint:
    settings, given = parts.settings, parts.given
    return AuthorizationEndpoint(
        oauth,
        parts.clients,
        parts.sessions,
        PendingCache(given.redis, ttl_s=settings.pending_ttl_s),
        parts.pushed,
        parts.grants,
        given.units,
        bounds=given.bounds,
        issuer=settings.issuer,
        clock=given.clock,
    )


def _machine_grants(parts: _Parts, limit: ClientLimit) -> MachineGrants:
    settings = parts.settings
    secret = settings.legacy_jwt_secret.get_secret_value()
    return MachineGrants(
        parts.grants,
        parts.given.units,
        parts.accounts,
        parts.token_signer,
        limit,
        legacy=LegacyTerms(secret, settings.legacy_jwt_issuer, settings.legacy_end),
        clock=parts.given.clock,
        new_id=uuid.uuid4,
    )


def _devices(parts: _Parts) -> DeviceFlows:
    settings, given = parts.settings, parts.given
    terms = DeviceTerms(
        settings.issuer,
        settings.device_code_ttl_s,
        settings.device_interval_s,
        settings.device_guesses,
    )
    return DeviceFlows(
        DeviceCache(given.redis, ttl_s=settings.device_code_ttl_s),
        parts.grants,
        GuessCounter(given.redis, window_s=settings.device_guess_window_s),
        given.units,
        parts.clients,
        parts.sessions,
        parts.accounts,
        parts.token_signer,
        bounds=given.bounds,
        terms=terms,
        lives=parts.lives,
        clock=given.clock,
        new_id=uuid.uuid4,
    )
