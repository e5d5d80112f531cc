"""Thrift's compact protocol, as far as the end of a Parquet file needs it."""

from typing import Any, Final

I32: Final = 5
I64: Final = 6
BINARY: Final = 8
LIST: Final = 9
STRUCT: Final = 12
# The number of a field, its type and its value; of a list, the type of its items and these.
Field = tuple[int, int, Any]


def struct(*fields: Field) -> bytes:
    """Return a structure; its fields come in the order of their numbers, one without a value is left out."""
    written, last = b"", 0
    for number, kind, value in fields:
        if value is not None:
            written += bytes([(number - last) << 4 | kind]) + _value(kind, value)
            last = number
    return written + b"\x00"


def varint(number: int) -> bytes:
    """Return a number without a sign in groups of seven bits."""
    written = b""
    while number > 0x7F:
        written += bytes([number & 0x7F | 0x80])
        number >>= 7
    return written + bytes([number])


def _value(kind: int, value: Any) -> bytes:
    if kind in (I32, I64):
        return varint(value * 2)
    if kind == BINARY:
        data = str(value).encode()
        return varint(len(data)) + data
    if kind == LIST:
        inner, items = value
        size = bytes([len(items) << 4 | inner]) if len(items) < 15 else bytes([0xF0 | inner]) + varint(len(items))
        return size + b"".join(_value(inner, item) for item in items)
    return bytes(value)
