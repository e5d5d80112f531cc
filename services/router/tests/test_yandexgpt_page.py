"""docs/api/yandexgpt.md says what the shipped catalogue says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from services.router.domain.catalog import Model
from services.router.domain.routing_policy import candidates
from services.router.tests.adapters import shipped_catalog

PAGE = Path(__file__).parents[3] / "docs/api/yandexgpt.md"
# The day on which the page was written: its prices are of that day.
WRITTEN = datetime(2026, 11, 29, tzinfo=UTC)
CATALOG = shipped_catalog(WRITTEN)
SERVED = [model for model in CATALOG.models if model.provider == "yandexgpt" and model.is_served(WRITTEN)]


def rows(marker: str) -> list[list[str]]:
    """Return the cells of the table behind a marker, its head left out."""
    behind = PAGE.read_text(encoding="utf-8").split(f"<!-- {marker}:")[1]
    table = re.search(r"\n\n((?:\|.*\n)+)", behind)
    assert table is not None
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in table[1].splitlines()[2:]]


def test_channels_point_where_the_page_says() -> None:
    """With what stands in for them."""
    told = {channel: (model, stand_in) for channel, model, stand_in in rows("channels")}

    assert told == {
        model.id: (
            model.resolved_model,
            ", ".join(other.resolved_model for other in candidates(CATALOG, model, WRITTEN)[1:]) or "–",
        )
        for model in SERVED
        if model.version
    }


def roubles(micro: int) -> str:
    return f"{micro / 1e6:.2f}"


def shown(model: Model) -> list[str]:
    price = [each for each in model.prices if each.valid_from <= WRITTEN][-1]
    return [
        model.id,
        f"{model.context_length:,}",
        f"{model.max_output_tokens:,}",
        roubles(price.input_micro_rub_per_1k),
        roubles(price.output_micro_rub_per_1k),
        "yes" if "vision" in model.features else "–",
        "yes" if "reasoning" in model.features else "–",
    ]


def test_models_are_as_large_and_as_dear_as_the_page_says() -> None:
    """All that can be asked for by their own names."""
    assert rows("models") == [shown(model) for model in SERVED if model.kind == "chat" and not model.version]
