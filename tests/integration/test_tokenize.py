"""POST /v1/tokenize: what it counts is what a bill counts."""

from __future__ import annotations

import pytest

from tests.integration.caller import ask, call
from tests.integration.providers import Providers
from tools.stack.running_stack import RunningStack

QUESTION = "Где север, если темно и нет мха?"
# What the catalogue takes for GigaChat's template, whose tokenizer does not see it: the real one differs a little.
TEMPLATE_ERROR = {"yandexgpt-5.1": 0, "gigachat-pro": 4}


@pytest.mark.parametrize("model", TEMPLATE_ERROR)
def test_a_chat_is_counted_as_it_is_billed(stack: RunningStack, providers: Providers, model: str) -> None:
    """By the same tokenizer, which is asked once for the same question."""
    body = {"model": model, "messages": [{"role": "user", "content": QUESTION}]}
    headers = {"authorization": f"Bearer {stack.issue_key()}"}

    counted = call(stack.url, "POST", "/v1/tokenize", headers=headers, json=body)
    call(stack.url, "POST", "/v1/tokenize", headers=headers, json=body)
    answered = ask(stack.url, stack.api_key, QUESTION, model=model)

    assert (counted.status, counted.json["counted_by"]) == (200, "provider")
    billed = answered.json["usage"]["prompt_tokens"]
    assert abs(counted.json["total_tokens"] - billed) <= TEMPLATE_ERROR[model]
    assert len(providers.calls("tokenize")) <= 1


def test_an_upstream_without_a_tokenizer_is_estimated(stack: RunningStack) -> None:
    """And says so."""
    headers = {"authorization": f"Bearer {stack.api_key}"}

    counted = call(stack.url, "POST", "/v1/tokenize", headers=headers, json={"model": "toy-large", "input": QUESTION})

    assert (counted.status, counted.json["counted_by"]) == (200, "estimate")
    assert counted.json["total_tokens"] > 0
