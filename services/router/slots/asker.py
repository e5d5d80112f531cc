"""The caller, as far as the queue for a provider's slots needs to know it."""

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
