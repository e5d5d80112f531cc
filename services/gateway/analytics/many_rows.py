"""Answers of many rows: a hundred thousand groups by tag are written aside, while others are served."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from fastapi import Response
from pydantic import BaseModel, TypeAdapter

from services.gateway.analytics.bodies import RowBody
from services.gateway.analytics.views import row_body
from services.gateway.clients.usage_statistics.values import Row

# A row takes a tenth of a millisecond: of all that are possible that would be ten seconds without a turn for others.
MOST_AT_ONCE: Final = 500
# A piece is checked and written in one go, which no thread interrupts.
_PIECE: Final = 100
_NONE: Final = b'"data":[]'

_rows: Final = TypeAdapter(list[RowBody])
Order = Callable[[Row], Any]


async def with_rows(
    body: type[BaseModel],
    head: Mapping[str, Any],
    rows: Sequence[Row],
    group_by: Sequence[str],
    order: Order | None = None,
) -> dict[str, Any] | Response:
    """Return a body with its rows, in order: as it is for FastAPI to write, or, where they are many, written."""
    if len(rows) <= MOST_AT_ONCE:
        return {**head, "data": [row_body(row, group_by) for row in _ordered(rows, order)]}
    content = await asyncio.to_thread(_written, body, head, rows, group_by, order)
    return Response(content, media_type="application/json")


def _written(
    body: type[BaseModel], head: Mapping[str, Any], rows: Sequence[Row], group_by: Sequence[str], order: Order | None
) -> bytes:
    ordered = _ordered(rows, order)
    pieces = [
        _rows.dump_json(_rows.validate_python([row_body(row, group_by) for row in ordered[at : at + _PIECE]]))[1:-1]
        for at in range(0, len(ordered), _PIECE)
    ]
    around = body.model_validate({**head, "data": []}).model_dump_json(by_alias=True).encode()
    before, _, behind = around.partition(_NONE)
    return b"".join([before, _NONE[:-1], b",".join(pieces), b"]", behind])


def _ordered(rows: Sequence[Row], order: Order | None) -> Sequence[Row]:
    return rows if order is None else sorted(rows, key=order)
