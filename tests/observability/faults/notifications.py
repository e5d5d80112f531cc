"""Faults of notifications: who is written to refuses, or keeps the suite waiting."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import httpx
from razvilka.auth.v1 import auth_pb2

from tests.observability.load import ask
from tests.observability.scene import Scene, fault
from tools.stack.running_stack import Account

SCOPES: Final = ["models:read", "completions:write", "usage:read", "notifications:write"]
# What a user may have.
CHANNELS: Final = 20
# Two users with so many rules by as many channels wait for more deliveries than the alarm allows.
USERS, RULES = 2, 27
MODEL: Final = "yandexgpt-lite"


def new_user(scene: Scene) -> Account:
    month = auth_pb2.BUDGET_PERIOD_MONTH
    return scene.stack.new_account(scopes=SCOPES, budget_micro_rub=1_000_000, budget_period=month)


def client_of(scene: Scene, account: Account) -> httpx.Client:
    headers = {"authorization": f"Bearer {account.key}"}
    return httpx.Client(base_url=scene.stack.url, headers=headers, timeout=60, trust_env=False)


def made(client: httpx.Client, path: str, body: dict[str, Any]) -> str:
    """Make something and return its id."""
    answer = client.post(path, json=body)
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return str(answer.json()["id"])


@fault(
    "NotificationsFailing",
    done="the mail server refuses every mail",
    mended="it takes them",
)
def no_mail_is_taken(scene: Scene) -> Iterator[None]:
    account = new_user(scene)
    with client_of(scene, account) as client:
        channels = [made(client, "/v1/alerts/channels", {"kind": "email", "name": f"{n}"}) for n in range(CHANNELS)]
    scene.correspondents.refuse_mails()

    def test_all() -> None:
        with client_of(scene, account) as client:
            for channel in channels:
                client.post(f"/v1/alerts/channels/{channel}/test")

    test_all()
    yield
    scene.correspondents.take_mails()
    scene.meanwhile = test_all


def _make_many_wait(scene: Scene, _: int) -> None:
    """Make a user whom one request has told by all his rules and channels at once."""
    account = new_user(scene)
    with client_of(scene, account) as client:
        hooks = [made(client, "/v1/webhooks", {"url": f"{scene.correspondents.hook_url}/{n}"}) for n in range(CHANNELS)]
        rule = {"kind": "budget.threshold", "channels": hooks, "subject": f"key:{account.key_id}", "thresholds": [1]}
        for _ in range(RULES):
            made(client, "/v1/alerts", rule)
        asked = ask(scene.stack, MODEL, key=account.key, content="Вопрос [[text:" + "да " * 300 + "]]")
        assert asked.status_code == httpx.codes.OK, asked.text


@fault(
    "NotificationsPilingUp",
    done="the receivers of forty webhooks accept calls and do not answer, while budgets are spent",
    mended="they answer again",
)
def receivers_hang(scene: Scene) -> Iterator[None]:
    scene.correspondents.answers.clear()
    with ThreadPoolExecutor(USERS) as pool:
        list(pool.map(lambda number: _make_many_wait(scene, number), range(USERS)))
    yield
    scene.correspondents.answers.set()
