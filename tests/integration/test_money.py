"""What an answer cost, from the catalogue's prices, to the micro-rouble."""

from decimal import Decimal
from typing import Any

import httpx
import pytest

THOUSAND = Decimal(1000)


@pytest.mark.parametrize(
    ("model", "rouble_in", "rouble_out", "rouble_cached"),
    [("gigachat-pro", "0.50", "0.50", "0"), ("yandexgpt-lite:latest", "0.20", "0.20", "0.20")],
)
def test_the_cost_is_tokens_times_the_price_of_the_day(
    stack: Any, model: str, rouble_in: str, rouble_out: str, rouble_cached: str
) -> None:
    """Cached input has its own price: GigaChat's is free."""
    body = {"model": model, "messages": [{"role": "user", "content": "Сколько до реки? [[tokens:7]] [[cached:3]]"}]}
    answer = httpx.post(
        f"{stack.url}/v1/chat/completions", json=body, headers={"authorization": f"Bearer {stack.api_key}"}, timeout=60
    )
    usage = answer.json()["usage"]
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    expected = (
        (usage["prompt_tokens"] - cached) * Decimal(rouble_in)
        + cached * Decimal(rouble_cached)
        + usage["completion_tokens"] * Decimal(rouble_out)
    ) / THOUSAND

    assert (cached > 0) == (model == "gigachat-pro")
    assert Decimal(usage["cost_rub"]) == expected
    assert int(answer.headers["x-razvilka-cost-micro-rub"]) == expected * 1_000_000
