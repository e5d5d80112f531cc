"""The pure rules: parameters, redirect URIs, PKCE, user codes, polling, the lives of signing keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auth.oauth.domain import device, pkce
from services.auth.oauth.domain.claims import TokenTerms
from services.auth.oauth.domain.device import Polling
from services.auth.oauth.domain.metadata import server_metadata
from services.auth.oauth.domain.params import Params
from services.auth.oauth.domain.redirect_uri import is_registered, problem_with, with_params
from services.auth.oauth.domain.refusal import OAuthError, OAuthRefusal
from services.auth.oauth.domain.scope_parameter import parse_scope
from services.auth.oauth.domain.signing_key import RotationRules, StoredKey, next_start, over, signer_at
from services.auth.shared.domain.scope import Scope
from services.auth.tests.oauth.flow import CHALLENGE, VERIFIER

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
REGISTERED = ("https://app.example.ru/cb", "http://127.0.0.1:8399/cb", "http://[::1]/cb")


@given(st.sampled_from(REGISTERED), st.integers(0, 30), st.characters())
def test_no_changed_character_matches(uri: str, position: int, changed: str) -> None:
    """Rule 1: one character more is another URI, unless it is a digit of a loopback address's port."""
    cut = position % (len(uri) + 1)
    given_uri = uri[:cut] + changed + uri[cut:]

    matches = is_registered(given_uri, REGISTERED)

    assert not matches or (given_uri.startswith("http://127.0.0.1:") and changed in "0123456789")


@given(st.text(max_size=60))
def test_no_text_breaks_the_registration_of_uris(text: str) -> None:
    """Rule 1: whatever comes, the answer is a sentence or None; what is fine is https, loopback or a private scheme."""
    problem = problem_with(text, private_schemes=True)

    assert problem or text.startswith(("https://", "http://127.0.0.1", "http://[::1]")) or "." in text.split(":")[0]


@settings(deadline=None)
@given(st.dictionaries(st.text(alphabet="abc_", min_size=1), st.text(max_size=40), min_size=1, max_size=5))
def test_parameters_survive_the_redirect(answer: dict[str, str]) -> None:
    """Rule 8: byte for byte, and the URL is printable ASCII."""
    url = with_params("https://a.ru/cb?x=1", answer.items())

    assert parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True) == [("x", "1"), *answer.items()]
    assert url.isascii()
    assert url.isprintable()


def test_empty_is_omitted_and_twice_is_nothing() -> None:
    """Rules 4 and 5: also when the second one is empty."""
    params = Params([("a", "1"), ("b", ""), ("c", "1"), ("c", "")])

    assert (params.get("a"), params.get("b"), params.get("c")) == ("1", None, None)
    with pytest.raises(OAuthRefusal):
        params.check_unambiguous()
    with pytest.raises(OAuthRefusal):
        params.require("b")


def test_the_verifier_of_the_rfc_fits_its_challenge() -> None:
    """Rule 24: the example of RFC 7636, appendix B."""
    pkce.check_verifier("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
    pkce.check_verifier(VERIFIER, CHALLENGE)


@given(st.text(alphabet="vwx-._~ =я\x00", max_size=130))
def test_no_other_verifier_fits(verifier: str) -> None:
    """Rule 24."""
    with pytest.raises(OAuthRefusal) as refused:
        pkce.check_verifier(verifier if verifier != VERIFIER else "", CHALLENGE)

    assert refused.value.error is OAuthError.INVALID_GRANT


def test_offline_access_is_ignored() -> None:
    """OpenID Connect Core 11: many clients ask for it by habit."""
    assert parse_scope("openid  offline_access") == {Scope.OPENID}


@given(st.text(max_size=40))
def test_what_people_type_is_a_code_or_nothing(typed: str) -> None:
    """Rule 47: and every code survives being shown and typed."""
    read = device.read_user_code(typed)
    code = device.new_user_code()

    assert read is None or (len(read) == 8 and set(read) <= set(device.ALPHABET))
    assert device.read_user_code(f" {device.shown(code).lower()}\n") == code


def test_a_hurried_device_must_slow_down() -> None:
    """Rule 47, RFC 8628 3.5: 5 s more each time, for good."""
    polling, early = Polling(None, 5).next(NOON)
    assert not early
    polling, early = polling.next(NOON + timedelta(seconds=4))
    assert early
    polling, early = polling.next(NOON + timedelta(seconds=13))
    assert early
    polling, early = polling.next(NOON + timedelta(seconds=28))

    assert not early
    assert polling.interval_s == 15


DAY = timedelta(days=1)
RULES = RotationRules(rotate=30 * DAY, publish=timedelta(hours=1), keep=timedelta(hours=2))


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=60))
def test_whenever_the_job_runs_keys_overlap(hours: list[int]) -> None:
    """Rule 40: at any moment somebody signs, was published for long enough, and no key goes too early."""
    keys: list[StoredKey] = []
    now = NOON
    for wait in [0, *hours]:
        now += timedelta(hours=wait)
        start = next_start(keys, RULES, now)
        if start is not None:
            keys.append(StoredKey(f"k{len(keys)}", {}, b"", now, start))
        for dead in over(keys, RULES, now):
            keys.remove(dead)
        signer = signer_at(keys, now)

        assert signer is not None
        assert signer.kid == "k0" or signer.signs_from - signer.created_at >= RULES.publish
        last_hour = signer_at(keys, now - RULES.keep)
        assert last_hour is not None or now - NOON < RULES.keep


def test_the_metadata_has_no_empty_member() -> None:
    """Rule 42, RFC 8414 3.2."""
    metadata = server_metadata(TokenTerms("https://i", "https://i", 900), registration=False, exchange=False)

    assert all(value not in (None, "", [], {}) for value in metadata.values())
    assert "registration_endpoint" not in metadata
