"""Limits the work for one schema: references, unions and `allOf` can make the same text be read again and again.

A schema of some kilobytes could keep the router's event loop, and with it everybody's requests, for minutes: the steps
were bounded, but not what is read in one. A unit is 16 bytes of JSON, or an entry that is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

# 1.6 MB of schema, with all references followed: several times what a model can read.
MOST_UNITS: Final = 100_000
MOST_STEPS: Final = 5_000
# Schemas in a schema: each of them is a step, and counts itself.
_OF_SCHEMAS: Final = frozenset(
    {"properties", "patternProperties", "items", "prefixItems", "allOf", "anyOf", "oneOf", "additionalProperties"}
)
_NOT_READ: Final = ("$defs", "definitions")
_BYTES_A_UNIT: Final = 16

_encode: Final = msgspec.json.Encoder().encode


class Effort:
    """Counts steps and units; what is seen again is counted once."""

    __slots__ = ("_most", "_own", "_steps", "_units", "_wholes")

    def __init__(self, most_steps: int, most_units: int) -> None:
        self._most = most_steps, most_units
        self._steps = most_steps
        self._units = most_units
        # With the values themselves: the id of one that is gone would be another's.
        self._own: dict[int, tuple[Any, int]] = {}
        self._wholes: dict[int, tuple[Any, int]] = {}

    @property
    def is_spent(self) -> bool:
        """Whether there was more to do than may be done."""
        return self._steps < 0 or self._units < 0

    @property
    def taken(self) -> tuple[int, int]:
        """How many steps and units were taken."""
        most_steps, most_units = self._most
        return most_steps - self._steps, most_units - self._units

    def step(self) -> None:
        """Count a schema that is looked at, or two that are put together."""
        self._steps -= 1

    def read(self, schema: dict[str, Any]) -> None:
        """Count a schema's own words, and how many schemas are in it."""
        known = self._own.get(id(schema))
        if known is None:
            read = {name: value for name, value in schema.items() if name not in _NOT_READ}
            own = {name: value for name, value in read.items() if name not in _OF_SCHEMAS}
            entries = sum(len(value) for value in read.values() if isinstance(value, dict | list))
            known = self._own[id(schema)] = (schema, len(schema) + entries + _weight(own))
        self._units -= known[1]

    def merge(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
        """Count what is copied and compared when two schemas become one."""
        self._units -= len(one) + len(other)
        for name in one.keys() & other.keys():
            mine, others = one[name], other[name]
            if name in ("properties", "patternProperties"):
                self._units -= len(mine) + len(others)
                self._units -= sum(self._compared(mine[each], others[each]) for each in mine if each in others)
            else:
                self._units -= self._compared(mine, others)

    def _compared(self, one: Any, other: Any) -> int:
        if one is other:
            return 0
        return sum(self._whole(each) for each in (one, other) if isinstance(each, dict | list))

    def _whole(self, value: dict[str, Any] | list[Any]) -> int:
        known = self._wholes.get(id(value))
        if known is None:
            known = self._wholes[id(value)] = (value, len(value) + _weight(value))
        return known[1]


def _weight(value: Any) -> int:
    return len(_encode(value)) // _BYTES_A_UNIT
