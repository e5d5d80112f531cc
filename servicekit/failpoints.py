"""Places where a test may kill the process, to prove what survives.

`RAZVILKA_FAILPOINT=usage.after_commit:3` makes the process kill itself (SIGKILL: no handlers, no flush) when it
reaches `failpoint("usage.after_commit")` for the third time. `RAZVILKA_FAILPOINTS_ALLOWED=1` must be set too;
without it the variable is refused with a warning, so that a stray one cannot hurt a production process.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Final

import structlog

log = structlog.get_logger()

VARIABLE: Final = "RAZVILKA_FAILPOINT"
PERMISSION: Final = "RAZVILKA_FAILPOINTS_ALLOWED"


class Failpoint:
    """One armed place and how many more passes it lives through."""

    def __init__(self, name: str, passes: int) -> None:
        """Fire when `name` is reached for the `passes`-th time."""
        self.name = name
        self._left = passes

    def fires(self, name: str) -> bool:
        """Count a pass of `name`; tell whether this is the one to die at."""
        if name != self.name:
            return False
        self._left -= 1
        return self._left == 0


def armed(environment: Mapping[str, str]) -> Failpoint | None:
    """Return the failpoint that the environment asks for and permits.

    Raises:
        SystemExit: it is permitted but the count is not a number above 0.
    """
    wish = environment.get(VARIABLE)
    if not wish:
        return None
    if environment.get(PERMISSION) != "1":
        log.warning("failpoint.refused", variable=VARIABLE, missing=f"{PERMISSION}=1")
        return None
    name, _, passes = wish.partition(":")
    if passes and (not passes.isdecimal() or int(passes) == 0):
        raise SystemExit(f"{VARIABLE}: {wish!r} is not <name> or <name>:<count>")
    return Failpoint(name, int(passes or 1))


_armed: Final = armed(os.environ)


def failpoint(name: str) -> None:
    """Die here if the environment says so; otherwise do nothing, at the cost of one comparison."""
    if _armed is not None and _armed.fires(name):
        os.kill(os.getpid(), signal.SIGKILL)
