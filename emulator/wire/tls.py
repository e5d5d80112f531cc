"""A certificate authority of the emulator's own, made at start, so that custom trust is tested for real."""

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CLIENT = "emulator-client"
_LIFE = datetime.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """Where the PEM files lie."""

    ca: Path
    chain: Path
    key: Path
    client: Path
    client_key: Path


def make_certificates(directory: Path, host: str) -> CertificateFiles:
    """Write a new CA, and certificates signed by it: one of a server for the host, one of a client."""
    directory.mkdir(parents=True, exist_ok=True)
    names = ("ca.pem", "server.pem", "server-key.pem", "client.pem", "client-key.pem")
    files = CertificateFiles(*(directory / name for name in names))
    ca_key, ca_name = ec.generate_private_key(ec.SECP256R1()), _name("Emulator Test Root CA")
    ca = _builder(ca_name, ca_name, ca_key.public_key())
    ca = ca.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ca_certificate = ca.add_extension(_key_usage(signs_certificates=True), critical=True).sign(ca_key, hashes.SHA256())
    files.ca.write_bytes(ca_certificate.public_bytes(serialization.Encoding.PEM))
    _write_leaf(host, ca_key, ca_name, files.chain, files.key)
    _write_leaf(CLIENT, ca_key, ca_name, files.client, files.client_key)
    return files


def _write_leaf(
    host: str, ca_key: ec.EllipticCurvePrivateKey, ca_name: x509.Name, certificate_file: Path, key_file: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = _builder(_name(host), ca_name, key.public_key())
    leaf = leaf.add_extension(x509.SubjectAlternativeName(_alternative_names(host)), critical=False)
    leaf = leaf.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    leaf = leaf.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    certificate = leaf.add_extension(_key_usage(signs_certificates=False), critical=True).sign(ca_key, hashes.SHA256())
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.touch(mode=0o600)
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


def server_context(files: CertificateFiles) -> ssl.SSLContext:
    """Return the context of the https listeners: who has a certificate of the CA may show it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.chain, files.key)
    context.load_verify_locations(files.ca)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=5)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    return builder.not_valid_after(start + _LIFE)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=signs_certificates, crl_sign=signs_certificates,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _alternative_names(host: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    try:
        names.append(x509.IPAddress(ipaddress.ip_address(host)))
    except ValueError:
        names.append(x509.DNSName(host))
    return names
