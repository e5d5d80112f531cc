"""The keys that sign tokens: created, published, used and deleted on one schedule by all replicas."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, Unauthenticated, Unavailable
from servicekit.trust import jwt
from services.auth.oauth import metrics
from services.auth.oauth.audit_events import audit_event
from services.auth.oauth.domain.metadata import SIGNING_ALGORITHM
from services.auth.oauth.domain.signing_key import RotationRules, StoredKey, next_start, over, signer_at, waiting_at
from services.auth.oauth.store.signing_keys import SigningKeyStore, insert_key, read_keys_alone
from services.auth.oauth.tokens.key_sealing import KeySealer
from services.auth.shared.domain.audit import SYSTEM, AuditAction
from services.auth.shared.store.unit_of_work import UnitOfWork, UnitsOfWork

log = structlog.get_logger()

RSA_BITS: Final = 2048
# The actor of what a person with an operator's certificate asked for.
OPERATOR: Final = "operator"
# Another replica's new key is seen this much later; it is published for much longer before it signs.
RELOAD_S: Final = 30.0


class KeyRing:
    """Signing keys, cached for half a minute."""

    def __init__(
        self, store: SigningKeyStore, units: UnitsOfWork, sealer: KeySealer, rules: RotationRules, *, clock: Clock
    ) -> None:
        self._store = store
        self._units = units
        self._sealer = sealer
        self._rules = rules
        self._clock = clock
        self._stored: list[StoredKey] = []
        self._private: dict[str, jwt.Key] = {}
        self._public: dict[str, jwt.Key] = {}
        self._loaded_at: float | None = None

    async def signer(self) -> jwt.Key:
        """Return the key that signs now; the very first one is made here.

        Raises:
            Unavailable: the keys cannot be read now.
        """
        await self._refresh()
        found = self._signer()
        if found is None:
            await self.rotate()
            found = self._signer()
        if found is None:
            raise Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "No signing key is ready. Try again.", retry_after_s=1.0)
        return found

    async def verify(self, token: str, expected: jwt.Expected) -> dict[str, Any]:
        """Return the claims of one of our tokens.

        Raises:
            Unauthenticated: it is not what is expected.
        """
        await self._refresh()
        try:
            return jwt.verify(token, self._public, expected, self._clock.now())
        except Unauthenticated as exc:
            if exc.reason is ErrorReason.TOKEN_EXPIRED or not self._may_have_missed_a_key():
                raise
        await self._load()
        return jwt.verify(token, self._public, expected, self._clock.now())

    def _may_have_missed_a_key(self) -> bool:
        # At most one look a second, however many wrong tokens come.
        return self._loaded_at is None or self._clock.monotonic() - self._loaded_at >= 1.0

    async def published(self) -> list[Mapping[str, str]]:
        """Return the public keys, as members of a JWK set."""
        await self.signer()
        return [key.public_jwk for key in self._stored]

    async def rotate(self) -> None:
        """Make the next key when it is due, and delete those of which no token can be valid any more."""
        await self._units.run(self._add_due)
        await self._load()
        dead = over(self._stored, self._rules, self._clock.now())
        if dead:
            await self._store.delete([key.kid for key in dead])
            await self._load()

    async def _add_due(self, unit: UnitOfWork) -> None:
        now, keys = self._clock.now(), await read_keys_alone(unit.connection)
        # A key that we cannot open will never sign; if there is no other, a new one has to at once.
        signs_from = next_start([key for key in keys if self._opened(key) is not None], self._rules, now)
        if signs_from is not None:
            await self._add(unit, (now, signs_from), SYSTEM)

    async def make_next(self) -> StoredKey:
        """Make the key that signs next, before its time; return the one that waits already, if there is one.

        Raises:
            Unavailable: the keys cannot be read now.
        """
        await self.signer()
        key = await self._units.run(self._add_next)
        await self._load()
        return key

    async def _add_next(self, unit: UnitOfWork) -> StoredKey:
        now, keys = self._clock.now(), await read_keys_alone(unit.connection)
        waiting = waiting_at([key for key in keys if self._opened(key) is not None], now)
        return waiting or await self._add(unit, (now, now + self._rules.publish), OPERATOR)

    async def _add(self, unit: UnitOfWork, times: tuple[datetime, datetime], actor: str) -> StoredKey:
        now, signs_from = times
        key = await asyncio.to_thread(self._generate, now, signs_from)
        await insert_key(unit.connection, key)
        log.info("auth.signing_key_created", kid=key.kid, signs_from=signs_from.isoformat())
        unit.record(audit_event(AuditAction.SIGNING_KEY_CREATED, now, actor=actor, subject=f"signing_key:{key.kid}"))
        return key

    def _generate(self, now: datetime, signs_from: datetime) -> StoredKey:
        kid = secrets.token_urlsafe(9)
        private = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
        der = private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = jwt.public_member(_key_of(kid, der))
        return StoredKey(kid, public, self._sealer.seal(kid, der), now, signs_from)

    async def _refresh(self) -> None:
        if self._loaded_at is None or self._clock.monotonic() - self._loaded_at >= RELOAD_S:
            await self._load()

    async def _load(self) -> None:
        stored = await self._store.read()
        self._private = {key.kid: opened for key in stored if (opened := self._opened(key)) is not None}
        self._public = {key.kid: self._public.get(key.kid) or jwt.public_key(key.public_jwk) for key in stored}
        self._stored = stored
        self._loaded_at = self._clock.monotonic()
        self._report()

    def _opened(self, key: StoredKey) -> jwt.Key | None:
        known = self._private.get(key.kid)
        if known is not None:
            return known
        der = self._sealer.open(key.kid, key.sealed)
        if der is None:
            log.error("auth.signing_key_sealed", kid=key.kid)
            return None
        return _key_of(key.kid, der)

    def _signer(self) -> jwt.Key | None:
        chosen = signer_at([key for key in self._stored if key.kid in self._private], self._clock.now())
        return None if chosen is None else self._private[chosen.kid]

    def _report(self) -> None:
        now = self._clock.now()
        chosen = signer_at(self._stored, now)
        metrics.JWKS_KEYS.set(len(self._stored))
        if chosen is not None:
            metrics.JWKS_AGE.set((now - chosen.signs_from).total_seconds())


def _key_of(kid: str, der: bytes) -> jwt.Key:
    # Checking the primes takes 70 ms of the event loop. AES-GCM vouches that the key is as we made it.
    private = serialization.load_der_private_key(der, password=None, unsafe_skip_rsa_key_validation=True)
    assert isinstance(private, rsa.RSAPrivateKey)
    return jwt.private_key(private, kid=kid, algorithm=SIGNING_ALGORITHM)
