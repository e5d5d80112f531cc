"""Who asks: what the line for a provider's slots needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Asker:
    """One caller.

    Attributes:
        user: between whom slots are shared.
        tier: how large its share is.
    """

    user: str = ""
    tier: str = ""


NOBODY: Final = Asker()
