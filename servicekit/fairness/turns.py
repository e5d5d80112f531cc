"""Wraps a servicer to limit how many calls of one user are served at the same time; the rest wait.

A service shares a few connections to PostgreSQL among all its work: booking requests, verifying keys, drawing charts.
Without the limit, one user with a thousand queries at once would make everybody else wait.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from servicekit.fairness.shares import Shares
from servicekit.trust.user_context import UserRow


class Turns:
    """A servicer whose methods in `rows` are limited by the user that the request names; others are not limited.

    Streams are not limited: they take a connection for each piece, and a slow reader would hold a place for hours.
    """

    def __init__(self, servicer: Any, rows: Mapping[str, UserRow], shares: Shares) -> None:
        self._servicer = servicer
        self._rows = rows
        self._shares = shares

    def __getattr__(self, method: str) -> Any:
        """Return the servicer's method, limited where it has a row."""
        serve, row = getattr(self._servicer, method), self._rows.get(method)
        if row is None or inspect.isasyncgenfunction(serve):
            return serve

        async def in_turn(request: Any, context: Any) -> Any:
            if not (whose := getattr(request, row.field)):
                return await serve(request, context)
            async with self._shares.one_of(whose):
                return await serve(request, context)

        return in_turn
