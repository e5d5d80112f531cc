"""The export of a person's data, of the whole suite: every service tells its part to whoever may see the account."""

from __future__ import annotations

import httpx

from services.gateway.management.personal_data_bodies import PersonalDataBody
from tools.stack.running_stack import RunningStack

SCOPES = ["profile:read", "completions:write", "notifications:write", "keys:write"]


def test_what_was_made_anywhere_is_in_the_export(stack: RunningStack) -> None:
    """Services believe a credential that may see the account, though it may list neither reports nor budgets."""
    account = stack.new_account(scopes=SCOPES)
    headers = {"Authorization": f"Bearer {account.key}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=60) as client:
        asked = {"file": ("вопросы.jsonl", b"{}\n")}
        file = client.post("/v1/files", files=asked, data={"purpose": "batch"}).raise_for_status().json()
        hook = {"name": "hook", "url": "https://hooks.example.ru/razvilka"}
        webhook = client.post("/v1/webhooks", json=hook).raise_for_status().json()

        told = client.get("/v1/users/me/export").raise_for_status().json()

    assert set(told) == set(PersonalDataBody.model_fields)
    assert PersonalDataBody.model_validate(told)
    assert [(each["id"], each["filename"]) for each in told["files"]] == [(file["id"], "вопросы.jsonl")]
    assert [(each["id"], each["target"]) for each in told["notification_channels"]] == [(webhook["id"], hook["url"])]
    assert webhook["secret"] not in str(told)
    assert {each["subject"] for each in told["credential_audit_log"]} == {f"key:{account.key_id}"}


def test_a_credential_that_may_not_see_the_account_has_no_export(stack: RunningStack) -> None:
    """Whatever else it may."""
    account = stack.new_account(scopes=["usage:read", "completions:write", "notifications:write"])

    headers = {"Authorization": f"Bearer {account.key}"}
    answer = httpx.get(f"{stack.url}/v1/users/me/export", headers=headers, timeout=60)

    assert answer.status_code == 403
