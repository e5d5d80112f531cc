"""The parameters of a statement, in order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.usage.statistics.domain.pieces import Move, Pieces, down, split
from services.usage.statistics.domain.query import Query
from services.usage.statistics.store.sources import Rollup

Windows = Sequence[tuple[datetime, datetime]]


def values_for_rows(query: Query, starts: list[datetime]) -> tuple[Any, ...]:
    """Return the parameters of a statement about rows."""
    return (query.user_id, query.since, query.until, starts, *_wanted(query), *_part(query))


def values_for_windows(
    query: Query, starts: list[datetime], windows: Windows, kept: Sequence[tuple[str, ...]]
) -> tuple[Any, ...]:
    """Return the parameters of a statement about the rows in some windows; `kept` has the groups of a folded answer."""
    since, until = [begin for begin, _ in windows], [end for _, end in windows]
    columns = [[group[place] for group in kept] for place in range(len(query.group_by))] if query.is_folded else []
    return (query.user_id, since, until, starts, *_wanted(query), *columns)


def values_for_slots(query: Query, rollup: Rollup | None) -> tuple[Any, ...]:
    """Return the parameters of a statement about where requests are."""
    if rollup is None:
        return (query.user_id, query.since, query.until, *_wanted(query))
    last = query.until - timedelta(microseconds=1)
    return (query.user_id, *[_place(down(each, rollup.slot), rollup) for each in (query.since, last)], *_wanted(query))


def values_for_rollup(query: Query, rollup: Rollup, finer: Rollup | None, pieces: Pieces) -> tuple[Any, ...]:
    """Return the parameters of a statement about a rollup, and a finer one where there is one."""
    places = [_place(each, rollup) for each in (*pieces.starts, pieces.ends_at)]
    bounds = (query.user_id, places[0], places[-1], places[:-1])
    if finer is None:
        return (*bounds, *_columns(pieces.moves), *_wanted(query), *_part(query))
    whole, rest = split(pieces.moves, finer.slot)
    return (*bounds, *_columns(rest), *_columns(whole), *_wanted(query), *_part(query))


def _columns(moves: Sequence[Move]) -> tuple[list[Any], ...]:
    return (
        [move.since for move in moves],
        [move.until for move in moves],
        [move.counted_in for move in moves],
        [move.belongs_to for move in moves],
    )


def _place(moment: datetime, rollup: Rollup) -> Any:
    return moment.astimezone(UTC).date() if rollup.time_type == "date" else moment


def _wanted(query: Query) -> list[list[str]]:
    return [list(query.filters[dimension]) for dimension in sorted(query.filters)]


def _part(query: Query) -> list[int | str]:
    if query.limit:
        return [query.limit, *(query.after.group if query.after else ())]
    return [query.top] if query.is_folded else []
