"""Who asks: what the line for a provider's slots needs to know."""

from __future__ import annotations

from typing import Final

from msgspec import Struct


class Asker(Struct, frozen=True):
    """One caller.

    Attributes:
        user: between whom slots are shared.
        tier: how large its share is.
    """

    user: str = ""
    tier: str = ""


NOBODY: Final = Asker()
