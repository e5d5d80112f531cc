"""Budgets that are set over the API count at the gateway, and their rows are the account's own."""

from __future__ import annotations

from typing import Any, Final

import httpx

from tests.integration.books import Books
from tests.integration.caller import ask
from tests.integration.waiting import wait_until
from tools.stack.running_stack import RunningStack

SHORT: Final = "Где север? [[tokens:3]]"
SCOPES: Final = ("completions:write", "usage:read", "keys:write")


def test_a_budget_that_is_set_refuses_and_one_that_is_lifted_does_not(stack: RunningStack, books: Books) -> None:
    """Within seconds, with the limit named; the list says what was spent, and the books agree."""
    account = stack.new_account(scopes=SCOPES)
    headers = {"authorization": f"Bearer {account.key}"}
    with httpx.Client(base_url=stack.url, headers=headers, trust_env=False, timeout=30.0) as client:
        assert ask(stack.url, account.key, SHORT, max_tokens=50).status == 200
        spent = books.wait_for_rows(account.user_id)[0]["micro_rub"]

        made = client.post("/v1/budgets", json={"period": "week", "limit_micro_rub": spent + 1})
        assert made.status_code == 201, made.text
        refused = wait_until(
            lambda: client.post("/v1/chat/completions", json=body()), lambda answer: answer.status_code == 429
        )
        listed = client.get("/v1/budgets").json()["data"]
        client.patch(f"/v1/budgets/{made.json()['id']}", json={"mode": "shadow"}).raise_for_status()
        wait_until(lambda: client.post("/v1/chat/completions", json=body()), lambda answer: answer.status_code == 200)

    details = refused.json()["error"]["details"]
    assert {"limit_id": made.json()["id"], "owner": "user", "period": "week"}.items() <= details.items()
    assert refused.headers["x-razvilka-limit"].startswith(f'"{made.json()["id"]}";mode=hard')
    [shown] = [each for each in listed if each["id"] == made.json()["id"]]
    assert shown["spent_micro_rub"] >= spent
    books.check(account.user_id)


def body() -> dict[str, Any]:
    """Return a request that names its length: it is not made to fit."""
    return {"model": "yandexgpt:latest", "max_tokens": 50, "messages": [{"role": "user", "content": SHORT}]}
