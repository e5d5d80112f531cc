"""GigaChat's OAuth endpoint and the life of its tokens."""

import base64
import time
import uuid
from typing import Any

import aiohttp
import pytest

from emulator.testing import GIGACHAT_CREDENTIALS, GIGACHAT_SCOPE, RunningEmulator, running_emulator
from emulator.tests.conftest import Ask

BASIC = f"Basic {GIGACHAT_CREDENTIALS}"
OTHER_KEY = base64.b64encode(b"nobody:secret").decode()


async def ask_token(
    emulator: RunningEmulator, http: aiohttp.ClientSession, *, scope: str | None = GIGACHAT_SCOPE, **headers: str
) -> tuple[int, Any]:
    """Ask for a token with these headers in place of the right ones."""
    sent = {"Authorization": BASIC, "RqUID": str(uuid.uuid4()), **headers}
    data = {} if scope is None else {"scope": scope}
    async with http.post(emulator.gigachat_auth_url, data=data, headers=sent) as response:
        return response.status, await response.json()


async def test_gives_a_token_for_half_an_hour_in_milliseconds(
    emulator: RunningEmulator, http: aiohttp.ClientSession
) -> None:
    """expires_at is as recorded, not as in the documentation's sample."""
    status, body = await ask_token(emulator, http)

    assert status == 200
    assert abs(body["expires_at"] / 1000 - time.time() - 1800) < 60


async def test_expires_at_in_seconds_is_a_switch(http: aiohttp.ClientSession) -> None:
    """The documentation's sample shows seconds."""
    async with running_emulator(gigachat_expires_in_seconds=True) as emulator:
        _, body = await ask_token(emulator, http)

    assert body["expires_at"] < 1e12


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({"RqUID": "not-a-uuid"}, 400, 3),
        ({"RqUID": str(uuid.uuid1())}, 400, 3),
        ({"Authorization": "Basic %%%"}, 400, 4),
        ({"Authorization": "Bearer x"}, 400, 4),
        ({"scope": ""}, 400, 5),
        ({"scope": None}, 400, 5),
        ({"scope": "EVERYTHING"}, 400, 1),
        ({"scope": "GIGACHAT_API_CORP"}, 400, 7),
        ({"Authorization": f"Basic {OTHER_KEY}"}, 401, 6),
    ],
)
async def test_refuses_wrong_token_requests(
    emulator: RunningEmulator, http: aiohttp.ClientSession, sent: dict[str, Any], status: int, code: int
) -> None:
    """The envelope has `code`, unlike the API's."""
    got, body = await ask_token(emulator, http, **sent)

    assert (got, body["code"]) == (status, code)


async def test_the_eleventh_token_call_in_a_second_is_too_many(http: aiohttp.ClientSession) -> None:
    """Ten are allowed; a second later the door is open again."""
    times = [1_800_000_000.0]

    async with running_emulator(now=lambda: times[0]) as emulator:
        statuses = [(await ask_token(emulator, http))[0] for _ in range(11)]
        times[0] += 1.0
        later, _ = await ask_token(emulator, http)

    assert statuses == [200] * 10 + [429]
    assert later == 200


async def test_a_token_ends_by_the_clock(http: aiohttp.ClientSession) -> None:
    """The lifetime is a setting, and its last moment counts."""
    times = [1_800_000_000.0]

    async with running_emulator(now=lambda: times[0], gigachat_token_lifetime_s=60) as emulator:
        _, body = await ask_token(emulator, http)
        headers = {"Authorization": f"Bearer {body['access_token']}"}
        statuses = []
        for step in (59, 1):
            times[0] += step
            async with http.get(f"{emulator.gigachat_url}/v1/models", headers=headers) as response:
                statuses.append(response.status)

    assert statuses == [200, 401]


async def test_an_expired_token_is_told_from_an_unknown_one(
    emulator: RunningEmulator, http: aiohttp.ClientSession, ask_gigachat: Ask
) -> None:
    """Both are 401, the words differ."""
    assert (await ask_gigachat("привет"))[0] == 200
    await emulator.control.expire_tokens("gigachat")

    expired = await ask_gigachat("привет")
    async with http.get(f"{emulator.gigachat_url}/v1/models", headers={"Authorization": "Bearer eyJ"}) as response:
        unknown = await response.json()

    assert expired == (401, {"status": 401, "message": "Token has expired"})
    assert unknown == {"status": 401, "message": "Unauthorized"}


async def test_a_revoked_credential_loses_its_tokens(
    emulator: RunningEmulator, http: aiohttp.ClientSession, ask_gigachat: Ask
) -> None:
    """Revocation is immediate; an added credential works at once."""
    assert (await ask_gigachat("привет"))[0] == 200

    await emulator.control.revoke_credential(GIGACHAT_CREDENTIALS)
    await emulator.control.add_credential("gigachat", key=OTHER_KEY, scope="GIGACHAT_API_CORP")

    assert (await ask_gigachat("привет"))[1]["message"] == "Unauthorized"
    assert (await ask_token(emulator, http))[0] == 401
    added = {"Authorization": f"Basic {OTHER_KEY}", "scope": "GIGACHAT_API_CORP"}
    assert (await ask_token(emulator, http, **added))[0] == 200


async def test_user_and_password_get_a_token_too(emulator: RunningEmulator, http: aiohttp.ClientSession) -> None:
    """The older endpoint answers with `tok` and `exp`, in seconds."""
    url = f"{emulator.gigachat_url}/api/v1/token"

    async with http.post(url, headers={"Authorization": aiohttp.encode_basic_auth("user", "password")}) as response:
        body = await response.json(content_type=None)
    async with http.post(url, headers={"Authorization": aiohttp.encode_basic_auth("user", "wrong")}) as response:
        refused = response.status

    assert set(body) == {"tok", "exp"}
    assert refused == 401


async def test_token_calls_can_fail_by_script(emulator: RunningEmulator, http: aiohttp.ClientSession) -> None:
    """operation="token" aims at OAuth alone."""
    await emulator.control.fail("status", provider="gigachat", operation="token", code=500)

    statuses = [(await ask_token(emulator, http))[0] for _ in range(2)]

    assert statuses == [500, 200]
