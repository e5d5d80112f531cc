"""GET /v1/usage/forecast over the whole suite."""

from __future__ import annotations

from typing import Any

from tests.integration.caller import ask, call
from tests.integration.waiting import wait_until
from tools.stack.running_stack import RunningStack


def test_a_new_account_is_told_what_it_spent_and_why_nothing_is_foretold(stack: RunningStack) -> None:
    """Through edge, signed context, row security and back; a limit that is spent already is reached today."""
    key = stack.issue_key()
    headers = {"authorization": f"Bearer {key}", "accept-language": "en"}

    def forecast() -> dict[str, Any]:
        heard = call(stack.url, "GET", "/v1/usage/forecast?limit_rub=0.000001", headers=headers)
        assert heard.status == 200, heard.body
        found: dict[str, Any] = heard.json
        return found

    cost = ask(stack.url, key, "Hello", model="yandexgpt-lite").json["usage"]["cost_rub"]
    found = wait_until(forecast, lambda body: body["month_end"]["spent_micro_rub"] > 0)

    assert found["month_end"]["spent_rub"] == cost
    assert (found["refusal"]["code"], found["history_days"], found["points"]) == ("short_history", 0, [])
    assert found["limit_eta"]["on"] == found["limit_eta"]["earliest"] is not None
    assert found["limit_eta"]["message"].endswith("is reached.")
