"""TLS for one provider: which authorities are trusted there, and our client certificate."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """PEM files of a certificate of ours and its key, which may be locked by a password."""

    certificate: Path
    key: Path
    password: str = ""

    def __repr__(self) -> str:
        return f"ClientCertificate({self.certificate}, {self.key})"


def tls_for(ca_bundle: Path | None, ours: ClientCertificate | None = None) -> ssl.SSLContext | bool:
    """Return the trust for one provider's hosts: the system's authorities, those of `ca_bundle`, and who we are.

    Raises:
        OSError: a file cannot be read, or is not what it should be (ssl.SSLError is one, too).
    """
    if ca_bundle is None and ours is None:
        return True
    context = ssl.create_default_context()
    if ca_bundle is not None:
        context.load_verify_locations(cafile=str(ca_bundle))
    if ours is not None:
        # An empty password must not become a question at the terminal.
        context.load_cert_chain(ours.certificate, ours.key, password=lambda: ours.password)
    return context
