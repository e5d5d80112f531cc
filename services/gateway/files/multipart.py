"""A multipart form (RFC 7578) as it comes: small fields are kept, the one file goes on piece by piece."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.types import Scope

from servicekit.errors import ErrorReason, InvalidRequest
from services.gateway.edge.reading.json_body import invalid_field

FILE_FIELD: Final = "file"
MOST_FIELDS: Final = 16
LONGEST_FIELD: Final = 1024
LONGEST_HEADER: Final = 4096

# Takes the name of the file and a piece of it.
TakeFile = Callable[[str, bytes], Awaitable[None]]


class MultipartForm:
    """Reads one form; `fields` has what came beside the file."""

    def __init__(self, scope: Scope, take: TakeFile) -> None:
        """Begin with the headers.

        Raises:
            InvalidRequest: this is no form.
        """
        self.fields: dict[str, str] = {}
        self.has_file = False
        self._take = take
        self._parser = MultipartParser(
            _boundary(scope),
            {
                "on_part_begin": self._begin,
                "on_header_field": self._on_name,
                "on_header_value": self._on_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._headers_done,
                "on_part_data": self._on_data,
                "on_part_end": self._end,
                "on_end": self._finish,
            },
        )
        self._header_name = self._header_value = b""
        self._name = self._filename = self._filename_of_file = ""
        self._is_file = self._is_whole = False
        self._value = b""
        self._parts = 0
        self._pieces: list[bytes] = []

    async def feed(self, data: bytes) -> None:
        """Read on.

        Raises:
            InvalidRequest: this is no form, or one with too much beside the file.
        """
        try:
            self._parser.write(data)
        except FormParserError as exc:
            raise _wrong("The form cannot be read.") from exc
        pieces, self._pieces = self._pieces, []
        for piece in pieces:
            await self._take(self._filename_of_file, piece)

    def end(self) -> None:
        """Say that there is no more.

        Raises:
            InvalidRequest: the end is missing, or the file.
        """
        # Without its last boundary nobody knows whether that was the whole file.
        if self.has_file and not self._is_whole:
            raise _wrong("The form has no end.")
        if not self.has_file:
            raise invalid_field("file", "There is no file")

    def _begin(self) -> None:
        # Parts, not names: two million empty fields of one name fit into an upload.
        self._parts += 1
        if self._parts > MOST_FIELDS + 1:
            raise _wrong("The form has too many fields.")
        self._name = self._filename = ""
        self._is_file, self._value = False, b""
        self._header_name = self._header_value = b""

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name = _bounded(self._header_name + data[start:end])

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value = _bounded(self._header_value + data[start:end])

    def _end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            _, options = parse_options_header(self._header_value)
            self._name = options.get(b"name", b"").decode("utf-8", "replace")
            self._filename = options.get(b"filename", b"").decode("utf-8", "replace")
        self._header_name = self._header_value = b""

    def _headers_done(self) -> None:
        self._is_file = self._name == FILE_FIELD
        if self._is_file:
            if self.has_file:
                raise _wrong("There is more than one file.")
            if "\0" in self._filename:
                # PostgreSQL has no such text.
                raise _wrong("The name of the file has a NUL character.")
            self.has_file, self._filename_of_file = True, self._filename or FILE_FIELD

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._pieces.append(data[start:end])
            return
        self._value += data[start:end]
        if len(self._value) > LONGEST_FIELD:
            raise _wrong("A field of the form is too long.")

    def _end(self) -> None:
        if not self._is_file:
            self.fields[self._name] = self._value.decode("utf-8", "replace")

    def _finish(self) -> None:
        self._is_whole = True


def _boundary(scope: Scope) -> bytes:
    given = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    kind, options = parse_options_header(given)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        text = "A file is uploaded as multipart/form-data with the fields `file` and `purpose`."
        raise InvalidRequest(ErrorReason.UNSUPPORTED_MEDIA_TYPE, text, param="Content-Type")
    return options[b"boundary"]


def _bounded(header: bytes) -> bytes:
    if len(header) > LONGEST_HEADER:
        raise _wrong("A header of the form is too long.")
    return header


def _wrong(text: str) -> InvalidRequest:
    return InvalidRequest(ErrorReason.INVALID_REQUEST, text, param="body")
