"""Parquet, the plainest: the provider gives datasets so. One row group, one page a column, nothing compressed.

A value is shredded as Dremel does it: each leaf has a column of its own, in which two small numbers beside each entry
say in which list it repeats (`repeats`), and how much of the path to it is there at all (`defined`).
"""

import struct as binary
from dataclasses import dataclass, field
from typing import Any, Final

from emulator.yandex.learning.thrift import BINARY, I32, I64, LIST, STRUCT, struct, varint

_MAGIC: Final = b"PAR1"
_INT64, _BYTE_ARRAY = 2, 6
_OPTIONAL, _REPEATED = 1, 2
_UTF8, _AS_LIST = 0, 3
_PLAIN, _RLE = 0, 3


@dataclass(slots=True)
class _Column:
    """A leaf: its path in the schema, in how many lists it lies, and its entries."""

    path: list[str]
    kind: int
    most_repeats: int
    repeats: list[int] = field(default_factory=list)
    defined: list[int] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def note(self, repeats: int, defined: int, value: Any) -> None:
        self.repeats.append(repeats)
        self.defined.append(defined)
        if value is not None:
            self.values.append(value)

    def page(self) -> bytes:
        """Return the one data page, behind its header."""
        data = _levels(self.repeats) if self.most_repeats else b""
        data += _levels(self.defined) + b"".join(map(self._plain, self.values))
        counts = struct((1, I32, len(self.defined)), (2, I32, _PLAIN), (3, I32, _RLE), (4, I32, _RLE))
        return struct((1, I32, 0), (2, I32, len(data)), (3, I32, len(data)), (5, STRUCT, counts)) + data

    def _plain(self, value: Any) -> bytes:
        if self.kind == _INT64:
            return binary.pack("<q", int(value))
        data = str(value).encode()
        return binary.pack("<I", len(data)) + data


class _Node:
    """A place in the schema: a leaf, an object's fields, or a list's items; each may be missing."""

    def __init__(self, name: str, values: list[Any], path: list[str], repeats: int, defined: int) -> None:
        """Find out from all values at this place what it is."""
        self.name, self._fields, self._column = name, list[_Node](), None
        present = [value for value in values if value is not None]
        path, defined = [*path, name], defined + 1
        self._repeats, self._defined = repeats, defined
        self._is_list = any(isinstance(value, list) for value in present)
        if self._is_list:
            items = [item for value in present for item in value]
            self._fields = [_Node("element", items, [*path, "list"], repeats + 1, defined + 1)]
        elif any(isinstance(value, dict) for value in present):
            names = dict.fromkeys(key for value in present for key in value)
            self._fields = [_Node(key, [one.get(key) for one in present], path, repeats, defined) for key in names]
        else:
            is_number = bool(present) and all(type(value) is int for value in present)
            self._column = _Column(path, _INT64 if is_number else _BYTE_ARRAY, repeats)

    def columns(self) -> list[_Column]:
        """Return the leaves at and below this place."""
        own = [] if self._column is None else [self._column]
        return own + [column for node in self._fields for column in node.columns()]

    def shred(self, value: Any, repeats: int, defined: int) -> None:
        """Note one value, or that there is none, in every leaf."""
        if value is None or (self._is_list and not value):
            for column in self.columns():
                column.note(repeats, defined if value is None else self._defined, None)
        elif self._column is not None:
            self._column.note(repeats, self._defined, value)
        elif self._is_list:
            for place, item in enumerate(value):
                self._fields[0].shred(item, self._repeats + 1 if place else repeats, self._defined + 1)
        else:
            for node in self._fields:
                node.shred(value.get(node.name), repeats, self._defined)

    def schema(self) -> list[bytes]:
        """Return its elements of the schema, itself first."""
        name, optional = (4, BINARY, self.name), (3, I32, _OPTIONAL)
        if self._column is not None:
            utf8 = _UTF8 if self._column.kind == _BYTE_ARRAY else None
            return [struct((1, I32, self._column.kind), optional, name, (6, I32, utf8))]
        inner = [element for node in self._fields for element in node.schema()]
        if not self._is_list:
            return [struct(optional, name, (5, I32, len(self._fields))), *inner]
        items = struct((3, I32, _REPEATED), (4, BINARY, "list"), (5, I32, 1))
        return [struct(optional, name, (5, I32, 1), (6, I32, _AS_LIST)), items, *inner]


def parquet(rows: list[dict[str, Any]]) -> bytes:
    """Return a file of the rows: texts, whole numbers, and lists and objects of these."""
    names = dict.fromkeys(name for row in rows for name in row)
    nodes = [_Node(name, [row.get(name) for row in rows], [], 0, 0) for name in names]
    for row in rows:
        for node in nodes:
            node.shred(row.get(node.name), 0, 0)
    body, chunks = _MAGIC, list[bytes]()
    for column in (column for node in nodes for column in node.columns()):
        page = column.page()
        chunks.append(_chunk(column, len(body), len(page)))
        body += page
    group = struct((1, LIST, (STRUCT, chunks)), (2, I64, len(body) - len(_MAGIC)), (3, I64, len(rows)))
    root = struct((4, BINARY, "schema"), (5, I32, len(nodes)))
    schema = [root, *(element for node in nodes for element in node.schema())]
    end = struct((1, I32, 1), (2, LIST, (STRUCT, schema)), (3, I64, len(rows)), (4, LIST, (STRUCT, [group])))
    return body + end + binary.pack("<I", len(end)) + _MAGIC


def _chunk(column: _Column, offset: int, size: int) -> bytes:
    about = struct(
        (1, I32, column.kind), (2, LIST, (I32, [_PLAIN, _RLE])), (3, LIST, (BINARY, column.path)), (4, I32, 0),
        (5, I64, len(column.defined)), (6, I64, size), (7, I64, size), (9, I64, offset),
    )  # fmt: skip
    return struct((2, I64, offset), (3, STRUCT, about))


def _levels(levels: list[int]) -> bytes:
    """Return small numbers as runs, behind their length."""
    runs, start = b"", 0
    for place in range(1, len(levels) + 1):
        if place == len(levels) or levels[place] != levels[start]:
            runs += varint((place - start) << 1) + bytes([levels[start]])
            start = place
    return binary.pack("<I", len(runs)) + runs
