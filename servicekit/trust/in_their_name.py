"""Wraps a servicer to check calls that are made in a user's name."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

import grpc

Row = TypeVar("Row")
Asked = TypeVar("Asked", contravariant=True)
Context = grpc.aio.ServicerContext[Any, Any]


class ChecksUser(Protocol[Asked]):
    """Checks whether a call may be made in the name of the user that its request names."""

    async def check(self, request: Any, row: Asked, context: Context) -> None:
        """Return when it may.

        Raises:
            ServiceError: it may not.
        """
        ...


class InTheirName(Generic[Row]):
    """A servicer whose methods in `rows` are checked before they are served.

    Args:
        servicer: serves the calls.
        rows: method -> the row that the check is given; a method without one is not checked.
        check: raises when the call is not allowed.
    """

    def __init__(self, servicer: Any, rows: Mapping[str, Row], check: ChecksUser[Row]) -> None:
        self._servicer = servicer
        self._rows = rows
        self._check = check

    def __getattr__(self, method: str) -> Any:
        """Return the servicer's method, checked first where it has a row."""
        serve, row = getattr(self._servicer, method), self._rows.get(method)
        if row is None:
            return serve
        if inspect.isasyncgenfunction(serve):
            return self._checked_stream(serve, row)

        async def checked(request: Any, context: Context) -> Any:
            await self._check.check(request, row, context)
            return await serve(request, context)

        return checked

    def _checked_stream(self, serve: Any, row: Row) -> Any:
        async def checked(request: Any, context: Context) -> AsyncIterator[Any]:
            await self._check.check(request, row, context)
            async for message in serve(request, context):
                yield message

        return checked
