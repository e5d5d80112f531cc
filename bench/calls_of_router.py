"""Who may call the router's contract in a measurement that serves nothing else of it."""

from __future__ import annotations

from typing import Final

from servicekit.trust.callers import CallPolicy
from services.router.callers import METHODS

CALLS_OF_ROUTER: Final = CallPolicy({f"/razvilka.router.v1.RouterService/{method}": ("gateway",) for method in METHODS})
