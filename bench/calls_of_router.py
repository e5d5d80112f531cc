"""Who may call the router's contract in a measurement that serves nothing else of it."""

from __future__ import annotations

from typing import Final

from servicekit.trust.callers import CallPolicy
from services.router.callers import CALLERS

_SERVICE: Final = "/razvilka.router.v1.RouterService/"
CALLS_OF_ROUTER: Final = CallPolicy(
    {method: callers for method, callers in CALLERS.items() if method.startswith(_SERVICE)}
)
