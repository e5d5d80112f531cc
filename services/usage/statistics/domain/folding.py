"""Folds many groups into the most expensive ones and one for all others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Final

from services.usage.statistics.domain.figures import Figures, Quantiles, Row

_SUMS: Final = tuple([field.name for field in fields(Figures) if field.name not in {"latency", "first_token"}])
_Group = tuple[str, ...]


def add_up(figures: Iterable[Figures]) -> Figures:
    """Return the sums; quantiles cannot be added and are None."""
    listed = list(figures)
    return Figures(
        **{name: sum(getattr(each, name) for each in listed) for name in _SUMS},
        latency=Quantiles(),
        first_token=Quantiles(),
    )


def fold(rows: Sequence[Row], top: int) -> list[Row]:
    """Return the rows of the groups that cost most, then in each bucket one row of all others, which says so."""
    kept = _largest(rows, top)
    others: dict[datetime | None, list[Row]] = defaultdict(list)
    folded: list[Row] = []
    for row in rows:
        (folded if row.group in kept else others[row.starts_at]).append(row)
    folded += [
        Row(starts_at, ("",) * len(of_bucket[0].group), add_up(row.figures for row in of_bucket), is_other=True)
        for starts_at, of_bucket in others.items()
    ]
    return sorted(folded, key=_order)


def _largest(rows: Sequence[Row], top: int) -> set[_Group]:
    weight: dict[_Group, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        weight[row.group][0] -= row.figures.cost_micro_rub
        weight[row.group][1] -= row.figures.requests
    return set(sorted(weight, key=lambda group: (weight[group], group))[:top])


def _order(row: Row) -> tuple[float, bool, _Group]:
    return (row.starts_at.timestamp() if row.starts_at else 0.0, row.is_other, row.group)
