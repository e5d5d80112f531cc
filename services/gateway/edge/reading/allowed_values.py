"""What a field may be where it takes a few values only: an error that names them needs no page to be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from msgspec import inspect

_STEP: Final = re.compile(r"\[[^\[\]]*\]|[^.\[\]]+")
# More than anybody reads: then the first of them.
MOST_SHOWN: Final = 20

_info = lru_cache(maxsize=256)(inspect.type_info)


def allowed_values(kind: Any, path: str) -> tuple[str, ...]:
    """Return the values that the field at a path takes, in the type's order; () where they are not a few.

    Args:
        kind: the type of the whole body.
        path: of the field, as msgspec writes it: `provider.sort`, `tools[0].type`, `tools[...].type`.
    """
    found = [_info(kind)]
    for step in _STEP.findall(path):
        found = [below for each in found for below in _below(each, step)]
    values = [value for each in found for one in _members(each) for value in _values(one)]
    return tuple(dict.fromkeys(values))[:MOST_SHOWN]


def _members(kind: inspect.Type) -> Iterator[inspect.Type]:
    """Yield what a type may be: the members of a union, whatever is said about them."""
    if isinstance(kind, inspect.Metadata):
        yield from _members(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for each in kind.types:
            yield from _members(each)
    else:
        yield kind


def _below(kind: inspect.Type, step: str) -> Iterator[inspect.Type]:
    for each in _members(kind):
        if step.startswith("["):
            if isinstance(each, inspect.ListType | inspect.VarTupleType):
                yield each.item_type
            elif isinstance(each, inspect.DictType):
                yield each.value_type
        elif isinstance(each, inspect.StructType):
            yield from (field.type for field in each.fields if field.encode_name == step)


def _values(kind: inspect.Type) -> list[str]:
    if isinstance(kind, inspect.LiteralType):
        return [str(value) for value in kind.values]
    if isinstance(kind, inspect.EnumType):
        return [str(each.value) for each in kind.cls]
    return []
