"""A service's certificate, key and authority, as files that may be replaced while the service runs.

The names are those of a Kubernetes TLS secret, which cert-manager fills: `tls.crt`, `tls.key`, `ca.crt`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from prometheus_client import Gauge

log = structlog.get_logger()

CERTIFICATE: Final = "tls.crt"
KEY: Final = "tls.key"
AUTHORITY: Final = "ca.crt"
NAMES: Final = (CERTIFICATE, KEY, AUTHORITY)
EXPIRES = Gauge("razvilka_tls_certificate_expires_seconds", "Unix time at which this service's certificate expires.")

Stamp = tuple[tuple[int, int], ...]


class BadCertificate(Exception):
    """The files do not belong together, or one is missing; the message says which."""


@dataclass(frozen=True, slots=True)
class Material:
    """What TLS needs, as PEM: our chain and key, and the authorities that we believe."""

    certificate: bytes
    key: bytes = field(repr=False)
    authority: bytes


class CertificateFiles:
    """The three files of one service; read again when one of them has changed."""

    def __init__(self, directory: Path) -> None:
        """Read nothing yet."""
        self._directory = directory
        self._stamp: Stamp = ()

    def read(self) -> Material:
        """Return what the files hold now.

        Raises:
            BadCertificate: a file is missing or unreadable, or the key is another certificate's.
        """
        stamp = self._stamped()
        material = Material(*(self._bytes(name) for name in NAMES))
        EXPIRES.set(_check(material, self._directory))
        self._stamp = stamp
        return material

    def read_if_changed(self) -> Material | None:
        """Return what the files hold when they are not those read last; None when they are, or are half replaced."""
        try:
            if self._stamped() == self._stamp:
                return None
            return self.read()
        except BadCertificate as exc:
            # Whoever replaces them writes one after the other: the next look finds them whole.
            log.warning("tls.files_not_whole", problem=str(exc))
            return None

    def _stamped(self) -> Stamp:
        try:
            stats = [(self._directory / name).stat() for name in NAMES]
        except OSError as exc:
            raise BadCertificate(f"{exc.filename}: {exc.strerror}") from exc
        return tuple((each.st_mtime_ns, each.st_ino) for each in stats)

    def _bytes(self, name: str) -> bytes:
        try:
            return (self._directory / name).read_bytes()
        except OSError as exc:
            raise BadCertificate(f"{exc.filename}: {exc.strerror}") from exc


def _check(material: Material, directory: Path) -> float:
    """Return the Unix time at which the certificate ends."""
    try:
        certificate = x509.load_pem_x509_certificate(material.certificate)
        key = load_pem_private_key(material.key, password=None)
        x509.load_pem_x509_certificates(material.authority)
    except (ValueError, TypeError) as exc:
        raise BadCertificate(f"{directory}: a file is not PEM: {exc}") from exc
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if certificate.public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
        raise BadCertificate(f"{directory}: {KEY} is not the key of {CERTIFICATE}")
    return certificate.not_valid_after_utc.timestamp()
