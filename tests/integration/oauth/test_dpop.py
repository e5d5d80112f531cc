"""Tokens that are bound to a key (rules 47, 48): over two gateways, by a client of our own."""

from datetime import UTC, datetime

import httpx
import pytest

from servicekit.testing.dpop_key import DpopKey
from tests.oauth_kit.application import Application, use
from tests.oauth_kit.house import House
from tools.browser.browser import Browser


class Holder:
    """A client's key and the nonce it was last told."""

    def __init__(self, house: House) -> None:
        self.key, self.nonce = DpopKey(), ""
        self._url = house.url

    def proof(self, path: str, method: str = "POST", access_token: str = "") -> str:
        now = datetime.now(UTC)
        return self.key.proof(self._url + path, now, method=method, nonce=self.nonce, access_token=access_token)

    def learn(self, answer: httpx.Response) -> httpx.Response:
        self.nonce = answer.headers.get("dpop-nonce", self.nonce)
        return answer

    def use(self, http: httpx.Client, token: str, path: str = "/v1/models") -> httpx.Response:
        headers = {"authorization": f"DPoP {token}", "dpop": self.proof(path, "GET", token)}
        return self.learn(http.get(path, headers=headers))


@pytest.fixture
def holder(house: House) -> Holder:
    """A client that holds a key."""
    return Holder(house)


def test_a_stolen_token_is_worth_nothing_without_its_key(
    browser: Browser, public: Application, holder: Holder, house: House, second: httpx.Client
):
    """Rules 47, 48: nonce, tokens, the API at two gateways, refresh; the thief gets nowhere and harms nobody."""
    given = public.code(browser, dpop_jkt=holder.key.thumbprint)
    told = holder.learn(public.redeem(given, dpop=holder.proof("/token")))
    tokens = holder.learn(public.redeem(given, dpop=holder.proof("/token"))).json()

    assert (told.status_code, told.json()["error"]) == (400, "use_dpop_nonce")
    assert tokens["token_type"] == "DPoP"
    access, refresh = tokens["access_token"], tokens["refresh_token"]
    assert [holder.use(http, access).status_code for http in (public.http, second)] == [200, 200]
    # The thief has both tokens.
    thief = Holder(house)
    thief.nonce = holder.nonce
    assert use(public.http, access).status_code == 401
    assert thief.use(public.http, access).status_code == 401
    assert public.refresh(refresh).json()["error"] == "invalid_dpop_proof"
    assert public.refresh(refresh, dpop=thief.proof("/token")).json()["error"] == "invalid_grant"
    # The owner goes on.
    fresh = public.refresh(refresh, dpop=holder.proof("/token")).json()
    assert holder.use(second, fresh["access_token"]).status_code == 200


def test_a_proof_counts_once_over_all_gateways(
    browser: Browser, public: Application, holder: Holder, second: httpx.Client
):
    """Rule 48: whoever overheard a request at one gateway cannot repeat it at the other."""
    given = public.code(browser)
    holder.learn(public.redeem(given, dpop=holder.proof("/token")))
    access = public.redeem(given, dpop=holder.proof("/token")).json()["access_token"]
    headers = {"authorization": f"DPoP {access}", "dpop": holder.proof("/v1/models", "GET", access)}

    first, again = (http.get("/v1/models", headers=headers) for http in (public.http, second))

    assert (first.status_code, again.status_code) == (200, 401)
    assert again.json()["error"]["code"] == "invalid_dpop_proof"
    assert again.headers["www-authenticate"].startswith("DPoP ")


def test_introspection_tells_a_resource_server_the_key(browser: Browser, confidential: Application, holder: Holder):
    """Rule 47: cnf and token_type."""
    given = confidential.code(browser)
    holder.learn(confidential.redeem(given, dpop=holder.proof("/token")))
    token = confidential.redeem(given, dpop=holder.proof("/token")).json()["access_token"]

    told = confidential.introspect(token).json()

    assert (told["active"], told["token_type"]) == (True, "DPoP")
    assert told["cnf"] == {"jkt": holder.key.thumbprint}


def test_proofs_are_announced(house: House):
    """Rule 47: RFC 9449 5.1."""
    metadata = house.http.get("/.well-known/oauth-authorization-server").json()

    assert metadata["dpop_signing_alg_values_supported"] == ["ES256", "EdDSA", "Ed25519"]
