"""What the price lists and pages say of the models: windows, prices, and which ones left."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from services.router.tests.adapters import CATALOG, model

TODAY = datetime(2026, 11, 28, tzinfo=UTC)


# 1.10, 1.11, 2.8, 2.9: window, surface, roubles per 1,000 tokens in, out, cached (None: as in).
MODELS: list[tuple[str, str, int, str, tuple[str, str, str | None]]] = [
    ("yandexgpt-5.1", "yandexgpt-5.1", 32_768, "native", ("0.80", "0.80", None)),
    ("yandexgpt-5-pro", "yandexgpt-5-pro", 32_768, "native", ("1.20", "1.20", None)),
    ("yandexgpt-5-lite", "yandexgpt-5-lite", 32_768, "native", ("0.20", "0.20", None)),
    ("yandexgpt:rc", "yandexgpt-5.1", 32_768, "native", ("0.80", "0.80", None)),
    ("yandexgpt:latest", "yandexgpt-5-pro", 32_768, "native", ("1.20", "1.20", None)),
    ("yandexgpt-lite:latest", "yandexgpt-5-lite", 32_768, "native", ("0.20", "0.20", None)),
    ("aliceai-llm", "aliceai-llm", 131_072, "native", ("0.50", "1.20", None)),
    ("aliceai-llm-flash", "aliceai-llm-flash", 65_536, "openai", ("0.10", "0.20", "0.025")),
    ("deepseek-v4-flash", "deepseek-v4-flash", 1_048_576, "openai", ("0.30", "0.50", "0.075")),
    ("qwen3.6-35b-a3b", "qwen3.6-35b-a3b", 262_144, "openai", ("0.20", "0.30", None)),
    ("gigachat", "GigaChat-2", 131_072, "", ("0.065", "0.065", "0")),
    ("gigachat-pro", "GigaChat-2-Pro", 131_072, "", ("0.50", "0.50", "0")),
    ("gigachat-max", "GigaChat-2-Max", 131_072, "", ("0.65", "0.65", "0")),
    ("gigachat-embeddings", "Embeddings", 512, "", ("0.014", "0", "0")),
]


@pytest.mark.parametrize(("name", "told", "window", "surface", "price"), MODELS, ids=[row[0] for row in MODELS])
def test_models_windows_and_prices_are_those_of_the_price_lists(
    name: str, told: str, window: int, surface: str, price: tuple[str, str, str | None]
) -> None:
    """As of 28 November 2026."""
    found = model(name)
    current = max((each for each in found.prices if each.valid_from <= TODAY), key=lambda each: each.valid_from)
    costs = (current.input_micro_rub_per_1k, current.output_micro_rub_per_1k, current.cached_micro_rub_per_1k)

    assert (found.resolved_model, found.context_length, found.surface) == (told, window, surface)
    assert costs == tuple(int(Decimal(each or price[0]) * 10**6) for each in price)


@pytest.mark.parametrize(
    "name",
    ["qwen3-235b-a22b-fp8", "gpt-oss-120b", "deepseek-v32", "GigaChat-Plus", "GigaChat-Max", "GigaCheckDetection"],
)
def test_what_left_and_what_is_no_chat_is_not_served(name: str) -> None:
    """1.10, 2.8: retired names look like permission errors at the provider."""
    found = CATALOG.find(name)

    assert found is None or not found.is_served(TODAY) or found.resolved_model.startswith("GigaChat-2")
