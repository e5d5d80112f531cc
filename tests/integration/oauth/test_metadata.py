"""What the server says of itself (rules 6, 9, 40, 42)."""

import base64
from typing import Any

import pytest

from services.gateway.oauth.authorize import FIXED_SCOPES
from services.gateway.pages.language import TEXTS
from tests.oauth_kit.house import House

OAUTH, OIDC, JWKS = (
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/.well-known/jwks.json",
)


@pytest.fixture(scope="module")
def metadata(house: House) -> dict[str, Any]:
    return dict(house.http.get(OAUTH).json())


def test_the_issuer_is_ours_byte_for_byte(house: House, metadata: dict[str, Any]):
    """Rule 42: RFC 8414 3.3."""
    assert metadata["issuer"] == house.url


def test_the_issuer_does_not_follow_the_host_header(house: House):
    """Rule 42: issuer from the configuration."""
    for path in (OAUTH, OIDC):
        answer = house.http.get(path, headers={"host": "evil.example", "x-forwarded-host": "evil.example"})

        assert "evil.example" not in answer.text


def test_both_documents_agree(house: House, metadata: dict[str, Any]):
    """Rule 42: OpenID Discovery beside it with the same values."""
    assert house.http.get(OIDC).json() == metadata


def test_nothing_is_null_or_empty(metadata: dict[str, Any]):
    """Rule 42: RFC 8414 3.2."""
    assert metadata
    assert [name for name, value in metadata.items() if value in (None, "", [])] == []


@pytest.mark.parametrize("language", TEXTS)
def test_every_announced_scope_is_explained_in_words(metadata: dict[str, Any], language: str):
    """Rule 14: a person decides about a sentence, not about a name. `openid` is never asked about."""
    scopes = set(metadata["scopes_supported"]) - FIXED_SCOPES

    assert len(scopes) >= 8
    assert [scope for scope in scopes if f"scope.{scope.replace(':', '_')}" not in TEXTS[language]] == []


def test_only_what_is_safe_is_announced(metadata: dict[str, Any]):
    """Rules 6, 7, 9, 42."""
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["response_types_supported"] == ["code"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert metadata["subject_types_supported"] == ["public"]
    assert "none" not in metadata["id_token_signing_alg_values_supported"]
    assert not {"password", "implicit"} & set(metadata["grant_types_supported"])
    assert metadata.get("request_uri_parameter_supported") is False


def test_every_endpoint_is_there(house: House, metadata: dict[str, Any]):
    """What is announced answers."""
    addresses = [value for name, value in metadata.items() if name.endswith(("_endpoint", "_uri"))]

    assert len(addresses) >= 8
    for address in addresses:
        assert address.startswith(f"{house.url}/")
        assert house.http.get(address).status_code != 404, address


def test_documents_may_be_cached_and_read_by_any_page(house: House):
    """They are public, and the same for everybody."""
    for path in (OAUTH, OIDC, JWKS):
        answer = house.http.get(path, headers={"origin": "https://app.example"})

        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("application/json")
        assert "max-age" in answer.headers["cache-control"]
        assert answer.headers["access-control-allow-origin"] in ("*", "https://app.example")


def test_keys_are_public_strong_and_told_apart(house: House):
    """Rule 40: public members only, unique kid, RSA of 2048 bits or more."""
    keys = house.http.get(JWKS).json()["keys"]

    assert keys
    assert len({key["kid"] for key in keys}) == len(keys)
    for key in keys:
        assert not {"d", "p", "q", "dp", "dq", "qi", "k", "oth"} & set(key)
        assert key["use"] == "sig"
        if key["kty"] == "RSA":
            assert len(base64.urlsafe_b64decode(key["n"] + "==")) >= 256
        else:
            assert key["kty"] in ("EC", "OKP")


def test_private_keys_are_not_readable_in_the_database(house: House):
    """Rule 40: encrypted at rest."""
    rows = house.stack.query("SELECT sealed FROM auth.oauth_signing_keys")

    assert rows
    assert [row for row in rows if b"RSA" in row["sealed"] or row["sealed"].startswith(b"0\x82")] == []
