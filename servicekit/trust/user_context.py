"""The user in whose name a call is made, signed by the service that verified the credential (ADR 21).

A JWT signed with the key of that service's certificate, sent together with the certificate: a service that trusts the
authority can check both without asking anybody. Other holders of certificates can sign under their own names only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import grpc
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import verification

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, PermissionDenied, Unauthenticated
from servicekit.settings import TlsSettings
from servicekit.trust import jwt
from servicekit.trust.callers import name_of
from servicekit.trust.certificate_files import BadCertificate, CertificateFiles, Material

log = structlog.get_logger()

# Metadata: the token, a line's end, the certificate chain as PEM.
USER_CONTEXT: Final = "razvilka-user-context-bin"
SIGNER: Final = name_of("auth")
TYPE: Final = "razvilka-user+jwt"
CLAIMS: Final = frozenset({"sub", "scope", "iat"})
LIVES: Final = timedelta(seconds=60)
# A chain is a certificate, perhaps one authority between, and one of those that we believe.
CHAIN_DEPTH: Final = 2
LONGEST: Final = 12 * 1024
Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class UserContext:
    """A user, and the scopes of the credential they showed."""

    user_id: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class UserRow:
    """What a method requires: the request field that names the user, and the scope."""

    field: str
    scope: str


class ContextSigner:
    """Signs contexts with the key of this service's certificate.

    Raises:
        BadCertificate: the files cannot be used, or their key signs with no algorithm that is known here.
    """

    def __init__(self, files: CertificateFiles, audiences: tuple[str, ...], clock: Clock) -> None:
        self._files = files
        self._audiences = audiences
        self._clock = clock
        self._take(files.read())

    def sign(self, user: UserContext) -> bytes:
        """Return the context as it travels: it counts for `LIVES`."""
        self._look_at_files()
        now = self._clock.now()
        claims = {
            "iss": SIGNER,
            "aud": self._audiences,
            "sub": user.user_id,
            "scope": " ".join(sorted(user.scopes)),
            "iat": int(now.timestamp()),
            "exp": int((now + LIVES).timestamp()),
        }
        return jwt.sign(claims, self._key, typ=TYPE).encode() + b"\n" + self._chain

    def _look_at_files(self) -> None:
        changed = self._files.read_if_changed()
        if changed is not None:
            self._take(changed)

    def _take(self, material: Material) -> None:
        leaf = x509.load_pem_x509_certificate(material.certificate)
        key = load_pem_private_key(material.key, password=None)
        try:
            self._key = jwt.key_of_certificate(key, kid=_thumbprint(leaf))
        except ValueError as exc:
            raise BadCertificate(f"tls.key: {exc}") from exc
        self._chain = material.certificate


class ContextCheck:
    """Tells whether a call may be made in the name of the user that its request names.

    Args:
        tls: whom this service believes; without TLS callers are not told apart, and nothing is asked.
        service: who we are: what is signed for others only does not count.
        clock: tells the time.
    """

    def __init__(self, tls: TlsSettings, service: str, clock: Clock) -> None:
        self._files = None if tls.dir is None else CertificateFiles(tls.dir)
        self._authorities: list[x509.Certificate] = []
        self._clock = clock
        self._expected = jwt.Expected(frozenset({TYPE}), SIGNER, service, CLAIMS)

    async def check(self, request: Any, row: UserRow, context: Context) -> None:
        """Return when the call shows a context of the user that the request names, with the scope that it takes.

        Raises:
            PermissionDenied: it does not.
        """
        if self._files is None:
            return
        try:
            user = self._read(_shown(context), self._files)
        except (Unauthenticated, ValueError, verification.VerificationError) as exc:
            log.warning("user_context.refused", problem=str(exc)[:200])
            raise _denied() from exc
        if user.user_id != getattr(request, row.field) or row.scope not in user.scopes:
            raise _denied()

    def _read(self, shown: bytes, files: CertificateFiles) -> UserContext:
        if len(shown) > LONGEST:
            raise ValueError("it is too long")
        token, _, chain = shown.partition(b"\n")
        now = self._clock.now()
        leaf = self._believed(x509.load_pem_x509_certificates(chain), files, now)
        key = jwt.key_of_certificate(leaf.public_key(), kid=_thumbprint(leaf))
        claims = jwt.verify(token.decode("ascii"), {key.kid: key}, self._expected, now)
        return UserContext(str(claims["sub"]), frozenset(str(claims["scope"]).split()))

    def _believed(self, chain: list[x509.Certificate], files: CertificateFiles, now: datetime) -> x509.Certificate:
        changed = files.read_if_changed()
        if changed is not None:
            self._authorities = x509.load_pem_x509_certificates(changed.authority)
        anything = verification.ExtensionPolicy.permit_all()
        verifier = (
            verification.PolicyBuilder()
            .store(verification.Store(self._authorities))
            .time(now.astimezone(UTC).replace(tzinfo=None))
            .max_chain_depth(CHAIN_DEPTH)
            # As gRPC reads them: certificates of a small authority lack what a browser wants of a public one.
            .extension_policies(ca_policy=_authorities_only(), ee_policy=anything)
            .build_client_verifier()
        )
        names = verifier.verify(chain[0], chain[1:]).subjects or []
        if x509.DNSName(SIGNER) not in names:
            raise ValueError("it is signed by somebody else")
        return chain[0]


def _authorities_only() -> verification.ExtensionPolicy:
    return verification.ExtensionPolicy.permit_all().require_present(
        x509.BasicConstraints, verification.Criticality.AGNOSTIC, None
    )


def _thumbprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(SHA256()).hex()


def _shown(context: Context) -> bytes:
    shown = (value for name, value in context.invocation_metadata() or () if name == USER_CONTEXT)
    return next((value for value in shown if isinstance(value, bytes)), b"")


def _denied() -> PermissionDenied:
    return PermissionDenied(ErrorReason.PERMISSION_DENIED, "The call shows no context of the user it names.")
