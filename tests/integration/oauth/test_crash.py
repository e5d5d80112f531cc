"""SIGKILL of auth in the middle of a flow: no grant is lost, none is made twice."""

import contextlib
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest

from tests.oauth_kit.application import Application, Given, Pkce, use
from tests.oauth_kit.house import House
from tools.browser.browser import answer_in
from tools.browser.forms import form_with

KILLS = 2
FLOWS = 6
# Until auth is there again, however busy the machine is.
START_S = 120.0


@pytest.fixture
def client(house: House) -> Application:
    """A client whose grants nobody else makes."""
    return house.register(confidential=True)


def patiently(ask: Callable[[], httpx.Response], wanted: tuple[int, ...] = (200, 400)) -> httpx.Response | None:
    """Ask once, and again only as long as nobody could answer at all; None when that took too long."""
    give_up_at = time.monotonic() + START_S
    while time.monotonic() < give_up_at:
        with contextlib.suppress(httpx.TransportError):
            answer = ask()
            if answer.status_code in wanted:
                return answer
        time.sleep(0.1)
    return None


def test_codes_survive_a_kill_and_are_used_once(house: House, person, client: Application):
    """Codes that are being redeemed while auth dies: each becomes one grant or none, and what was answered is true."""
    chance = random.Random(7)
    for _ in range(KILLS):
        with house.browser(person) as browser:
            codes = [client.code(browser) for _ in range(FLOWS)]
        with ThreadPoolExecutor(FLOWS + 1) as pool:
            redeemed = [pool.submit(_redeem_at, client, given, chance.random() * 0.2) for given in codes]
            pool.submit(_kill_at, house, chance.random() * 0.2).result()
            first_answers = [each.result() for each in redeemed]
        house.stack.wait_until_ready()

        for given, first in zip(codes, first_answers, strict=True):
            _check_code(house, client, given, first)


def _redeem_at(client: Application, given: Given, delay_s: float) -> httpx.Response | None:
    time.sleep(delay_s)
    with contextlib.suppress(httpx.TransportError):
        return client.redeem(given)
    return None


def _kill_at(house: House, delay_s: float) -> None:
    time.sleep(delay_s)
    house.stack.kill("auth")


def _check_code(house: House, client: Application, given: Given, first: httpx.Response | None) -> None:
    """What the client was told holds; what it was not told can be asked again, once."""
    if first is not None and first.status_code == 200:
        tokens = first.json()
        answer = patiently(lambda: use(house.http, tokens["access_token"]), (200, 401))
        assert answer is not None
        assert answer.status_code == 200
        assert client.refresh(tokens["refresh_token"]).status_code == 200
        return
    assert first is None or first.status_code >= 500, first.text
    again = patiently(lambda: client.redeem(given))
    assert again is not None
    if again.status_code == 200:
        assert client.refresh(again.json()["refresh_token"]).status_code == 200


def test_no_code_became_two_grants(house: House, person, client: Application):
    """By the database's own account, after retries of everything that stayed without an answer."""
    before = _grants(house, client)
    with house.browser(person) as browser:
        codes = [client.code(browser) for _ in range(FLOWS)]
    # Their minute is no measure of how soon a machine has auth back.
    house.stack.query(
        "UPDATE auth.oauth_codes SET created_at = created_at + later, expires_at = expires_at + later"
        " FROM (SELECT interval '1 hour' AS later) AS moved WHERE client_id = $1",
        client.client_id,
    )
    with ThreadPoolExecutor(2 * FLOWS + 1) as pool:
        asked = [pool.submit(_redeem_at, client, given, 0.05) for given in codes * 2]
        pool.submit(_kill_at, house, 0.05).result()
        for each in asked:
            each.result()
    house.stack.wait_until_ready()
    for given in codes:
        assert patiently(partial(client.redeem, given)) is not None

    grants = _grants(house, client) - before
    used = house.stack.query(
        "SELECT count(*) AS used FROM auth.oauth_codes WHERE client_id = $1 AND used_at IS NOT NULL", client.client_id
    )[0]["used"]
    assert grants == used == FLOWS


def _grants(house: House, client: Application) -> int:
    rows = house.stack.query("SELECT count(*) AS n FROM auth.oauth_grants WHERE client_id = $1", client.client_id)
    return int(rows[0]["n"])


def test_a_login_and_a_consent_survive_a_kill(house: House, person, client: Application):
    """Auth dies between the pages: the person goes on where they were."""
    pkce = Pkce.fresh()
    asked = client.request(pkce)
    with house.browser() as browser:
        login = form_with(browser.get("/authorize", asked).text, "password")
        assert login is not None
        house.stack.kill("auth")
        page = patiently(lambda: browser.send(login, email=person.email, password=person.password), (200,))
        assert page is not None
        consent = form_with(page.text, "decision")
        assert consent is not None
        house.stack.kill("auth")

        answer = patiently(lambda: browser.send(consent, decision="approve"), (303,))

    assert answer is not None
    told = answer_in(answer.headers["location"])
    token = patiently(lambda: client.redeem(Given(told["code"], pkce.verifier, client.redirect_uri)))
    assert token is not None
    assert token.status_code == 200


def test_a_refresh_that_was_answered_holds(house: House, person, client: Application):
    """Refresh tokens that are traded while auth dies: an answer is true, and no token has two successors."""
    with house.browser(person) as browser:
        families = [client.tokens(browser) for _ in range(FLOWS)]
    with ThreadPoolExecutor(FLOWS + 1) as pool:
        asked = [
            pool.submit(_refresh_at, client, tokens["refresh_token"], 0.02 * n) for n, tokens in enumerate(families)
        ]
        pool.submit(_kill_at, house, 0.06).result()
        answers = [each.result() for each in asked]
    house.stack.wait_until_ready()

    for answer in answers:
        if answer is not None and answer.status_code == 200:
            assert client.refresh(answer.json()["refresh_token"]).status_code == 200
        else:
            assert answer is None or answer.status_code >= 500
    forks = house.stack.query(
        "SELECT grant_id FROM auth.oauth_refresh_tokens WHERE client_id = $1 AND used_at IS NULL"
        " GROUP BY grant_id HAVING count(*) > 1",
        client.client_id,
    )
    assert forks == []


def _refresh_at(client: Application, token: str, delay_s: float) -> httpx.Response | None:
    time.sleep(delay_s)
    with contextlib.suppress(httpx.TransportError):
        return client.refresh(token)
    return None
