"""The report `requests`: one row for each request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo

from services.usage.reports.domain.order import Language
from services.usage.reports.domain.tables import CellRow, CellType, Column
from services.usage.reports.domain.words import word
from services.usage.statistics.domain.figures import Figures
from services.usage.statistics.domain.request_line import RequestLine

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
    Column("tags"),
)
NAMES: Final = tuple([column.name for column in COLUMNS])


def cells_of_request(line: RequestLine, zone: ZoneInfo, key_names: Mapping[str, str]) -> CellRow:
    """Return the cells of one request, in the order of `COLUMNS`; times are told in the zone."""
    return (
        line.request_id,
        line.created_at.astimezone(zone),
        line.provider,
        line.model,
        line.requested_model,
        line.resolved_model,
        line.endpoint,
        line.key_id,
        key_names.get(line.key_id, ""),
        line.client_id,
        line.status,
        line.source,
        line.error_code,
        line.tokens_input,
        line.tokens_cached,
        line.tokens_output,
        line.tokens_reasoning,
        line.cost_micro_rub,
        line.latency_ms,
        line.first_token_ms or None,
        "; ".join(f"{name}={value}" for name, value in sorted(line.tags.items())),
    )


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
