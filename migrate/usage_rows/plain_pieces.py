"""PlainPieces: pieces of rows all of which are plain, column by column: half of what it takes to read row by row."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from operator import add
from typing import Any, TypeAlias

from migrate.rules.plain_columns import are_plain_tokens, plain_costs, plain_ids
from migrate.usage_rows.plain_rows import SINCE_2000, PlainRows

Columns: TypeAlias = tuple[
    Sequence[bytes], Sequence[int], Sequence[int], Sequence[int], Sequence[int], Sequence[bytes]
]  # fmt: skip
"""What `PlainRow` has of each row: all ids, all moments and so on."""


class PlainPieces:
    """Reads pieces as `Scan.cells` yields them; of a piece that it does not read each row may be as good."""

    def __init__(self, rows: PlainRows) -> None:
        """`rows` reads single rows, and remembers for both."""
        self._rows = rows

    def read(self, piece: Sequence[Sequence[object]]) -> Columns | None:
        """Return a piece, unless something in it is not plain; it has a row at least."""
        columns: list[Sequence[Any]] = list(zip(*piece, strict=True))
        named = self._rows.named(columns, (None,) * len(piece))
        if named is None:
            return None
        ids, users, models, tokens_input, tokens_output, costs, times, providers = named
        if not are_plain_tokens(tokens_input) or not are_plain_tokens(tokens_output):
            return None
        raw, micro_rub = plain_ids(ids), plain_costs(costs)
        if raw is None or micro_rub is None:
            return None
        texts, micros = self._texts(users, providers, models), self._rows.times.column(times)
        if texts is None or micros is None:
            return None
        return raw, list(map(add, micros, repeat(SINCE_2000))), tokens_input, tokens_output, micro_rub, texts

    def _texts(
        self, users: Sequence[object], providers: Sequence[object], models: Sequence[object]
    ) -> list[bytes] | None:
        of_users = list(map(self._rows.user, users))
        of_models = list(map(self._rows.model, providers, models))
        if None in of_users or None in of_models:
            return None
        return list(map(add, of_users, of_models))
