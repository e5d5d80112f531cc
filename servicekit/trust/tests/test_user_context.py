"""In whose name a call is made: only auth's certificate can say so, and only for a minute."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from servicekit.errors import PermissionDenied
from servicekit.settings import TlsSettings
from servicekit.testing import FakeClock
from servicekit.trust import jwt
from servicekit.trust.callers import name_of
from servicekit.trust.certificate_files import BadCertificate, CertificateFiles
from servicekit.trust.in_their_name import InTheirName
from servicekit.trust.user_context import TYPE, USER_CONTEXT, ContextCheck, ContextSigner, UserContext, UserRow
from tools.certificates import ensure_certificates, reissue_certificates

ROW: Final = UserRow("user_id", "usage:read")
ANNA: Final = UserContext("anna", frozenset({"usage:read", "models:read"}))
NOW: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that names a user, and the call that it came by."""

    user_id: str
    shown: bytes = b""

    def invocation_metadata(self) -> tuple[tuple[str, bytes], ...]:
        return ((USER_CONTEXT, self.shown),)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOW)


@pytest.fixture
def tls(tmp_path: Path) -> Path:
    """Return the certificates of a suite."""
    ensure_certificates(tmp_path / "tls", NOW)
    return tmp_path / "tls"


def signer(folder: Path, clock: FakeClock, *audiences: str) -> ContextSigner:
    return ContextSigner(CertificateFiles(folder), audiences or ("router", "usage"), clock)


def check_of(tls: Path, clock: FakeClock) -> ContextCheck:
    return ContextCheck(TlsSettings(dir=tls / "usage"), "usage", clock)


async def is_let_in(check: ContextCheck, shown: bytes, user_id: str = "anna", row: UserRow = ROW) -> bool:
    asked: Any = Asked(user_id, shown)
    try:
        await check.check(asked, row, asked)
    except PermissionDenied:
        return False
    return True


async def test_a_context_opens_what_is_its_users(tls: Path, clock: FakeClock) -> None:
    """No more and no less: another's name and a scope that it lacks are refused."""
    check, shown = check_of(tls, clock), signer(tls / "auth", clock).sign(ANNA)

    assert await is_let_in(check, shown)
    assert not await is_let_in(check, shown, "boris")
    assert not await is_let_in(check, shown, row=UserRow("user_id", "usage:write"))


async def test_a_context_ends_after_a_minute(tls: Path, clock: FakeClock) -> None:
    """And whatever clocks may differ by."""
    check, shown = check_of(tls, clock), signer(tls / "auth", clock).sign(ANNA)
    clock.advance(59)
    in_time = await is_let_in(check, shown)

    clock.advance(32)

    assert (in_time, await is_let_in(check, shown)) == (True, False)


async def test_what_is_signed_for_others_does_not_count(tls: Path, clock: FakeClock) -> None:
    """A service cannot be shown what another was given."""
    shown = signer(tls / "auth", clock, "router").sign(ANNA)

    assert not await is_let_in(check_of(tls, clock), shown)


@pytest.mark.parametrize("holder", ["gateway", "router", "usage", "operator"])
async def test_nobody_else_can_sign_one(tls: Path, clock: FakeClock, holder: str) -> None:
    """A stolen gateway holds a certificate that is believed, but in its own name."""
    shown = signer(tls / holder, clock).sign(ANNA)
    token, _, _ = shown.partition(b"\n")
    with_auths_certificate = token + b"\n" + (tls / "auth" / "tls.crt").read_bytes()

    assert not await is_let_in(check_of(tls, clock), shown)
    assert not await is_let_in(check_of(tls, clock), with_auths_certificate)


def re_signed(signer_folder: Path, kid: str) -> bytes:
    """Return a token about Anna whose header names auth's certificate, signed with another's key."""
    key = serialization.load_pem_private_key((signer_folder / "tls.key").read_bytes(), password=None)
    seconds = int(NOW.timestamp())
    claims = {"iss": name_of("auth"), "aud": "usage", "sub": "anna", "scope": "usage:read"}
    times = {"iat": seconds, "exp": seconds + 60}
    return jwt.sign(claims | times, jwt.key_of_certificate(key, kid=kid), typ=TYPE).encode()


async def test_a_borrowed_name_of_the_key_does_not_help(tls: Path, clock: FakeClock) -> None:
    """The certificate is public: showing it proves nothing."""
    chain = (tls / "auth" / "tls.crt").read_bytes()
    kid = x509.load_pem_x509_certificate(chain).fingerprint(SHA256()).hex()

    by_itself = re_signed(tls / "auth", kid) + b"\n" + chain
    by_the_gateway = re_signed(tls / "gateway", kid) + b"\n" + chain

    assert await is_let_in(check_of(tls, clock), by_itself)
    assert not await is_let_in(check_of(tls, clock), by_the_gateway)


async def test_an_authority_of_ones_own_is_not_believed(tls: Path, clock: FakeClock, tmp_path: Path) -> None:
    """The right name, signed by a stranger."""
    ensure_certificates(tmp_path / "other", NOW)

    assert not await is_let_in(check_of(tls, clock), signer(tmp_path / "other" / "auth", clock).sign(ANNA))


async def test_a_certificate_is_no_authority(tls: Path, clock: FakeClock, tmp_path: Path) -> None:
    """The gateway's key signs a certificate in auth's name: nobody asked for a chain of that kind."""
    forged = tmp_path / "forged"
    shutil.copytree(tls / "auth", forged)
    authority = x509.load_pem_x509_certificate((tls / "gateway" / "tls.crt").read_bytes())
    authority_key: Any = serialization.load_pem_private_key((tls / "gateway" / "tls.key").read_bytes(), password=None)
    certificate(forged, ec.generate_private_key(ec.SECP256R1()), authority, authority_key)

    assert not await is_let_in(check_of(tls, clock), signer(forged, clock).sign(ANNA))


def certificate(folder: Path, key: Any, authority: x509.Certificate, authority_key: Any) -> None:
    """Put a certificate of auth's name into a folder."""
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(minutes=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name_of("auth"))]), critical=True)
        .sign(authority_key, SHA256())
    )
    pem = built.public_bytes(serialization.Encoding.PEM)
    if authority.subject.rfc4514_string() == "CN=gateway":
        pem += authority.public_bytes(serialization.Encoding.PEM)
    formats = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "tls.key").write_bytes(key.private_bytes(*formats))
    (folder / "tls.crt").write_bytes(pem)


def own_certificate(tls: Path, make_key: Callable[[], Any]) -> None:
    """Give auth a certificate of the suite's authority for a key of another kind."""
    place = tls / "authority"
    authority = x509.load_pem_x509_certificate((place / "tls.crt").read_bytes())
    authority_key = serialization.load_pem_private_key((place / "tls.key").read_bytes(), password=None)
    certificate(tls / "auth", make_key(), authority, authority_key)


async def test_a_certificate_may_have_an_rsa_key(tls: Path, clock: FakeClock) -> None:
    """As authorities issue them that know nothing else."""
    own_certificate(tls, lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048))

    assert await is_let_in(check_of(tls, clock), signer(tls / "auth", clock).sign(ANNA))


def test_a_key_of_another_kind_stops_the_start(tls: Path, clock: FakeClock) -> None:
    """In words, not at the first call."""
    own_certificate(tls, lambda: ec.generate_private_key(ec.SECP384R1()))

    with pytest.raises(BadCertificate, match=r"tls\.key: .*P-256"):
        signer(tls / "auth", clock)


async def test_renewed_certificates_are_used_without_a_restart(tls: Path, clock: FakeClock) -> None:
    """Those of the same authority, and those of the next one."""
    check, signs = check_of(tls, clock), signer(tls / "auth", clock)
    before = signs.sign(ANNA)
    reissue_certificates(tls, NOW)
    renewed = signs.sign(ANNA)
    ensure_certificates(tls, NOW + timedelta(days=50))
    clock.advance(50 * 86_400)
    of_next_authority = signs.sign(ANNA)

    assert before.partition(b"\n")[2] != renewed.partition(b"\n")[2] != of_next_authority.partition(b"\n")[2]
    assert await is_let_in(check, of_next_authority)
    assert not await is_let_in(check, before)


@pytest.mark.parametrize(
    "shown", [b"", b"\n", b"nonsense", b"a.b.c\nnonsense", b"\xff" * 50, b"x" * 20_000], ids=lambda raw: raw[:6].hex()
)
async def test_what_is_no_context_is_refused(tls: Path, clock: FakeClock, shown: bytes) -> None:
    """Whatever bytes it has."""
    assert not await is_let_in(check_of(tls, clock), shown)


async def test_without_certificates_nobody_is_asked(clock: FakeClock) -> None:
    """A suite in one process cannot tell callers apart."""
    assert await is_let_in(ContextCheck(TlsSettings(), "usage", clock), b"")


class Served:
    """A servicer with a method that streams."""

    async def Read(self, request: Any, context: Any) -> AsyncIterator[str]:
        """Yield twice."""
        yield "one"
        yield "two"


async def test_a_stream_is_checked_before_its_first_message(tls: Path, clock: FakeClock) -> None:
    """As every other call is."""
    checked: Any = InTheirName(Served(), {"Read": ROW}, check_of(tls, clock))
    shown: Any = Asked("anna", signer(tls / "auth", clock).sign(ANNA))
    stranger: Any = Asked("boris", shown.shown)

    assert [message async for message in checked.Read(shown, shown)] == ["one", "two"]
    with pytest.raises(PermissionDenied):
        await anext(checked.Read(stranger, stranger))
