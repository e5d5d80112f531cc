"""An authority of our own and a certificate each: `python -m tools.certificates FOLDER [STORE ...] [--daily]`.

For one machine and for Compose. A cluster has cert-manager; what it must issue is in docs/operations/certificates.md.
Run again it renews what has lived half of its time; running services take the new files up by themselves. Stores
(`postgres`, `redis`) get a certificate, too, where they are named. With `--daily` it stays and looks every day.
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from servicekit.trust.callers import name_of
from servicekit.trust.certificate_files import AUTHORITY, CERTIFICATE, KEY

# The operator is no service: the tools call with this certificate.
HOLDERS: Final = ("auth", "router", "usage", "gateway", "operator")
AUTHORITY_LIVES: Final = timedelta(days=90)
CERTIFICATE_LIVES: Final = timedelta(days=30)
# Clocks differ; a certificate that begins in the future is refused.
EARLIER: Final = timedelta(minutes=5)
AUTHORITY_FOLDER: Final = "authority"
STORES: Final = ("postgres", "redis")
DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def pem(self) -> bytes:
        """Return the certificate as text."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """Return the key as text."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def is_fresh(self, now: datetime) -> bool:
        """Say whether less than half of its life is over."""
        begins, ends = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        return begins <= now < begins + (ends - begins) / 2


def ensure_certificates(folder: Path, now: datetime | None = None, *, stores: Sequence[str] = ()) -> None:
    """Make or renew the certificates of every holder and of `stores`: `folder/<holder>/{tls.crt,tls.key,ca.crt}`.

    After a change of the authority both are believed until the next renewal, so that no connection is refused
    meanwhile.
    """
    now = now or datetime.now(UTC)
    authority, believed = _ensure_authority(folder / AUTHORITY_FOLDER, now)
    for holder in (*HOLDERS, *stores):
        place = folder / holder
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Whom to believe comes first: a peer may show a certificate of the new authority at once.
        _replace(place / AUTHORITY, believed)
        held = _read(place)
        if held is None or not held.is_fresh(now) or held.certificate.issuer != authority.certificate.subject:
            _put(place, _issue(holder, authority, now))


def reissue_certificates(folder: Path, now: datetime | None = None) -> None:
    """Replace the certificate of every holder by a new one of the same authority, or of a new one where that is due."""
    now = now or datetime.now(UTC)
    authority, believed = _ensure_authority(folder / AUTHORITY_FOLDER, now)
    for holder in HOLDERS:
        place = folder / holder
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        _replace(place / AUTHORITY, believed)
        _put(place, _issue(holder, authority, now))


def _put(place: Path, made: Issued) -> None:
    _replace(place / KEY, made.key_pem)
    _replace(place / CERTIFICATE, made.pem)


def _ensure_authority(place: Path, now: datetime) -> tuple[Issued, bytes]:
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    held = _read(place)
    before = held.pem if held is not None and held.certificate.not_valid_after_utc > now else b""
    if held is not None and held.is_fresh(now):
        return held, (place / AUTHORITY).read_bytes()
    made = _self_signed(now)
    _replace(place / AUTHORITY, made.pem + before)
    _replace(place / KEY, made.key_pem)
    _replace(place / CERTIFICATE, made.pem)
    return made, made.pem + before


def _read(place: Path) -> Issued | None:
    try:
        certificate = x509.load_pem_x509_certificate((place / CERTIFICATE).read_bytes())
        key = load_pem_private_key((place / KEY).read_bytes(), password=None)
    except (OSError, ValueError):
        return None
    whole = isinstance(key, ec.EllipticCurvePrivateKey) and key.public_key() == certificate.public_key()
    return Issued(certificate, key) if whole and isinstance(key, ec.EllipticCurvePrivateKey) else None


def _self_signed(now: datetime) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    # Each authority has a name of its own, so that two that are believed at once are told apart.
    name = _name(f"Razvilka local authority {x509.random_serial_number():040x}")
    builder = _builder(name, name, key, now, AUTHORITY_LIVES)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    return Issued(builder.sign(key, SHA256()), key)


def _issue(holder: str, authority: Issued, now: datetime) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name(holder), authority.certificate.subject, key, now, CERTIFICATE_LIVES)
    names = x509.SubjectAlternativeName([x509.DNSName(name_of(holder))])
    both_ends = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = builder.add_extension(names, critical=False).add_extension(both_ends, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    return Issued(builder.sign(authority.key, SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, lives: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + lives)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _replace(file: Path, content: bytes) -> None:
    if file.exists() and file.read_bytes() == content:
        return
    draft = file.with_name(f"{file.name}.new")
    draft.touch(mode=0o600)
    draft.chmod(0o600)
    draft.write_bytes(content)
    os.replace(draft, file)


def main(arguments: Sequence[str]) -> None:
    """Make what is missing or due; with `--daily` return when asked to end."""
    parser = argparse.ArgumentParser(prog="python -m tools.certificates", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("stores", nargs="*", metavar="STORE", help=" or ".join(STORES))
    parser.add_argument("--daily", action="store_true", help="stay, and renew what is due every day")
    given = parser.parse_args(arguments)
    if unknown := sorted(set(given.stores) - set(STORES)):
        parser.error(f"{unknown[0]} is no store of ours: {' or '.join(STORES)}")
    ensure_certificates(given.folder, stores=given.stores)
    if given.daily:
        _every_day(lambda: ensure_certificates(given.folder, stores=given.stores))


def _every_day(renew: Callable[[], None]) -> None:
    """Call it once a day until the process is asked to end: as a container's first process it must listen itself."""
    ended = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: ended.set())
    while not ended.wait(DAY_S):
        renew()


if __name__ == "__main__":
    main(sys.argv[1:])
