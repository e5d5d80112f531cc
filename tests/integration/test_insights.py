"""Patterns, anomalies and advice through the whole suite: certificates, signed users, a catalogue that was told."""

from __future__ import annotations

from typing import Any

import httpx

from tools.stack.running_stack import Account, RunningStack

SCOPES = ["completions:write", "usage:read", "keys:read", "profile:write"]


def ask(stack: RunningStack, account: Account, method: str, path: str, **more: Any) -> httpx.Response:
    """Return the answer to a request of an account."""
    headers = {"authorization": f"Bearer {account.key}"}
    return httpx.request(method, f"{stack.url}{path}", headers=headers, trust_env=False, timeout=60, **more)


def test_an_account_sees_what_shows_in_its_usage(stack: RunningStack) -> None:
    """Of a new one nothing does, and its one key is no idle one; what is not there cannot be decided on."""
    account = stack.new_account(scopes=SCOPES)
    none = "7f1f0b52-5e39-5c7e-9f53-000000000002"

    patterns = ask(stack, account, "GET", "/v1/usage/patterns?tz=Asia/Kolkata")
    anomalies = ask(stack, account, "GET", "/v1/usage/anomalies?period=all")
    advice = ask(stack, account, "GET", "/v1/usage/recommendations")
    feedback = ask(stack, account, "POST", f"/v1/usage/anomalies/{none}/feedback", json={"feedback": "expected"})
    decision = ask(stack, account, "POST", f"/v1/usage/recommendations/{none}", json={"state": "done"})

    assert (patterns.status_code, patterns.json()["data"]) == (200, [])
    assert patterns.json()["time_zone"] == "Asia/Kolkata"
    assert (anomalies.json()["data"], advice.json()["data"]) == ([], [])
    assert (feedback.status_code, decision.status_code) == (404, 404)
