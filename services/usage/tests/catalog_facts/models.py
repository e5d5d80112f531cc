"""Facts for tests: two models of one provider, a dear and a cheap one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from services.usage.catalog_facts.domain.facts import DatedPrice, ModelFacts

LAST_YEAR: Final = datetime(2025, 1, 1, tzinfo=UTC)
JULY: Final = datetime(2026, 7, 1, tzinfo=UTC)

DEAR: Final = ModelFacts(
    model="yandexgpt:latest",
    family="yandexgpt",
    version="latest",
    provider="yandexgpt",
    kind="chat",
    resolved_model="yandexgpt-5-pro",
    context_length=32_768,
    max_output_tokens=8_192,
    shutdown_at=None,
    deprecated_at=None,
    successor="",
    prices=(
        DatedPrice("2025-01-01", 1_200_000, 1_200_000, None, LAST_YEAR),
        DatedPrice("2026-07-01", 800_000, 800_000, 200_000, JULY),
    ),
)
CHEAP: Final = replace(
    DEAR,
    model="yandexgpt-lite:latest",
    family="yandexgpt-lite",
    resolved_model="yandexgpt-5-lite",
    prices=(DatedPrice("2025-01-01", 200_000, 200_000, None, LAST_YEAR),),
)


def facts(model: str, **changes: Any) -> ModelFacts:
    """Return facts of a model like the dear one, with changes."""
    return replace(DEAR, model=model, family=model.partition(":")[0], **changes)
