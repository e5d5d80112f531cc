"""Stands before a servicer: of what one user asks, so much is answered at once, and the rest waits its turn.

All of a service shares a few connections to PostgreSQL: those who keep the books, verify keys, look at charts. One user
with a thousand questions at once would have everybody else stand behind them.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from servicekit.fairness.shares import Shares
from servicekit.trust.user_context import UserRow


class Turns:
    """A servicer whose methods that are in `rows` take turns by the user whom the request names; nobody waits for none.

    Streams do not: they have a connection for each of their pieces, and a slow reader would have a place for hours.
    """

    def __init__(self, servicer: Any, rows: Mapping[str, UserRow], shares: Shares) -> None:
        self._servicer = servicer
        self._rows = rows
        self._shares = shares

    def __getattr__(self, method: str) -> Any:
        """Return the servicer's method, in its turn where it has a row."""
        serve, row = getattr(self._servicer, method), self._rows.get(method)
        if row is None or inspect.isasyncgenfunction(serve):
            return serve

        async def in_turn(request: Any, context: Any) -> Any:
            if not (whose := getattr(request, row.field)):
                return await serve(request, context)
            async with self._shares.one_of(whose):
                return await serve(request, context)

        return in_turn
