"""How keys are stored and recognised."""

from __future__ import annotations

import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from services.auth.keys.domain.key_hash import HashKind, KeyHasher, Pepper, matches

NEW, OLD = Pepper.of("n" * 32), Pepper.of("o" * 32)


def test_a_key_is_stored_as_hmac_of_the_pepper() -> None:
    """The stored digest is HMAC-SHA256, and the row names the pepper without telling it."""
    stored = KeyHasher(NEW).hash("secret")

    assert stored.digest == hmac.new(b"n" * 32, b"secret", hashlib.sha256).hexdigest()
    assert stored.kind is HashKind.HMAC_SHA256
    assert stored.pepper_id == NEW.id
    assert "n" * 32 not in repr(NEW)


def test_candidates_cover_every_recipe_the_current_first() -> None:
    """A key is found under the current pepper, an earlier one, or release 1.0's plain hash."""
    candidates = KeyHasher(NEW, (OLD,)).candidates("secret")

    assert candidates[0] == KeyHasher(NEW).hash("secret")
    assert candidates[1] == KeyHasher(OLD).hash("secret")
    assert candidates[2].digest == hashlib.sha256(b"secret").hexdigest()
    assert candidates[2].kind is HashKind.SHA256


@given(st.text())
def test_hashing_never_fails(secret: str) -> None:
    """Any text, lone surrogates and NUL included, has digests that match themselves only."""
    candidates = KeyHasher(NEW, (OLD,)).candidates(secret)

    assert matches(candidates[-1].digest, candidates)
    assert not matches(KeyHasher(NEW).hash(secret + "x").digest, candidates)


def test_nothing_stored_matches_nothing() -> None:
    """The digest that stands in for a missing row is never accepted."""
    assert not matches(None, KeyHasher(NEW).candidates("secret"))
