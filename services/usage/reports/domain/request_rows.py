"""The report `requests`: a row a request."""

from __future__ import annotations

from typing import Final

from services.usage.reports.domain.order import Language
from services.usage.reports.domain.tables import CellRow, CellType, Column
from services.usage.reports.domain.words import word
from services.usage.statistics.domain.figures import Figures

COLUMNS: Final = (
    Column("id"),
    Column("time", CellType.MOMENT),
    Column("provider", title_key="request.provider"),
    Column("model", title_key="request.model"),
    Column("requested_model"),
    Column("resolved_model"),
    Column("endpoint"),
    Column("key_id"),
    Column("key_name"),
    Column("app"),
    Column("status"),
    Column("source"),
    Column("error"),
    Column("tokens_input", CellType.INTEGER),
    Column("tokens_cached", CellType.INTEGER),
    Column("tokens_output", CellType.INTEGER),
    Column("tokens_reasoning", CellType.INTEGER),
    Column("cost_rub", CellType.ROUBLES),
    Column("latency_ms", CellType.INTEGER),
    Column("first_token_ms", CellType.INTEGER),
)
NAMES: Final = tuple([column.name for column in COLUMNS])
KEY_NAME: Final = NAMES.index("key_name")


def totals_row(totals: Figures, language: Language) -> CellRow:
    """Return the last row: what all rows above add up to."""
    sums: dict[str, int | str] = {
        "id": word("total", language),
        "tokens_input": totals.tokens_input,
        "tokens_cached": totals.tokens_cached,
        "tokens_output": totals.tokens_output,
        "tokens_reasoning": totals.tokens_reasoning,
        "cost_rub": totals.cost_micro_rub,
    }
    return tuple([sums.get(name) for name in NAMES])
