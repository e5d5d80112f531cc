"""How much one application may ask (rule 51); the suite lets each ask 1,200 times a minute."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.oauth_kit.application import Application
from tests.oauth_kit.house import House

AT_ONCE, MOST = 16, 6000


def test_an_application_over_its_limit_is_told_when_to_come_again(house: House, other: Application):
    """Rule 51: 429, Retry-After, the protocol's JSON; another application at the same address is not touched."""
    busy = house.register(confidential=True)

    def until_refused(_number: int) -> httpx.Response | None:
        for _ in range(MOST // AT_ONCE):
            answer = busy.revoke("x")
            if answer.status_code != 200:
                return answer
        return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        refused = [answer for answer in pool.map(until_refused, range(AT_ONCE)) if answer is not None]
    calm = other.revoke("x")

    assert refused
    assert {(each.status_code, each.json()["error"]) for each in refused} == {(429, "temporarily_unavailable")}
    assert all(1 <= int(each.headers["retry-after"]) <= 60 for each in refused)
    assert {each.headers["cache-control"] for each in refused} == {"no-store"}
    assert calm.status_code == 200
