"""Who asks during the storm: accounts, a key, an application and an organization, each with budgets of its own."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import httpx

from tools.accounts.calls import DemoCalls
from tools.accounts.demo import Auth, Demo

SCOPES: Final = ("models:read", "completions:write", "usage:read", "keys:write")
# Of the budgets that nothing in a storm is dear enough to reach.
WIDE_RUB: Final = "1000000"


@dataclass(frozen=True, slots=True)
class Account:
    """A person with one key."""

    user_id: str
    key: str
    key_id: str


@dataclass(slots=True)
class Caller:
    """A credential that asks. An application's token ends after some minutes: a refused one is fetched anew."""

    name: str
    authorization: str
    application: Demo | None = None

    async def renew(self, session: aiohttp.ClientSession) -> None:
        """Fetch a new token; a key stays what it is."""
        if self.application is None:
            return
        demo = self.application
        basic = aiohttp.BasicAuth(demo.confidential_client_id, demo.confidential_client_secret)
        async with session.post(f"{demo.url}/token", data=_TOKEN_FORM, auth=basic) as answer:
            if answer.status == httpx.codes.OK:
                self.authorization = f"Bearer {(await answer.json())['access_token']}"


_TOKEN_FORM: Final = {"grant_type": "client_credentials", "scope": "completions:write"}


async def make_callers(auth: Auth, demo: Demo, *, tight_rub: str) -> list[Caller]:
    """Make accounts with budgets of every owner, period and mode, and return those who ask.

    `tight_rub` is what the account whose budget ends during the storm may spend.
    """
    async with auth.channel() as channel:
        calls = DemoCalls(channel)
        tight, soft, watched, one, two = [await _account(calls) for _ in range(5)]
    application = Caller("application", f"Bearer {_token_of(demo)}", demo)
    with httpx.Client(base_url=demo.url, trust_env=False, timeout=30.0) as client:
        setting = _Setting(client)
        setting.budget(tight.key, period="lifetime", limit_rub=tight_rub)
        setting.budget(soft.key, period="day", limit_rub="0.50", mode="soft")
        setting.budget(soft.key, period="month", limit_rub=WIDE_RUB)
        setting.budget(watched.key, period="week", limit_rub="0.50", mode="shadow")
        setting.budget(one.key, owner="key", owner_id=one.key_id, period="day", limit_rub=WIDE_RUB)
        setting.budget(two.key, period="week", limit_rub=WIDE_RUB)
        grant = _claims(application.authorization)["gid"]
        setting.budget(demo.api_key, owner="app", owner_id=grant, period="day", limit_rub=WIDE_RUB)
        setting.organization(demo.admin_key, [one.user_id, two.user_id])
    named = {"tight": tight, "soft": soft, "watched": watched, "member one": one, "member two": two}
    people = [Caller(name, f"Bearer {each.key}") for name, each in named.items()]
    return [*people, application, Caller("unlimited", f"Bearer {demo.api_key}")]


async def _account(calls: DemoCalls) -> Account:
    name = f"chaos-{secrets.token_hex(6)}@example.com"
    user_id = await calls.seed(name, secrets.token_urlsafe(18))
    if user_id is None:
        raise RuntimeError("accounts cannot be seeded in this profile: make chaos needs the profile `local`")
    key = await calls.new_key(user_id, "chaos", SCOPES)
    return Account(user_id, key, await calls.key_id(key))


def _token_of(demo: Demo) -> str:
    basic = (demo.confidential_client_id, demo.confidential_client_secret)
    answer = httpx.post(f"{demo.url}/token", data=_TOKEN_FORM, auth=basic, trust_env=False)
    return str(answer.raise_for_status().json()["access_token"])


def _claims(authorization: str) -> dict[str, Any]:
    part = authorization.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


class _Setting:
    """Sets budgets over the API, as their owners would."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def budget(self, key: str, **order: str) -> None:
        """Set a budget with the key of its owner."""
        self._post("/v1/budgets", key, order)

    def organization(self, admin_key: str, members: list[str]) -> None:
        """Make an organization of these users with budgets of a month, a day that only tells, a week that watches."""
        made = self._post("/v1/admin/organizations", admin_key, {"name": "Chaos"})["id"]
        for user_id in members:
            path = f"/v1/admin/organizations/{made}/members/{user_id}"
            self._client.put(path, headers=_bearer(admin_key)).raise_for_status()
        for period, mode, limit in (("month", "hard", WIDE_RUB), ("day", "soft", "0.50"), ("week", "shadow", "0.50")):
            order = {"owner": "organization", "owner_id": made, "period": period, "mode": mode, "limit_rub": limit}
            self._post("/v1/admin/budgets", admin_key, order)

    def _post(self, path: str, key: str, body: dict[str, str]) -> Any:
        answer = self._client.post(path, json=body, headers=_bearer(key))
        if answer.is_error:
            raise RuntimeError(f"{path} {body}: {answer.status_code} {answer.text}")
        return answer.json()


def _bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}
