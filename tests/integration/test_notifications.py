"""Notifications through the whole suite: a request is paid, a budget reaches its share, somebody is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
import pytest
from razvilka.auth.v1 import auth_pb2

from tests.integration.caller import ask
from tools.stack.running_stack import Account, RunningStack

SCOPES: Final = ["models:read", "completions:write", "usage:read", "notifications:write"]
LONG_S: Final = 60.0
Got = tuple[dict[str, str], bytes]


class Receiver:
    """A receiver of webhooks in a thread."""

    def __init__(self) -> None:
        self.got: queue.Queue[Got] = queue.Queue()
        got = self.got

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got.put(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, daemon=True)
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


def client_of(stack: RunningStack, account: Account) -> httpx.Client:
    return httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {account.key}"}, timeout=30)


def until(told: Callable[[], Any]) -> Any:
    """Return what is told as soon as it is something."""
    give_up_at = time.monotonic() + LONG_S
    while not (found := told()):
        assert time.monotonic() < give_up_at
        time.sleep(0.1)
    return found


def test_a_budget_that_reaches_its_share_is_told_by_a_signed_webhook(stack: RunningStack, receiver: Receiver) -> None:
    """From the key's cap at auth over the rows of usage to the receiver, verified as its libraries do."""
    account = stack.new_account(scopes=SCOPES, budget_micro_rub=3_000_000, budget_period=auth_pb2.BUDGET_PERIOD_MONTH)
    with client_of(stack, account) as client:
        hook = client.post("/v1/webhooks", json={"url": receiver.url}).json()
        order = {
            "kind": "budget.threshold",
            "channels": [hook["id"]],
            "thresholds": [1],
            "subject": f"key:{account.key_id}",
        }
        rule = client.post("/v1/alerts", json=order)
        heard = ask(stack.url, account.key, "Вопрос [[text:" + "да " * 300 + "]]", model="yandexgpt", stream=False)
        headers, body = receiver.got.get(timeout=LONG_S)
        history = until(lambda: _delivered(client, hook["id"]))

    told = json.loads(body)
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(hook["secret"].removeprefix("whsec_"))
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    assert (rule.status_code, heard.status) == (201, 200), rule.text
    assert headers["webhook-signature"] == f"v1,{signature}"
    assert (told["type"], told["data"]["subject"]) == ("budget.threshold", f"key:{account.key_id}")
    assert told["data"]["spent_micro_rub"] >= 30_000
    assert [delivery["event_id"] for delivery in history] == [headers["webhook-id"]]


def _delivered(client: httpx.Client, webhook_id: str) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = client.get(f"/v1/webhooks/{webhook_id}/deliveries").json()["data"]
    return [each for each in data if each["state"] == "delivered"]


def test_a_mail_waits_in_the_local_outbox_and_its_link_ends_mails(stack: RunningStack) -> None:
    """By the test button, at once; nobody needs to log in to unsubscribe."""
    account = stack.new_account(scopes=SCOPES)
    with client_of(stack, account) as client:
        made = client.post("/v1/alerts/channels", json={"kind": "email", "name": "me"}).json()
        tested = client.post(f"/v1/alerts/channels/{made['id']}/test")
        mail = until(lambda: _mail(stack, account))
        link = mail.partition("/unsubscribe?token=")[2].split()[0]
        ended = httpx.post(f"{stack.url}/unsubscribe", params={"token": link}, timeout=30)
        (channel,) = client.get("/v1/alerts/channels").json()["data"]

    assert (tested.status_code, ended.status_code) == (202, 200)
    assert "канал «me» работает" in mail
    assert (channel["enabled"], channel["disabled"]) == (False, "unsubscribed")


def _mail(stack: RunningStack, account: Account) -> str:
    rows = stack.query("SELECT text FROM usage.notification_outbox WHERE user_id = $1", account.user_id)
    return str(rows[0]["text"]) if rows else ""


def test_nobody_can_have_the_suite_call_an_address_of_its_own_network(stack: RunningStack) -> None:
    """The history says forbidden, and nothing of what lies there."""
    account = stack.new_account(scopes=SCOPES)
    with client_of(stack, account) as client:
        hook = client.post("/v1/webhooks", json={"url": "http://169.254.169.254/latest/meta-data/"}).json()
        client.post(f"/v1/webhooks/{hook['id']}/test")

        def attempts() -> list[dict[str, Any]]:
            data = client.get(f"/v1/webhooks/{hook['id']}/deliveries").json()["data"]
            return [attempt for delivery in data for attempt in delivery["attempts"]]

        (attempt,) = until(attempts)

    assert (attempt["problem"], attempt["status"]) == ("forbidden_address", None)
