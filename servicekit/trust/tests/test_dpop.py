"""Proofs of possession: what counts as one (RFC 9449 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from joserfc.jwk import ECKey

from servicekit.testing.dpop_key import DpopKey
from servicekit.trust.dpop import BadProof, Proof, hash_of, read_proof, thumbprint_of

URL = "https://api.example.ru/token"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY, OTHER = DpopKey(), DpopKey()


def read(text: str, *, access_token: str = "", url: str = URL) -> Proof:
    """Read a proof of a POST."""
    return read_proof(text, method="POST", urls=(url,), now=NOW, access_token=access_token)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "Ed25519"])
def test_a_good_proof_names_its_key(algorithm: str) -> None:
    """By the thumbprint that a library computes too, with jti and nonce."""
    key = DpopKey(algorithm)

    proof = read(key.proof(URL, NOW, nonce="n-1", jti="j-1"))

    assert (proof.thumbprint, proof.jti, proof.nonce) == (key.thumbprint, "j-1", "n-1")


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    """As joserfc has it."""
    assert thumbprint_of(KEY.public) == ECKey.import_key(dict(KEY.public)).thumbprint()


GOOD_ADDRESSES = [
    "https://api.example.ru/token?code=1#x",
    "HTTPS://API.example.ru/token",
    "https://api.example.ru:443/token",
]


@pytest.mark.parametrize("address", GOOD_ADDRESSES)
def test_query_case_and_default_port_do_not_count(address: str) -> None:
    """RFC 9449 4.3, 9: compared after normalisation, without query and fragment."""
    assert read(KEY.proof(address, NOW)).thumbprint == KEY.thumbprint


BAD: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "two of them": lambda: f"{KEY.proof(URL, NOW)},{KEY.proof(URL, NOW)}",
    "an unfinished one": lambda: KEY.proof(URL, NOW).rpartition(".")[0],
    "too long": lambda: KEY.proof(URL, NOW, padding="x" * 5000),
    "another type": lambda: KEY.proof(URL, NOW, header={"typ": "JWT"}),
    "no signature": lambda: KEY.proof(URL, NOW, header={"alg": "none"}),
    "a shared secret": lambda: KEY.proof(URL, NOW, header={"alg": "HS256"}),
    "a list of algorithms": lambda: KEY.proof(URL, NOW, header={"alg": "ES256 EdDSA"}),
    "another algorithm than its key's": lambda: KEY.proof(URL, NOW, header={"alg": "EdDSA"}),
    "something critical": lambda: KEY.proof(URL, NOW, header={"crit": ["exp"]}),
    "no key": lambda: KEY.proof(URL, NOW, header={"jwk": None}),
    "a private key": lambda: KEY.proof(URL, NOW, header={"jwk": {**KEY.public, "d": "A" * 43}}),
    "another key": lambda: KEY.proof(URL, NOW, header={"jwk": OTHER.public}),
    "an RSA key": lambda: KEY.proof(URL, NOW, header={"jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"}}),
    "a point off the curve": lambda: KEY.proof(URL, NOW, header={"jwk": {**KEY.public, "y": "A" * 43}}),
    "a key that is no text": lambda: KEY.proof(URL, NOW, header={"jwk": {**KEY.public, "x": 5}}),
    "another method": lambda: KEY.proof(URL, NOW, method="GET"),
    "another address": lambda: KEY.proof("https://api.example.ru/revoke", NOW),
    "another host": lambda: KEY.proof("https://api.example.com/token", NOW),
    "another port": lambda: KEY.proof("https://api.example.ru:8443/token", NOW),
    "a user in the address": lambda: KEY.proof("https://me@api.example.ru/token", NOW),
    "an address that is none": lambda: KEY.proof("https://[", NOW),
    "no address": lambda: KEY.proof(URL, NOW, htu=None),
    "an address that is no text": lambda: KEY.proof(URL, NOW, htu=[URL]),
    "too old": lambda: KEY.proof(URL, NOW - timedelta(seconds=61)),
    "from the future": lambda: KEY.proof(URL, NOW + timedelta(seconds=61)),
    "no time": lambda: KEY.proof(URL, NOW, iat=None),
    "a time that is true": lambda: KEY.proof(URL, NOW, iat=True),
    "an endless time": lambda: KEY.proof(URL, NOW, iat=float("inf")),
    "a time of 400 digits": lambda: KEY.proof(URL, NOW, iat=10**400),
    "a time before all times": lambda: KEY.proof(URL, NOW, iat=-(10**400)),
    "no jti": lambda: KEY.proof(URL, NOW, jti=None),
    "an endless jti": lambda: KEY.proof(URL, NOW, jti="j" * 129),
    "an endless nonce": lambda: KEY.proof(URL, NOW, nonce="n" * 257),
    "a nonce that is no text": lambda: KEY.proof(URL, NOW, nonce=5),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
def test_what_is_no_proof_is_refused(make: Callable[[], str]) -> None:
    """With a sentence for the client's developer, which has nothing of the proof in it."""
    with pytest.raises(BadProof) as refused:
        read(make())

    assert str(refused.value).endswith(".")
    assert str(refused.value).isascii()


def test_a_proof_belongs_to_its_access_token() -> None:
    """At the API the ath must be there and be the token's."""
    good = KEY.proof(URL, NOW, access_token="token-1")

    assert read(good, access_token="token-1").thumbprint == KEY.thumbprint
    for other in (good, KEY.proof(URL, NOW), KEY.proof(URL, NOW, ath=hash_of("token-1") + "=")):
        with pytest.raises(BadProof):
            read(other, access_token="token-2")


def test_a_replay_is_known_by_key_and_jti() -> None:
    """Two clients may use the same jti."""
    proofs = [read(key.proof(URL, NOW, jti=jti)) for key in (KEY, OTHER) for jti in ("a", "b")]

    assert len({proof.replay_key for proof in proofs}) == 4
    assert read(KEY.proof(URL, NOW, jti="a")).replay_key == proofs[0].replay_key
