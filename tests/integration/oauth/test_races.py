"""One code, one refresh token, fifty at once over two gateways: never a fork (rules 26, 29; row races)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import httpx
import pytest

from tests.oauth_kit.application import Application, Given, Pkce
from tests.oauth_kit.house import House
from tools.browser.browser import Browser
from tools.browser.forms import form_with

AT_ONCE = 50
ROUNDS = 3


def together(ask: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    """Ask fifty times at one moment."""
    barrier = Barrier(AT_ONCE)

    def one(number: int) -> httpx.Response:
        barrier.wait()
        return ask(number)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def redeem_at(doors: tuple[Application, Application], given: Given, number: int) -> httpx.Response:
    """Redeem at one of two gateways."""
    return doors[number % 2].redeem(given)


def refresh_at(doors: tuple[Application, Application], token: str, number: int) -> httpx.Response:
    """Refresh at one of two gateways."""
    return doors[number % 2].refresh(token)


def assert_one_winner(answers: list[httpx.Response]) -> list[httpx.Response]:
    """At most one 200, no 5xx, invalid_grant for the rest; return the winners."""
    winners = [answer for answer in answers if answer.status_code == 200]
    losers = [answer for answer in answers if answer.status_code != 200]
    assert len(winners) <= 1
    assert {answer.status_code for answer in losers} == {400}, {answer.status_code for answer in losers}
    assert {answer.json()["error"] for answer in losers} == {"invalid_grant"}
    return winners


@pytest.mark.parametrize("kind", ["public", "confidential"])
def test_fifty_redemptions_of_one_code_give_one_grant(
    house: House, browser: Browser, public: Application, confidential: Application, second: httpx.Client, kind: str
):
    """Rule 26: and the losers' replays end what the winner got (rule 27)."""
    client = {"public": public, "confidential": confidential}[kind]
    for _ in range(ROUNDS):
        given = client.code(browser)
        doors = (client, client.at(second))

        answers = together(partial(redeem_at, doors, given))

        for winner in assert_one_winner(answers):
            token = winner.json()["access_token"]
            assert confidential.introspect(token).json() == {"active": False}


@pytest.mark.parametrize("kind", ["public", "confidential"])
def test_fifty_uses_of_one_refresh_token_give_one_successor(
    browser: Browser, public: Application, confidential: Application, second: httpx.Client, kind: str
):
    """Rule 29: all are told the same one, and the family lives; once that is used, another use ends it."""
    client = {"public": public, "confidential": confidential}[kind]
    for _ in range(ROUNDS):
        token = client.tokens(browser)["refresh_token"]
        doors = (client, client.at(second))

        answers = together(partial(refresh_at, doors, token))

        assert {answer.status_code for answer in answers} == {200}
        (successor,) = {answer.json()["refresh_token"] for answer in answers}
        last = client.refresh(successor).json()["refresh_token"]
        assert {answer.status_code for answer in together(partial(refresh_at, doors, token))} == {400}
        assert client.refresh(last).status_code == 400


def test_fifty_decisions_of_one_person_give_one_code(house: House, person, public: Application):
    """A double click makes no second code."""
    with house.browser(person) as browser:
        form = form_with(browser.get("/authorize", public.request(Pkce.fresh())).text, "decision")
        assert form is not None

        answers = together(lambda _number: browser.send(form, decision="approve"))

    codes = [answer for answer in answers if "code=" in answer.headers.get("location", "")]
    assert len(codes) == 1
    assert {answer.status_code for answer in answers} <= {303, 400, 404}


def test_codes_are_redeemed_at_any_gateway(browser: Browser, public: Application, second: httpx.Client):
    """No state in a gateway: a code of one is redeemed at another, and refreshed at the first."""
    tokens = public.at(second).redeem(public.code(browser)).json()

    assert public.refresh(tokens["refresh_token"]).status_code == 200
