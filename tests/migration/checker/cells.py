"""Cell: a value of the source with its storage class, and the same as the report tells it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cell:
    """A stored value: `raw` is an int, a float, the bytes of a text or a BLOB, or None."""

    kind: str
    raw: Any

    @property
    def exact(self) -> tuple[str, bytes]:
        """Return what two cells share only when they are the same to the last bit."""
        match self.kind:
            case "real":
                return self.kind, struct.pack(">d", self.raw)
            case "text" | "blob":
                return self.kind, self.raw
            case _:
                return self.kind, repr(self.raw).encode()

    @property
    def text(self) -> str | None:
        """Return the text, None where there is none that can be read."""
        if self.kind != "text":
            return None
        try:
            return str(self.raw, "utf-8")
        except UnicodeDecodeError:
            return None


NULL = Cell("null", None)


def cell_of(value: object) -> Cell:
    """Return what SQLite answered as a cell; texts come as cells already."""
    match value:
        case Cell():
            return value
        case None:
            return NULL
        case int():
            return Cell("integer", value)
        case float():
            return Cell("real", value)
        case bytes():
            return Cell("blob", value)
        case _:
            raise TypeError(type(value))


def told_cell(line: Any) -> Cell:
    """Return the cell that a line of the report tells."""
    kind = line["class"]
    if kind == "null":
        return NULL
    if "hex" in line:
        return Cell(kind, bytes.fromhex(line["hex"]))
    value = line["value"]
    return Cell(kind, value.encode() if kind == "text" else float(value) if kind == "real" else int(value))
