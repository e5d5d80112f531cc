"""aiohttp's connection pool, with bodies that end when their connection does, and answers to what was asked only.

When aiohttp's parser refuses what follows the headers (a chunk size that is no number), it closes the connection and
tells nobody who reads the body: the reader waits for its time-out, or gets a RuntimeError (seen with 3.14.5).

And what comes on a connection that waits in the pool is kept there by aiohttp for whoever is given the connection next:
a second answer to one caller's question was the answer to another's.
"""

from __future__ import annotations

import functools
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler


class BodyEndingHandler(ResponseHandler):
    """The protocol handler of one connection."""

    def is_connected(self) -> bool:
        """Tell whether the connection can be used: one with an answer in it that nobody has asked for cannot."""
        return super().is_connected() and not self._buffer

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wake whoever still reads the body."""
        body = self._payload
        super().connection_lost(exc)
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(aiohttp.ClientPayloadError("The connection ended inside the body."))


class BodyEndingConnector(aiohttp.TCPConnector):
    """A pool of such connections."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._factory = functools.partial(BodyEndingHandler, loop=self._loop)  # type: ignore[assignment]
