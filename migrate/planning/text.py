"""What a trial says of time and room, as lines for the operator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MB = 2**20


def cost_lines(trial: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the move takes, a line each."""
    yield f"time: {trial['seconds']:,.0f} s here and now, {trial['rows_per_s']:,} rows/s"
    free = trial["target_free_bytes"]
    has = "the server does not say what is free" if free is None else f"{free // MB:,} MB free"
    yield f"room in PostgreSQL: {trial['target_bytes'] / MB:,.1f} MB, and as much for its log while it runs; {has}"
    yield f"room for the report: {trial['report_bytes'] / MB:,.1f} MB; {trial['report_free_bytes'] // MB:,} MB free"
