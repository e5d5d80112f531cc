"""What ended stops on every gateway: within a second when it is pushed, within five when the push is lost (rule 35)."""

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx
import pytest

from tests.integration.oauth.jwt_parts import claims_of
from tests.integration.waiting import measured
from tests.oauth_kit.application import Application, use
from tests.oauth_kit.gateways import LossyRedis, another_gateway, redis_port
from tests.oauth_kit.house import House
from tools.browser.forms import form_with
from tools.stack.running_stack import RunningStack

PUSHED_S, LOST_S, NEVER_S = 1.0, 5.0, 60.0
SCOPE = "models:read profile:read profile:write"


@dataclass(frozen=True)
class Gateways:
    """Three gateways: two that hear pushes, and one whose wire can lose them."""

    http: tuple[httpx.Client, ...]
    wire: LossyRedis


@pytest.fixture(scope="module")
def gateways(house: House, second: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateways]:
    folder = tmp_path_factory.mktemp("gateways")
    with contextlib.ExitStack() as opened:
        wire = opened.enter_context(LossyRedis(redis_port(house.stack)))
        deaf = opened.enter_context(another_gateway(house.stack, folder / "deaf", **_behind(wire, house.stack)))
        first, last = (opened.enter_context(house.client(url)) for url in (house.url, deaf))
        yield Gateways((first, second, last), wire)


def _behind(wire: LossyRedis, stack: RunningStack) -> dict[str, str]:
    """Return what puts a gateway behind the wire; nothing of several servers, which say themselves where they are."""
    if stack.redis_servers:
        return {}
    own_redis = stack.parts.environments.of("gateway")["GATEWAY_REDIS_URL"]
    return {"GATEWAY_REDIS_URL": own_redis.replace(f":{redis_port(stack)}/", f":{wire.port}/")}


@dataclass(frozen=True)
class Case:
    """A credential that works, and what ends it."""

    credential: str
    end: Callable[[], object]


NewCase = Callable[[], Case]


@pytest.fixture(params=["token", "grant", "refresh token", "session", "key", "user"])
def new_case(request, house: House, public: Application) -> NewCase:
    """Everything that can be revoked; each call makes a new one."""
    return lambda: CASES[request.param](house, public)


def of_token(house: House, public: Application) -> Case:
    tokens = _tokens(house, public)
    return Case(tokens["access_token"], lambda: _ok(public.revoke(tokens["access_token"])))


def of_refresh_token(house: House, public: Application) -> Case:
    tokens = _tokens(house, public)
    return Case(tokens["access_token"], lambda: _ok(public.revoke(tokens["refresh_token"])))


def of_grant(house: House, public: Application) -> Case:
    token = _tokens(house, public)["access_token"]
    grant = use(house.http, token, "/v1/grants").json()["data"][0]["id"]
    return Case(token, lambda: _ok(_delete(house, token, f"/v1/grants/{grant}")))


def of_session(house: House, public: Application) -> Case:
    token = _tokens(house, public)["access_token"]
    session = claims_of(token)["sid"]
    return Case(token, lambda: _ok(_delete(house, token, f"/v1/sessions/{session}")))


def of_key(house: House, _public: Application) -> Case:
    key = house.stack.issue_key(scopes=["models:read"])
    return Case(key, lambda: house.stack.revoke_key(key))


def of_user(house: House, public: Application) -> Case:
    person = house.new_person()
    with house.browser(person) as browser:
        token = public.tokens(browser, scope=SCOPE)["access_token"]
    body = {"password": person.password}
    headers = {"authorization": f"Bearer {token}"}
    return Case(token, lambda: _ok(house.http.request("DELETE", "/v1/users/me", json=body, headers=headers)))


CASES: dict[str, Callable[[House, Application], Case]] = {
    "token": of_token,
    "grant": of_grant,
    "refresh token": of_refresh_token,
    "session": of_session,
    "key": of_key,
    "user": of_user,
}


def _tokens(house: House, public: Application) -> dict[str, str]:
    with house.browser(house.new_person()) as browser:
        return public.tokens(browser, scope=SCOPE)


def _delete(house: House, token: str, path: str) -> httpx.Response:
    return house.http.request("DELETE", path, headers={"authorization": f"Bearer {token}"})


def _ok(answer: httpx.Response) -> None:
    assert answer.status_code in (200, 204), answer.text


def seconds_until_refused(http: httpx.Client, credential: str, began: float) -> float:
    """Ask until the credential is refused; return the seconds from `began` to the last answer that it had."""
    last = began
    while (answer := use(http, credential)).status_code == 200:
        last = time.monotonic()
        assert last - began < NEVER_S, "never refused"
        time.sleep(0.01)
    assert answer.status_code == 401, answer.text
    assert use(http, credential).status_code == 401
    return last - began


def measure(gateways: Gateways, case: Case) -> list[float]:
    """End the credential while it is known to all gateways; return how long each went on with it."""
    for http in gateways.http:
        assert use(http, case.credential).status_code == 200
    case.end()
    began = time.monotonic()
    with ThreadPoolExecutor(len(gateways.http)) as pool:
        return list(pool.map(lambda http: seconds_until_refused(http, case.credential, began), gateways.http))


def test_what_ended_stops_within_a_second(gateways: Gateways, new_case: NewCase):
    """Rule 35: pushed over Redis to every gateway."""
    gateways.wire.loses = False

    waited = measured(lambda: measure(gateways, new_case()), lambda found: max(found) <= PUSHED_S)

    assert max(waited) <= PUSHED_S, waited


def test_what_ended_stops_within_five_seconds_when_the_push_is_lost(
    house: House, gateways: Gateways, new_case: NewCase
):
    """Rule 35: the gateway asks by itself; the two that heard are still quick."""
    if house.stack.redis_servers:
        pytest.skip("servers that say themselves where they are cannot be put behind a wire that loses")
    gateways.wire.loses = True

    def once() -> list[float]:
        case, lost_before = new_case(), gateways.wire.lost
        found = measure(gateways, case)
        assert gateways.wire.lost > lost_before, "nothing was lost, so nothing was proven"
        return found

    waited = measured(once, lambda found: max(found[:-1]) <= PUSHED_S and found[-1] <= LOST_S)

    gateways.wire.loses = False
    assert max(waited[:-1]) <= PUSHED_S, waited
    assert waited[-1] <= LOST_S, waited


def test_a_lost_redis_revokes_nothing_and_logs_nobody_in(house: House, public: Application, gateways: Gateways):
    """What was valid stays so, what ended stays ended: PostgreSQL is the truth."""
    kept, ended = _tokens(house, public), _tokens(house, public)
    _ok(public.revoke(ended["refresh_token"]))
    for http in gateways.http:
        seconds_until_refused(http, ended["access_token"], time.monotonic())

    house.stack.kill_redis()
    house.stack.wait_until_ready()

    give_up_at = time.monotonic() + 60
    while use(house.http, kept["access_token"]).status_code != 200:
        assert time.monotonic() < give_up_at
        time.sleep(0.1)
    for http in gateways.http:
        assert use(http, ended["access_token"]).status_code == 401
    assert public.refresh(kept["refresh_token"]).status_code == 200
    assert public.refresh(ended["refresh_token"]).status_code == 400


def test_an_application_is_ended_on_its_page(house: House, public: Application, eventually):
    """The profile shows what was let in; one button ends it."""
    with house.browser(house.new_person()) as browser:
        token = public.tokens(browser, scope=SCOPE)["access_token"]
        page = browser.get("/console/applications").text
        assert "Demo: public client" in page
        form = form_with(page, "grant_id")
        assert form is not None

        assert browser.send(form).status_code == 303

        eventually(lambda: use(house.http, token).status_code == 401)
        assert form_with(browser.get("/console/applications").text, "grant_id") is None
