"""Who answers, through the whole suite: steered by the caller, pinned by its key, billed as the provider counted."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.books import Books
from tests.integration.caller import CHAT, ask
from tests.integration.providers import Providers
from tools.stack.running_stack import RunningStack

QUESTION = "Где север? [[text:на севере]]"
# Micro-roubles a token, in and out: the catalogue's price of GigaChat Pro.
PRO = 500


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
def test_the_caller_s_own_stand_in_answers_and_is_billed_at_its_price(
    stack: RunningStack, books: Books, providers: Providers, stream: bool
) -> None:
    """YandexGPT is down for good: the answer is GigaChat's, though the catalogue would not have asked it."""
    account = stack.new_account()
    providers.fail("status", operation="chat", model="yandexgpt-5.1", times=-1, code=503)

    heard = ask(stack.url, account.key, QUESTION, model="yandexgpt-5.1", stream=stream, models=["gigachat-pro"])

    assert (heard.status, heard.text, heard.is_whole) == (200, "на севере", True), heard.body
    assert heard.headers["x-razvilka-model"] == "GigaChat-2-Pro"
    [row] = books.wait_for_rows(account.user_id)
    used = providers.calls()[-1]
    assert (row["model"], row["flags"]) == ("gigachat-pro", "")
    assert (row["tokens_input"], row["tokens_output"]) == (used["prompt_tokens"], used["completion_tokens"])
    assert row["micro_rub"] == PRO * (row["tokens_input"] + row["tokens_output"])
    books.check(account.user_id)


def test_a_name_of_the_account_holds_for_its_next_key(stack: RunningStack, providers: Providers) -> None:
    """A client that only knows `gpt-4o` talks to YandexGPT."""
    owner = stack.new_account(scopes=["keys:read", "keys:write", "completions:write"])
    asked: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": QUESTION}]}
    with httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {owner.key}"}, timeout=30) as client:
        told = client.put("/v1/users/me/model-names", json={"names": {"gpt-4o": "yandexgpt-5.1"}})
        # No gateway knows a new key yet: what was set counts at once.
        made = client.post("/v1/keys", json={"name": "client", "scopes": ["completions:write"]})
        answer = client.post(CHAT, json=asked, headers={"authorization": f"Bearer {made.json()['key']}"})

    assert (told.status_code, made.status_code) == (200, 201), told.text + made.text
    assert (answer.status_code, answer.json()["model"]) == (200, "gpt-4o"), answer.text
    assert answer.headers["x-razvilka-model"] == "yandexgpt-5.1"
    assert providers.calls()[-1]["model"].endswith("yandexgpt-5.1")
