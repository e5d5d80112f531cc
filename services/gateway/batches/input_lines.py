"""Lines of an input file: cut from its parts, and checked one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final

import msgspec

from servicekit.errors import InvalidRequest
from services.gateway.batches.line_route import LineRoute
from services.gateway.clients.router.batch_work import NewLine
from services.gateway.clients.router.batches import LineError
from services.gateway.metering.storable import is_text

LONGEST_ID: Final = 512
# Lines, also those that say nothing, between two turns of the event loop: a part may have a million of them.
PAUSE_EVERY: Final = 5000


class _InputLine(msgspec.Struct):
    custom_id: str
    method: str
    url: str
    body: msgspec.Raw


_decode: Final = msgspec.json.Decoder(_InputLine).decode


class WrongLineError(Exception):
    """A line cannot be asked; `error` says why."""

    def __init__(self, error: LineError) -> None:
        super().__init__(error.message)
        self.error = error


async def lines_of(parts: AsyncIterable[bytes], longest: int) -> AsyncIterator[tuple[int, bytes]]:
    """Yield the lines that say something, with their numbers from 1.

    Raises:
        WrongLineError: one is longer than `longest` bytes, and what follows cannot be read.
    """
    number, rest = 0, b""
    async for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            number += 1
            _check_length(number, line, longest)
            if number % PAUSE_EVERY == 0:
                await asyncio.sleep(0)
            if line.strip():
                yield number, line
        _check_length(number + 1, rest, longest)
    if rest.strip():
        yield number + 1, rest


def _check_length(number: int, line: bytes, longest: int) -> None:
    if len(line) > longest:
        raise _wrong(number, "line_too_long", f"A line has more than {longest} bytes.", "")


class LineCheck:
    """Checks the lines of one file, which must differ in their `custom_id`."""

    def __init__(self, endpoint: str, route: LineRoute) -> None:
        self._endpoint = endpoint
        self._route = route
        self._first_of: dict[str, int] = {}

    async def checked(self, number: int, raw: bytes) -> NewLine:
        """Return a line that can be asked.

        Raises:
            WrongLineError: it cannot.
        """
        line = self._shape(number, raw)
        self._check_head(number, line)
        body = bytes(line.body)
        try:
            await self._route.check(body)
        except InvalidRequest as exc:
            param = f"body.{exc.param}" if exc.param and exc.param != "body" else "body"
            raise _wrong(number, "invalid_request", exc.message, param) from exc
        return NewLine(number, line.custom_id, body)

    @staticmethod
    def _shape(number: int, raw: bytes) -> _InputLine:
        try:
            raw.decode()
            return _decode(raw)
        except msgspec.ValidationError as exc:
            text = f"The line is no request of a batch: {exc}."
            raise _wrong(number, "invalid_request", text, "") from exc
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise _wrong(number, "invalid_json_line", "This line is not parseable as valid JSON.", "") from exc

    def _check_head(self, number: int, line: _InputLine) -> None:
        if not line.custom_id or not is_text(line.custom_id, LONGEST_ID):
            text = f"It needs 1 to {LONGEST_ID} characters, none of them NUL."
            raise _wrong(number, "invalid_custom_id", text, "custom_id")
        if line.method != "POST":
            raise _wrong(number, "invalid_method", "The method of every line is POST.", "method")
        if line.url != self._endpoint:
            text = f"The url of every line is that of the batch: {self._endpoint}."
            raise _wrong(number, "mismatched_url", text, "url")
        first = self._first_of.setdefault(line.custom_id, number)
        if first != number:
            text = f"Line {first} has the same custom_id: each needs one of its own."
            raise _wrong(number, "duplicate_custom_id", text, "custom_id")


def _wrong(number: int, code: str, message: str, param: str) -> WrongLineError:
    # A name of the caller's may be in them; PostgreSQL has no text with NUL.
    return WrongLineError(LineError(code, message.replace("\0", "\ufffd"), param.replace("\0", "\ufffd"), number))
