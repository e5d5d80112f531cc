"""Meaning: what a value becomes, and whether it says the same before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Meaning:
    """One reading of a value.

    Attributes:
        value: as 1.1 keeps it.
        is_plain: nothing was changed, and there is nothing to record.
    """

    value: Any
    is_plain: bool = True
