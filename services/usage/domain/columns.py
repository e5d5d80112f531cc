"""Storage and bounds of each field of the usage record, declared with the field."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar, get_type_hints

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The bounds of a storable value; usage.proto states the same for senders.

    Attributes:
        required: neither empty nor unknown.
        uuid_v7: of that form, in lower case.
        max_value: a number lies within 0 and this.
        max_length: characters of a text, or of each value of a map.
        max_items: entries of a list or a map.
        max_days_ahead: how far a moment may be in the future: a gateway's clock may be wrong.
        max_name_length: characters of each name of a map.
        max_bytes: length of bytes.
    """

    required: bool = False
    uuid_v7: bool = False
    max_value: int | None = None
    max_length: int | None = None
    max_items: int | None = None
    max_days_ahead: int | None = None
    max_name_length: int | None = None
    max_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of `usage.usage`.

    Attributes:
        name: of the record's field, and of the message's.
        sql_type: of the parameter that carries the value.
        stored_as: name of the column.
        write: SQL that makes of the parameter, `{}`, what the column keeps.
        read: SQL that makes of the column, or of its sum, `{}`, what the record has.
        is_json: it is carried as JSON.
        summed: the rollups sum it.
    """

    name: str = ""
    sql_type: str
    stored_as: str = ""
    write: str = "{}"
    read: str = "{}"
    is_json: bool = False
    summed: bool = False
    bounds: Bounds


def columns_of(record: type) -> tuple[Column, ...]:
    """Return the columns with which the fields of a dataclass are annotated, in their order."""
    return tuple([_named(column, name) for name, column in annotations_of(record, Column).items()])


def annotations_of(record: type, kind: type[T]) -> dict[str, T]:
    """Return the `kind` with which each field of a dataclass is annotated.

    Raises:
        TypeError: a field is not.
    """
    hints = get_type_hints(record, include_extras=True)
    return {field.name: _annotation(hints[field.name], kind) for field in fields(record)}


def _annotation(hint: Any, kind: type[T]) -> T:
    for annotation in getattr(hint, "__metadata__", ()):
        if isinstance(annotation, kind):
            return annotation
    raise TypeError(f"{hint} is not annotated with a {kind.__name__}")


def _named(column: Column, name: str) -> Column:
    return replace(column, name=name, stored_as=column.stored_as or name)
